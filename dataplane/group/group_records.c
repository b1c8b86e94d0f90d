/* SPDX-License-Identifier: Apache-2.0 */
/* Apache writes the newest layout that is not flexible: version 1 of the offset key, version 3 of both
 * values. Version 1 of the offset value carries an expiry of its own, which later ones cannot say; so an
 * offset with an explicit expiry is written as version 1, as Apache does. */
#include "dataplane/group/group_records.h"

#include "common/kafka/group_metadata_key.h"
#include "common/kafka/offset_commit_key.h"

enum {
    LEGACY_OFFSET_KEY_TYPE = 0,
    OFFSET_VALUE_VERSION = 3,
    OFFSET_VALUE_WITH_EXPIRY_VERSION = 1,
    METADATA_VALUE_VERSION = 3
};

static enum err read_offset_key(struct reader *reader, struct group_record_key *ret_key)
{
    struct kafka_offset_commit_key key;
    enum err rc = kafka_offset_commit_key_read(reader, 0, NULL, &key);

    if (rc == ERR_OK)
        *ret_key =
            (struct group_record_key){GROUP_RECORD_OFFSET, key.group, key.topic, key.partition};
    return rc;
}

static enum err read_metadata_key(struct reader *reader, struct group_record_key *ret_key)
{
    struct kafka_group_metadata_key key;
    enum err rc = kafka_group_metadata_key_read(reader, 0, NULL, &key);

    if (rc == ERR_OK)
        *ret_key = (struct group_record_key){.kind = GROUP_RECORD_METADATA, .group_id = key.group};
    return rc;
}

enum err group_record_read_key(struct slice key, struct group_record_key *ret_key)
{
    struct reader reader;
    int16_t type = 0;

    reader_init(&reader, key);
    type = reader_i16(&reader);
    if (reader.err != ERR_OK)
        return reader.err;
    if (type == LEGACY_OFFSET_KEY_TYPE || type == KAFKA_OFFSET_COMMIT_KEY_TYPE)
        return read_offset_key(&reader, ret_key);
    if (type == KAFKA_GROUP_METADATA_KEY_TYPE)
        return read_metadata_key(&reader, ret_key);
    return ERR_UNSUPPORTED;
}

enum err group_record_read_offset(struct slice value, struct kafka_offset_commit_value *ret_offset)
{
    struct reader reader;

    reader_init(&reader, value);
    return kafka_offset_commit_value_read_prefixed(&reader, NULL, ret_offset);
}

enum err group_record_read_metadata(struct slice value, struct arena *arena,
                                    struct kafka_group_metadata_value *ret_group)
{
    struct reader reader;

    reader_init(&reader, value);
    return kafka_group_metadata_value_read_prefixed(&reader, arena, ret_group);
}

static void keep_error(struct writer *writer, enum err rc)
{
    if (rc != ERR_OK)
        writer_fail(writer, rc);
}

void group_record_write_offset_key(struct writer *writer, struct slice group_id, struct slice topic,
                                   int32_t partition)
{
    struct kafka_offset_commit_key key = {group_id, topic, partition};

    keep_error(writer, kafka_offset_commit_key_write_prefixed(writer, &key));
}

void group_record_write_offset(struct writer *writer,
                               const struct kafka_offset_commit_value *offset)
{
    int16_t version =
        offset->expire_timestamp >= 0 ? OFFSET_VALUE_WITH_EXPIRY_VERSION : OFFSET_VALUE_VERSION;

    keep_error(writer, kafka_offset_commit_value_write_prefixed(writer, version, offset));
}

void group_record_write_metadata_key(struct writer *writer, struct slice group_id)
{
    struct kafka_group_metadata_key key = {group_id};

    keep_error(writer, kafka_group_metadata_key_write_prefixed(writer, &key));
}

void group_record_write_metadata(struct writer *writer,
                                 const struct kafka_group_metadata_value *group)
{
    keep_error(writer,
               kafka_group_metadata_value_write_prefixed(writer, METADATA_VALUE_VERSION, group));
}

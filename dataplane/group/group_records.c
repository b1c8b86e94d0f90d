/* SPDX-License-Identifier: Apache-2.0 */
/* Apache writes the newest layout that is not flexible: version 1 of the offset key, version 3 of both
 * values. Version 1 of the offset value carries an expiry of its own, which version 2 and 3 cannot say;
 * so an offset with an explicit expiry is written as version 1, as Apache does. */
#include "dataplane/group/group_records.h"

enum {
    OFFSET_KEY_VERSION = 1,
    METADATA_KEY_VERSION = 2,
    OFFSET_VALUE_VERSION = 3,
    OFFSET_VALUE_WITH_EXPIRY_VERSION = 1,
    METADATA_VALUE_VERSION = 3
};

static struct slice read_string(struct reader *reader)
{
    int16_t len = reader_i16(reader);

    if (len < 0) {
        reader_fail(reader, ERR_INVALID);
        return SLICE_NULL;
    }
    return reader_bytes(reader, (size_t)len);
}

static struct slice read_nullable_string(struct reader *reader)
{
    int16_t len = reader_i16(reader);

    return len < 0 ? SLICE_NULL : reader_bytes(reader, (size_t)len);
}

static struct slice read_bytes(struct reader *reader)
{
    int32_t len = reader_i32(reader);

    if (len < 0) {
        reader_fail(reader, ERR_INVALID);
        return SLICE_NULL;
    }
    return reader_bytes(reader, (size_t)len);
}

static void write_string(struct writer *writer, struct slice text)
{
    if (text.len > INT16_MAX) {
        writer_fail(writer, ERR_INVALID);
        return;
    }
    writer_i16(writer, (int16_t)text.len);
    writer_slice(writer, text);
}

static void write_nullable_string(struct writer *writer, struct slice text)
{
    if (slice_is_null(text))
        writer_i16(writer, -1);
    else
        write_string(writer, text);
}

static void write_bytes(struct writer *writer, struct slice bytes)
{
    if (bytes.len > INT32_MAX) {
        writer_fail(writer, ERR_INVALID);
        return;
    }
    writer_i32(writer, (int32_t)bytes.len);
    writer_slice(writer, bytes);
}

enum err group_record_read_key(struct slice key, struct group_record_key *ret_key)
{
    struct group_record_key result = {.kind = GROUP_RECORD_OFFSET};
    struct reader reader;
    int16_t version = 0;

    reader_init(&reader, key);
    version = reader_i16(&reader);
    if (reader.err != ERR_OK)
        return ERR_CORRUPT;
    if (version < 0 || version > METADATA_KEY_VERSION)
        return ERR_UNSUPPORTED;
    result.group_id = read_string(&reader);
    if (version == METADATA_KEY_VERSION) {
        result.kind = GROUP_RECORD_METADATA;
    } else {
        result.topic = read_string(&reader);
        result.partition = reader_i32(&reader);
    }
    if (reader.err != ERR_OK)
        return ERR_CORRUPT;
    *ret_key = result;
    return ERR_OK;
}

enum err group_record_read_offset(struct slice value, struct stored_offset *ret_offset)
{
    struct stored_offset result = {.leader_epoch = -1, .expire_timestamp_ms = -1};
    struct reader reader;
    int16_t version = 0;

    reader_init(&reader, value);
    version = reader_i16(&reader);
    if (reader.err != ERR_OK)
        return ERR_CORRUPT;
    if (version < 0 || version > OFFSET_VALUE_VERSION)
        return ERR_UNSUPPORTED;
    result.offset = reader_i64(&reader);
    if (version >= 3)
        result.leader_epoch = reader_i32(&reader);
    result.metadata = read_string(&reader);
    result.commit_timestamp_ms = reader_i64(&reader);
    if (version == 1)
        result.expire_timestamp_ms = reader_i64(&reader);
    if (reader.err != ERR_OK)
        return ERR_CORRUPT;
    *ret_offset = result;
    return ERR_OK;
}

void stored_group_next_member(struct stored_group *group, struct stored_member *ret_member)
{
    struct reader *reader = &group->members;

    *ret_member = (struct stored_member){.rebalance_timeout_ms = -1};
    ret_member->member_id = read_string(reader);
    if (group->version >= 3)
        ret_member->instance_id = read_nullable_string(reader);
    ret_member->client_id = read_string(reader);
    ret_member->client_host = read_string(reader);
    if (group->version >= 1)
        ret_member->rebalance_timeout_ms = reader_i32(reader);
    ret_member->session_timeout_ms = reader_i32(reader);
    if (group->version < 1)
        ret_member->rebalance_timeout_ms = ret_member->session_timeout_ms;
    ret_member->subscription = read_bytes(reader);
    ret_member->assignment = read_bytes(reader);
}

enum err group_record_read_metadata(struct slice value, struct stored_group *ret_group)
{
    struct stored_group result = {.state_timestamp_ms = -1};
    struct stored_member member;
    struct reader members;
    struct reader *reader = &result.members;

    reader_init(reader, value);
    result.version = reader_i16(reader);
    if (reader->err != ERR_OK)
        return ERR_CORRUPT;
    if (result.version < 0 || result.version > METADATA_VALUE_VERSION)
        return ERR_UNSUPPORTED;
    result.protocol_type = read_string(reader);
    result.generation = reader_i32(reader);
    result.protocol_name = read_nullable_string(reader);
    result.leader = read_nullable_string(reader);
    if (result.version >= 2)
        result.state_timestamp_ms = reader_i64(reader);
    result.member_count = reader_i32(reader);
    if (reader->err != ERR_OK || result.member_count < 0)
        return ERR_CORRUPT;

    members = *reader;
    for (int32_t i = 0; i < result.member_count && reader->err == ERR_OK; i++)
        stored_group_next_member(&result, &member);
    if (reader->err != ERR_OK)
        return ERR_CORRUPT;
    result.members = members;
    *ret_group = result;
    return ERR_OK;
}

void group_record_write_offset_key(struct writer *writer, struct slice group_id, struct slice topic,
                                   int32_t partition)
{
    writer_i16(writer, OFFSET_KEY_VERSION);
    write_string(writer, group_id);
    write_string(writer, topic);
    writer_i32(writer, partition);
}

void group_record_write_offset(struct writer *writer, const struct stored_offset *offset)
{
    bool has_expiry = offset->expire_timestamp_ms >= 0;

    writer_i16(writer, has_expiry ? OFFSET_VALUE_WITH_EXPIRY_VERSION : OFFSET_VALUE_VERSION);
    writer_i64(writer, offset->offset);
    if (!has_expiry)
        writer_i32(writer, offset->leader_epoch);
    write_string(writer, offset->metadata);
    writer_i64(writer, offset->commit_timestamp_ms);
    if (has_expiry)
        writer_i64(writer, offset->expire_timestamp_ms);
}

void group_record_write_metadata_key(struct writer *writer, struct slice group_id)
{
    writer_i16(writer, METADATA_KEY_VERSION);
    write_string(writer, group_id);
}

void group_record_write_metadata(struct writer *writer, const struct stored_group *group)
{
    writer_i16(writer, METADATA_VALUE_VERSION);
    write_string(writer, group->protocol_type);
    writer_i32(writer, group->generation);
    write_nullable_string(writer, group->protocol_name);
    write_nullable_string(writer, group->leader);
    writer_i64(writer, group->state_timestamp_ms);
    writer_i32(writer, group->member_count);
}

void group_record_write_member(struct writer *writer, const struct stored_member *member)
{
    write_string(writer, member->member_id);
    write_nullable_string(writer, member->instance_id);
    write_string(writer, member->client_id);
    write_string(writer, member->client_host);
    writer_i32(writer, member->rebalance_timeout_ms);
    writer_i32(writer, member->session_timeout_ms);
    write_bytes(writer, member->subscription);
    write_bytes(writer, member->assignment);
}

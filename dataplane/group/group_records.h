/* SPDX-License-Identifier: Apache-2.0 */
/* The records of __consumer_offsets in Apache's format (kafka-protocol reference, appendix B), so that
 * tools that read the topic understand it. The layouts are generated (api/kafka); here is which of them
 * a key means, and which versions are written.
 *
 *   key    i16 version: 0 or 1 = offset of (group, topic, partition), 2 = metadata of a group
 *   value  i16 version: 0 to 4 are read; null = tombstone
 *
 * Reading borrows from the record. Versions we do not know give ERR_UNSUPPORTED, bytes that do not fit
 * ERR_TRUNCATED or ERR_INVALID; the reader of the log skips them all, as Apache does. */
#ifndef DATAPLANE_GROUP_GROUP_RECORDS_H
#define DATAPLANE_GROUP_GROUP_RECORDS_H

#include "common/kafka/group_metadata_value.h"
#include "common/kafka/offset_commit_value.h"

enum group_record_kind { GROUP_RECORD_OFFSET, GROUP_RECORD_METADATA };

struct group_record_key {
    enum group_record_kind kind;
    struct slice group_id;
    struct slice topic; /* offsets only */
    int32_t partition;  /* offsets only */
};

enum err group_record_read_key(struct slice key, struct group_record_key *ret_key) WARN_UNUSED;
enum err group_record_read_offset(struct slice value,
                                  struct kafka_offset_commit_value *ret_offset) WARN_UNUSED;
/* The members' array is in the arena. ERR_NO_MEMORY besides. */
enum err group_record_read_metadata(struct slice value, struct arena *arena,
                                    struct kafka_group_metadata_value *ret_group) WARN_UNUSED;

/* Errors stick to the writer: ERR_TOO_LARGE also when a text is longer than the format can say. */
void group_record_write_offset_key(struct writer *writer, struct slice group_id, struct slice topic,
                                   int32_t partition);
void group_record_write_offset(struct writer *writer,
                               const struct kafka_offset_commit_value *offset);
void group_record_write_metadata_key(struct writer *writer, struct slice group_id);
void group_record_write_metadata(struct writer *writer,
                                 const struct kafka_group_metadata_value *group);

#endif

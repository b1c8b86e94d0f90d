/* SPDX-License-Identifier: Apache-2.0 */
/* The records of __consumer_offsets in Apache's format (kafka-protocol reference, appendix B), so that
 * tools that read the topic understand it.
 *
 *   key    i16 version: 0 or 1 = offset of (group, topic, partition), 2 = metadata of a group
 *   value  i16 version: offset 0 to 3, group metadata 0 to 3 (written: 3); null = tombstone
 *
 * Reading borrows from the record. Versions we do not know give ERR_UNSUPPORTED, bytes that do not fit
 * ERR_CORRUPT; the reader of the log skips both, as Apache does. */
#ifndef DATAPLANE_GROUP_GROUP_RECORDS_H
#define DATAPLANE_GROUP_GROUP_RECORDS_H

#include "common/wire/reader.h"
#include "common/wire/writer.h"

enum group_record_kind { GROUP_RECORD_OFFSET, GROUP_RECORD_METADATA };

struct group_record_key {
    enum group_record_kind kind;
    struct slice group_id;
    struct slice topic;    /* offsets only */
    int32_t partition;     /* offsets only */
};

struct stored_offset {
    int64_t offset;
    int32_t leader_epoch; /* -1 = unknown */
    struct slice metadata;
    int64_t commit_timestamp_ms;
    int64_t expire_timestamp_ms; /* -1 = by retention */
};

struct stored_group {
    struct slice protocol_type; /* "" = none */
    int32_t generation;
    struct slice protocol_name; /* may be null */
    struct slice leader;        /* may be null */
    int64_t state_timestamp_ms; /* -1 = unknown */
    int32_t member_count;
    /* private to stored_group_next_member */
    int16_t version;
    struct reader members;
};

struct stored_member {
    struct slice member_id;
    struct slice instance_id; /* may be null */
    struct slice client_id;
    struct slice client_host;
    int32_t rebalance_timeout_ms;
    int32_t session_timeout_ms;
    struct slice subscription;
    struct slice assignment;
};

enum err group_record_read_key(struct slice key, struct group_record_key *ret_key) WARN_UNUSED;
enum err group_record_read_offset(struct slice value, struct stored_offset *ret_offset) WARN_UNUSED;
/* Checks the whole value, members included. */
enum err group_record_read_metadata(struct slice value, struct stored_group *ret_group) WARN_UNUSED;
/* Call member_count times. */
void stored_group_next_member(struct stored_group *group, struct stored_member *ret_member);

/* Sticky errors of the writer: ERR_INVALID when a text is longer than the format can say. */
void group_record_write_offset_key(struct writer *writer, struct slice group_id, struct slice topic,
                                   int32_t partition);
void group_record_write_offset(struct writer *writer, const struct stored_offset *offset);
void group_record_write_metadata_key(struct writer *writer, struct slice group_id);
/* Then group->member_count times group_record_write_member. */
void group_record_write_metadata(struct writer *writer, const struct stored_group *group);
void group_record_write_member(struct writer *writer, const struct stored_member *member);

#endif

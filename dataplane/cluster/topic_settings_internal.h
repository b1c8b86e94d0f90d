/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the table by name, for the files that resolve and check settings. */
#ifndef DATAPLANE_CLUSTER_TOPIC_SETTINGS_INTERNAL_H
#define DATAPLANE_CLUSTER_TOPIC_SETTINGS_INTERNAL_H

#include "dataplane/cluster/topic_settings.h"

enum topic_setting_id {
    TOPIC_CLEANUP_POLICY,
    TOPIC_COMPRESSION_GZIP_LEVEL,
    TOPIC_COMPRESSION_LZ4_LEVEL,
    TOPIC_COMPRESSION_TYPE,
    TOPIC_COMPRESSION_ZSTD_LEVEL,
    TOPIC_DELETE_RETENTION_MS,
    TOPIC_FILE_DELETE_DELAY_MS,
    TOPIC_FLUSH_MESSAGES,
    TOPIC_FLUSH_MS,
    TOPIC_FOLLOWER_THROTTLED_REPLICAS,
    TOPIC_INDEX_INTERVAL_BYTES,
    TOPIC_LEADER_THROTTLED_REPLICAS,
    TOPIC_LOCAL_RETENTION_BYTES,
    TOPIC_LOCAL_RETENTION_MS,
    TOPIC_MAX_COMPACTION_LAG_MS,
    TOPIC_MAX_MESSAGE_BYTES,
    TOPIC_TIMESTAMP_AFTER_MAX_MS,
    TOPIC_TIMESTAMP_BEFORE_MAX_MS,
    TOPIC_TIMESTAMP_TYPE,
    TOPIC_MILLRACE_FLUSH,
    TOPIC_MIN_CLEANABLE_RATIO,
    TOPIC_MIN_COMPACTION_LAG_MS,
    TOPIC_MIN_INSYNC_REPLICAS,
    TOPIC_PREALLOCATE,
    TOPIC_REMOTE_COPY_DISABLE,
    TOPIC_REMOTE_DELETE_ON_DISABLE,
    TOPIC_REMOTE_STORAGE_ENABLE,
    TOPIC_RETENTION_BYTES,
    TOPIC_RETENTION_MS,
    TOPIC_SEGMENT_BYTES,
    TOPIC_SEGMENT_INDEX_BYTES,
    TOPIC_SEGMENT_JITTER_MS,
    TOPIC_SEGMENT_MS,
    TOPIC_UNCLEAN_ELECTION,
    TOPIC_SETTING_COUNT
};

extern const struct topic_setting topic_setting_table[TOPIC_SETTING_COUNT];

/* NULL = the plan has no range for it. */
const struct topic_setting_range *topic_policy_range(const struct topic_policy *policy,
                                                     const struct topic_setting *setting);
/* The plan's hard limit, which holds for tenants that may set every key, too; -1 = none. */
int64_t topic_policy_limit(const struct topic_policy *policy, enum topic_setting_id id);

/* Decimal with an optional sign, nothing before or after. */
bool setting_parse_integer(struct slice text, int64_t *ret_value);
/* A finite number, nothing before or after. */
bool setting_parse_double(struct slice text, double *ret_value);
/* Cuts the first item off a list, spaces around it dropped. False = none left; "" has one, empty.
 */
bool setting_next_item(struct slice *list, struct slice *ret_item);

#endif

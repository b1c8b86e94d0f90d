/* SPDX-License-Identifier: Apache-2.0 */
/* Topic settings: one table of all keys that a client may see or set, their bounds, their defaults
 * and what they are called on a broker; checking a set of them against a tenant's plan; resolving a
 * set to what the log needs.
 *
 * Defaults are Kafka's but where the service promises others (retention 24 h and 1 GiB, segments of
 * 512 MiB, …), and a plan wins over both: ask topic_setting_default(). No default is outside the range
 * that the plan has for its key or over the plan's limit; min.insync.replicas is min(2, brokers).
 *
 * Errors are Kafka's: INVALID_CONFIG for a key or value that Kafka would not take, POLICY_VIOLATION
 * for one that the plan does not allow; the message names the range. A key that a plan does not
 * allow is still taken when its value is the one in force: tools write back what they have read. */
#ifndef DATAPLANE_CLUSTER_TOPIC_SETTINGS_H
#define DATAPLANE_CLUSTER_TOPIC_SETTINGS_H

#include "common/base/slice.h"
#include "common/kafka/kafka_error.h"
#include "dataplane/storage/replica.h"

#include <stddef.h>

/* As on the wire (DescribeConfigs config_type). */
enum setting_type {
    SETTING_BOOLEAN = 1,
    SETTING_STRING = 2,
    SETTING_INT = 3,
    SETTING_SHORT = 4,
    SETTING_LONG = 5,
    SETTING_DOUBLE = 6,
    SETTING_LIST = 7,
    SETTING_CLASS = 8,
    SETTING_PASSWORD = 9
};

#define TOPIC_NAME_MAX 249        /* Kafka's: internal and mirrored topics */
#define TOPIC_NAME_CLIENT_MAX 200 /* what clients may create */
#define SETTING_VALUE_MAX 1024
#define SETTING_MESSAGE_MAX 256

struct topic_setting {
    const char *name;
    enum setting_type type;
    const char *default_value; /* in this service; see topic_setting_default */
    const char *kafka_default; /* Kafka's own when it differs (then ours is a "static broker"
                                  value), else NULL */
    int64_t minimum, maximum;  /* INT, LONG; DOUBLE: in thousandths */
    const char *const *values; /* STRING, LIST: what is allowed, NULL-terminated; NULL = anything */
    const char *broker_synonyms[4]; /* most specific first, NULL-terminated; may be empty */
    bool is_fixed;                  /* only its default is taken; read-only in DescribeConfigs */
    const char *documentation;
};

/* By name, in alphabetical order. */
size_t topic_setting_count(void);
const struct topic_setting *topic_setting_at(size_t index);
size_t topic_setting_index(const struct topic_setting *setting);
const struct topic_setting *topic_setting_find(struct slice name); /* NULL = no such key */

/* One value that was set. */
struct topic_override {
    const struct topic_setting *setting;
    struct slice value; /* as text, never null */
};

/* What a tenant may set. */
struct topic_setting_range {
    const struct topic_setting *setting;
    int64_t minimum, maximum; /* numbers only; else ignored */
};

struct topic_policy {
    bool allows_every_key;
    size_t range_count;
    struct topic_setting_range *ranges; /* in table order */
    int64_t max_retention_bytes;        /* -1 = no bound */
    int64_t max_message_bytes;          /* -1 = no bound */
};

/* The default in force, as text. ret_text holds SETTING_VALUE_MAX. broker_count: of the cell. */
void topic_setting_default(const struct topic_setting *setting, const struct topic_policy *policy,
                           int32_t broker_count, char ret_text[SETTING_VALUE_MAX]);

/* Checks a whole set (each key once) as it would be after the change, rules between keys included,
 * and resolves it. changed: which of the overrides were given by the client now, for what is stored
 * already is not refused again; NULL = all. `message` gets a sentence for the client on error. */
struct topic_settings_check {
    const struct topic_override *overrides;
    size_t count;
    const bool *changed;
    const struct topic_policy *policy;
    int32_t broker_count;
    bool is_internal;
    /* out */
    struct log_config config;
    int32_t min_insync_replicas;
    char message[SETTING_MESSAGE_MAX];
};

enum kafka_error topic_settings_check(struct topic_settings_check *check);

/* Does the type of the setting allow the value; INVALID_CONFIG. message as above. */
enum kafka_error topic_setting_check_value(const struct topic_setting *setting, struct slice value,
                                           char message[SETTING_MESSAGE_MAX]);

/* IncrementalAlterConfigs append (is_append) and subtract on a LIST. `current` and `items` are
 * lists as text. False = result is longer than SETTING_VALUE_MAX. */
bool topic_setting_edit_list(struct slice current, struct slice items, bool is_append,
                             char ret_text[SETTING_VALUE_MAX]);

/* NULL = a good name, else why not. max_len: TOPIC_NAME_CLIENT_MAX or TOPIC_NAME_MAX. */
const char *topic_name_check(struct slice name, size_t max_len);

#endif

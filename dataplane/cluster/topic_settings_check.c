/* SPDX-License-Identifier: Apache-2.0 */
/* A whole set of settings: is each value of its type, does the plan allow it, do they fit together,
 * and what do they mean for the log.
 *
 * What is stored already is resolved but not refused: a plan that became narrower leaves topics
 * alone until somebody changes the setting. */
#include "dataplane/cluster/topic_settings_internal.h"

#include <stdio.h>
#include <strings.h>

/* Each entry costs memory, and a reader skips this much quickly: a finer index is not made. */
#define INDEX_INTERVAL_MIN_BYTES 65536

struct resolver {
    struct topic_settings_check *check;
    struct slice values[TOPIC_SETTING_COUNT]; /* null = the default */
    bool changed[TOPIC_SETTING_COUNT];
};

static struct slice effective_text(const struct resolver *resolver, enum topic_setting_id id,
                                   char room[SETTING_VALUE_MAX])
{
    if (!slice_is_null(resolver->values[id]))
        return resolver->values[id];
    topic_setting_default(&topic_setting_table[id], resolver->check->policy,
                          resolver->check->broker_count, room);
    return slice_from_cstring(room);
}

/* The number in force; a stored text that is no number counts as the default. */
static int64_t effective_number(const struct resolver *resolver, enum topic_setting_id id)
{
    char room[SETTING_VALUE_MAX];
    int64_t number = 0;

    if (setting_parse_integer(effective_text(resolver, id, room), &number))
        return number;
    topic_setting_default(&topic_setting_table[id], resolver->check->policy,
                          resolver->check->broker_count, room);
    (void)setting_parse_integer(slice_from_cstring(room), &number);
    return number;
}

/* The same of a DOUBLE, in thousandths. */
static int32_t effective_thousandths(const struct resolver *resolver, enum topic_setting_id id)
{
    char room[SETTING_VALUE_MAX];
    double number = 0;

    if (setting_parse_double(effective_text(resolver, id, room), &number))
        return (int32_t)(number * 1000);
    topic_setting_default(&topic_setting_table[id], resolver->check->policy,
                          resolver->check->broker_count, room);
    (void)setting_parse_double(slice_from_cstring(room), &number);
    return (int32_t)(number * 1000);
}

static int64_t bounded(int64_t number, int64_t minimum, int64_t maximum)
{
    if (number < minimum)
        return minimum;
    return number > maximum ? maximum : number;
}

static int compression_codec(struct slice type)
{
    static const char *const codecs[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};

    for (int i = 0; i < 5; i++) {
        if (slice_equal_cstring(type, codecs[i]))
            return i;
    }
    return -1;
}

static unsigned cleanup_bits(struct slice list)
{
    struct slice item = SLICE_NULL;
    unsigned bits = 0;

    while (setting_next_item(&list, &item)) {
        if (slice_equal_cstring(item, "delete"))
            bits |= CLEANUP_DELETE;
        if (slice_equal_cstring(item, "compact"))
            bits |= CLEANUP_COMPACT;
    }
    return bits;
}

static void resolve(const struct resolver *resolver)
{
    struct topic_settings_check *check = resolver->check;
    char room[SETTING_VALUE_MAX];

    check->config = (struct log_config){
        .segment_bytes = effective_number(resolver, TOPIC_SEGMENT_BYTES),
        .segment_ms = effective_number(resolver, TOPIC_SEGMENT_MS),
        .segment_jitter_ms = effective_number(resolver, TOPIC_SEGMENT_JITTER_MS),
        .segment_index_bytes = effective_number(resolver, TOPIC_SEGMENT_INDEX_BYTES),
        .retention_ms = effective_number(resolver, TOPIC_RETENTION_MS),
        .retention_bytes = effective_number(resolver, TOPIC_RETENTION_BYTES),
        .max_message_bytes =
            (int32_t)bounded(effective_number(resolver, TOPIC_MAX_MESSAGE_BYTES), 0, INT32_MAX),
        .index_interval_bytes =
            (int32_t)bounded(effective_number(resolver, TOPIC_INDEX_INTERVAL_BYTES),
                             INDEX_INTERVAL_MIN_BYTES, INT32_MAX),
        .timestamp_before_max_ms = effective_number(resolver, TOPIC_TIMESTAMP_BEFORE_MAX_MS),
        .timestamp_after_max_ms = effective_number(resolver, TOPIC_TIMESTAMP_AFTER_MAX_MS),
        .cleanup_policy = cleanup_bits(effective_text(resolver, TOPIC_CLEANUP_POLICY, room)),
        .min_cleanable_dirty_thousandths =
            effective_thousandths(resolver, TOPIC_MIN_CLEANABLE_RATIO),
        .min_compaction_lag_ms = effective_number(resolver, TOPIC_MIN_COMPACTION_LAG_MS),
        .max_compaction_lag_ms = effective_number(resolver, TOPIC_MAX_COMPACTION_LAG_MS),
        .delete_retention_ms = effective_number(resolver, TOPIC_DELETE_RETENTION_MS),
        .is_internal = check->is_internal,
    };
    check->config.is_log_append_time =
        slice_equal_cstring(effective_text(resolver, TOPIC_TIMESTAMP_TYPE, room), "LogAppendTime");
    check->config.compression =
        compression_codec(effective_text(resolver, TOPIC_COMPRESSION_TYPE, room));
    check->config.flush =
        slice_equal_cstring(effective_text(resolver, TOPIC_MILLRACE_FLUSH, room), "os")
            ? FLUSH_OS
            : FLUSH_COMMIT;
    check->min_insync_replicas =
        (int32_t)bounded(effective_number(resolver, TOPIC_MIN_INSYNC_REPLICAS), 1, INT32_MAX);
}

static enum kafka_error refuse_range(struct topic_settings_check *check,
                                     const struct topic_setting *setting, int64_t minimum,
                                     int64_t maximum)
{
    snprintf(check->message, sizeof(check->message),
             "Invalid %s specified. The allowed range is [%lld..%lld]", setting->name,
             (long long)minimum, (long long)maximum);
    return KAFKA_POLICY_VIOLATION;
}

static enum kafka_error refuse_key(struct topic_settings_check *check,
                                   const struct topic_setting *setting, const char *default_text)
{
    snprintf(check->message, sizeof(check->message),
             "Invalid %s specified. It cannot be changed; its value is '%.100s'", setting->name,
             default_text);
    return KAFKA_POLICY_VIOLATION;
}

static bool is_number(const struct topic_setting *setting)
{
    return setting->type == SETTING_INT || setting->type == SETTING_LONG;
}

static bool is_same_value(const struct topic_setting *setting, struct slice value, const char *text)
{
    int64_t number = 0, other = 0;

    if (is_number(setting))
        return setting_parse_integer(value, &number) &&
               setting_parse_integer(slice_from_cstring(text), &other) && number == other;
    if (setting->type == SETTING_BOOLEAN)
        return value.len == strlen(text) &&
               strncasecmp((const char *)value.data, text, value.len) == 0;
    return slice_equal_cstring(value, text);
}

static enum kafka_error check_policy(const struct resolver *resolver, enum topic_setting_id id)
{
    struct topic_settings_check *check = resolver->check;
    const struct topic_setting *setting = &topic_setting_table[id];
    const struct topic_setting_range *range = topic_policy_range(check->policy, setting);
    int64_t limit = topic_policy_limit(check->policy, id);
    int64_t number = is_number(setting) ? effective_number(resolver, id) : 0;
    char default_text[SETTING_VALUE_MAX];

    topic_setting_default(setting, check->policy, check->broker_count, default_text);
    if (is_same_value(setting, resolver->values[id], default_text))
        return KAFKA_NONE;
    if (setting->is_fixed)
        return refuse_key(check, setting, default_text);
    if (check->is_internal)
        return KAFKA_NONE;
    if (limit >= 0 && (number > limit || number < 0))
        return refuse_range(check, setting, range && range->minimum > 0 ? range->minimum : 0,
                            limit);
    if (check->policy->allows_every_key)
        return KAFKA_NONE;
    if (range == NULL)
        return refuse_key(check, setting, default_text);
    if (!is_number(setting) || (number >= range->minimum && number <= range->maximum))
        return KAFKA_NONE;
    /* For ever, when something else bounds the log: Kafka Streams' repartition topics ask for it.
     */
    if (id == TOPIC_RETENTION_MS && number == -1 &&
        effective_number(resolver, TOPIC_RETENTION_BYTES) >= 0)
        return KAFKA_NONE;
    return refuse_range(check, setting, range->minimum, range->maximum);
}

/* Rules between keys, when one of them was changed. */
static enum kafka_error check_together(const struct resolver *resolver)
{
    struct topic_settings_check *check = resolver->check;
    int64_t least = effective_number(resolver, TOPIC_MIN_COMPACTION_LAG_MS);
    int64_t most = effective_number(resolver, TOPIC_MAX_COMPACTION_LAG_MS);
    bool is_lag_changed = resolver->changed[TOPIC_MIN_COMPACTION_LAG_MS] ||
                          resolver->changed[TOPIC_MAX_COMPACTION_LAG_MS];

    if (is_lag_changed && least > most) {
        snprintf(check->message, sizeof(check->message),
                 "conflict topic config setting min.compaction.lag.ms (%lld) > "
                 "max.compaction.lag.ms (%lld)",
                 (long long)least, (long long)most);
        return KAFKA_INVALID_CONFIG;
    }
    if (resolver->changed[TOPIC_CLEANUP_POLICY] && !check->policy->allows_every_key &&
        !check->is_internal && check->config.cleanup_policy == 0) {
        snprintf(check->message, sizeof(check->message),
                 "Invalid cleanup.policy specified. It must be delete, compact or compact,delete");
        return KAFKA_POLICY_VIOLATION;
    }
    if (resolver->changed[TOPIC_RETENTION_BYTES] &&
        !slice_is_null(resolver->values[TOPIC_RETENTION_MS]))
        return check_policy(resolver, TOPIC_RETENTION_MS);
    return KAFKA_NONE;
}

enum kafka_error topic_settings_check(struct topic_settings_check *check)
{
    struct resolver resolver = {.check = check};

    check->message[0] = '\0';
    for (size_t i = 0; i < check->count; i++) {
        size_t id = topic_setting_index(check->overrides[i].setting);

        resolver.values[id] = check->overrides[i].value;
        resolver.changed[id] = check->changed == NULL || check->changed[i];
    }
    for (int id = 0; id < TOPIC_SETTING_COUNT; id++) {
        enum kafka_error error = KAFKA_NONE;

        if (slice_is_null(resolver.values[id]) || !resolver.changed[id])
            continue;
        error = topic_setting_check_value(&topic_setting_table[id], resolver.values[id],
                                          check->message);
        if (error != KAFKA_NONE)
            return error;
    }
    resolve(&resolver);
    for (int id = 0; id < TOPIC_SETTING_COUNT; id++) {
        enum kafka_error error = KAFKA_NONE;

        if (slice_is_null(resolver.values[id]) || !resolver.changed[id])
            continue;
        error = check_policy(&resolver, (enum topic_setting_id)id);
        if (error != KAFKA_NONE)
            return error;
    }
    return check_together(&resolver);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Replication factor (architecture, section 6): a cell of n brokers takes -1, 1 and 3, and 2 if it has
 * two; it makes min(factor, n) real replicas and reports those. So tools that insist on 3 work in a cell
 * of one. Replicas given by hand are taken as they are, and have to be brokers of the cell. */
#include "dataplane/handlers/topic_plan.h"

#include "dataplane/cluster/reserved_storage.h"
#include "dataplane/handlers/setting_values.h"

#include <inttypes.h>

enum { DEFAULT_PARTITIONS = 1, DEFAULT_REPLICATION_FACTOR = 3 };

static void refuse(struct topic_plan *plan, enum kafka_error error, const char *message)
{
    plan->error = error;
    plan->message = message;
}

/* --- settings --- */

static bool collect_settings(const struct kafka_create_topics_request_topic *asked,
                             struct arena *arena, struct setting_values *values,
                             struct topic_plan *plan)
{
    if (!setting_values_init(values, arena)) {
        refuse(plan, KAFKA_REQUEST_TIMED_OUT, "Not enough memory for the request");
        return false;
    }
    for (int32_t i = 0; i < asked->configs.count; i++) {
        const struct kafka_create_topics_request_config *config = &asked->configs.items[i];
        const struct topic_setting *setting = topic_setting_find(config->name);

        if (setting == NULL) {
            refuse(plan, KAFKA_INVALID_CONFIG,
                   arena_printf(arena, "Unknown topic setting '" SLICE_FORMAT "'",
                                SLICE_ARG(config->name)));
            return false;
        }
        if (slice_is_null(config->value)) {
            refuse(plan, KAFKA_INVALID_CONFIG,
                   arena_printf(arena, "Setting '%s' has no value: leave it out for the default",
                                setting->name));
            return false;
        }
        setting_values_set(values, setting, config->value);
    }
    return true;
}

static void plan_settings(const struct topic_plan_limits *limits,
                          const struct kafka_create_topics_request_topic *asked,
                          struct arena *arena, struct topic_plan *plan,
                          struct log_config *ret_config)
{
    struct setting_values values;
    struct setting_overrides overrides;
    struct topic_settings_check check = {.policy = limits->policy,
                                         .broker_count = limits->broker_count};

    if (!collect_settings(asked, arena, &values, plan))
        return;
    if (!setting_values_list(&values, arena, &overrides)) {
        refuse(plan, KAFKA_REQUEST_TIMED_OUT, "Not enough memory for the request");
        return;
    }
    check.overrides = overrides.items;
    check.count = overrides.count;
    plan->error = topic_settings_check(&check);
    if (plan->error != KAFKA_NONE)
        plan->message = arena_printf(arena, "%s", check.message);
    *ret_config = check.config;
    plan->overrides = overrides.items;
    plan->override_count = overrides.count;
}

/* --- counts --- */

static void plan_counts(const struct topic_plan_limits *limits,
                        const struct kafka_create_topics_request_topic *asked, struct arena *arena,
                        struct topic_plan *plan)
{
    int32_t brokers = limits->broker_count;
    int32_t factor = asked->replication_factor;
    bool is_taken = factor == 1 || factor == 3 || (factor == 2 && brokers >= 2);

    if (factor == -1)
        factor = DEFAULT_REPLICATION_FACTOR;
    else if (!is_taken) {
        refuse(plan, KAFKA_INVALID_REPLICATION_FACTOR,
               arena_printf(arena,
                            "Replication factor %d is not possible with %d broker(s): ask for -1 "
                            "(the default), 1 or 3",
                            (int)factor, (int)brokers));
        return;
    }
    if (asked->num_partitions == 0 || asked->num_partitions < -1) {
        refuse(plan, KAFKA_INVALID_PARTITIONS,
               "The number of partitions must be larger than 0, or -1 for the default");
        return;
    }
    plan->replication_factor = factor < brokers ? factor : brokers;
    plan->add_partitions = asked->num_partitions > 0 ? asked->num_partitions : DEFAULT_PARTITIONS;
}

/* --- replicas by hand --- */

static bool is_broker(const struct topic_plan_limits *limits, int32_t id)
{
    for (int32_t i = 0; i < limits->broker_count; i++) {
        if (limits->broker_ids[i] == id)
            return true;
    }
    return false;
}

/* factor: what every partition must have; 0 = the first one decides. */
static bool take_replicas(const struct topic_plan_limits *limits,
                          const struct kafka_i32_array *brokers, int32_t *factor,
                          struct partition_assignment *ret_assignment)
{
    if (brokers->count < 1 || brokers->count > IMAGE_MAX_REPLICAS ||
        (*factor != 0 && brokers->count != *factor))
        return false;
    for (int32_t i = 0; i < brokers->count; i++) {
        if (!is_broker(limits, brokers->items[i]))
            return false;
        for (int32_t other = 0; other < i; other++) {
            if (brokers->items[other] == brokers->items[i])
                return false;
        }
        ret_assignment->replicas[i] = brokers->items[i];
    }
    ret_assignment->replica_count = brokers->count;
    *factor = brokers->count;
    return true;
}

static void refuse_replicas(struct topic_plan *plan, struct arena *arena, int32_t partition)
{
    refuse(plan, KAFKA_INVALID_REPLICA_ASSIGNMENT,
           arena_printf(arena,
                        "The replicas of partition %d must be different brokers of this cluster, "
                        "as many for each partition",
                        (int)partition));
}

static void plan_assignments(const struct topic_plan_limits *limits,
                             const struct kafka_create_topics_request_topic *asked,
                             struct arena *arena, struct topic_plan *plan)
{
    int32_t count = asked->assignments.count;
    struct partition_assignment *assignments = NULL;

    if (asked->replication_factor != -1 || asked->num_partitions != -1) {
        refuse(plan, KAFKA_INVALID_REQUEST,
               "Replicas were given by hand: the number of partitions and the replication factor "
               "must both be -1");
        return;
    }
    assignments = count <= TOPIC_PLAN_MAX_PARTITIONS
                      ? arena_new_array(arena, (size_t)count, struct partition_assignment)
                      : NULL;
    if (assignments == NULL) {
        refuse(plan, KAFKA_POLICY_VIOLATION, "Too many partitions in one request");
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        const struct kafka_create_topics_request_assignment *item = &asked->assignments.items[i];
        int32_t partition = item->partition_index;

        if (partition < 0 || partition >= count || assignments[partition].replica_count != 0) {
            refuse(plan, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                   "Partitions must be numbered from 0 on, each once");
            return;
        }
        if (!take_replicas(limits, &item->broker_ids, &plan->replication_factor,
                           &assignments[partition])) {
            refuse_replicas(plan, arena, partition);
            return;
        }
    }
    plan->assignments = assignments;
    plan->add_partitions = count;
}

/* --- limits --- */

const char *partition_limit_message(struct arena *arena, struct slice topic, int64_t requested,
                                    int64_t current, int64_t maximum)
{
    return arena_printf(arena,
                        "%" PRId64 " partitions for topic '" SLICE_FORMAT
                        "' are too many: the maximum of this service instance is %" PRId64
                        " and it has %" PRId64 ". Ask for fewer, delete topics, or change the plan",
                        requested, SLICE_ARG(topic), maximum, current);
}

const char *storage_limit_message(struct arena *arena, struct slice topic, int64_t current,
                                  int64_t maximum)
{
    return arena_printf(arena,
                        "The reserved storage limit is reached: with topic '" SLICE_FORMAT
                        "' more than %" PRId64 " bytes would be reserved, 90 %% of the storage of "
                        "this service instance, and it has %" PRId64
                        " reserved. Lower retention.bytes or segment.bytes, ask for fewer "
                        "partitions, delete topics, or add storage",
                        SLICE_ARG(topic), maximum, current);
}

/* config: of each of the partitions to be added. */
static void check_limits(struct topic_plan_limits *limits, struct slice name,
                         const struct log_config *config, struct arena *arena,
                         struct topic_plan *plan)
{
    int64_t add = plan->add_partitions;
    int64_t reserved = reserved_storage_sum(
        limits->reserved, reserved_storage_product(reserved_storage_bytes(config), add));

    if (limits->max_partitions >= 0 && limits->partitions + add > limits->max_partitions) {
        refuse(
            plan, KAFKA_POLICY_VIOLATION,
            partition_limit_message(arena, name, add, limits->partitions, limits->max_partitions));
        return;
    }
    if (limits->planned + add > TOPIC_PLAN_MAX_PARTITIONS) {
        refuse(plan, KAFKA_POLICY_VIOLATION,
               arena_printf(arena,
                            "%d partitions for topic '" SLICE_FORMAT
                            "' are too many for one request, which may ask for %d in all",
                            (int)add, SLICE_ARG(name), TOPIC_PLAN_MAX_PARTITIONS));
        return;
    }
    if (limits->max_reserved >= 0 && reserved > limits->max_reserved) {
        refuse(plan, KAFKA_POLICY_VIOLATION,
               storage_limit_message(arena, name, limits->reserved, limits->max_reserved));
        return;
    }
    limits->reserved = reserved;
    limits->partitions += add;
    limits->planned += add;
}

void topic_plan_create(struct topic_plan_limits *limits,
                       const struct kafka_create_topics_request_topic *asked, struct arena *arena,
                       struct topic_plan *ret_plan)
{
    struct log_config config;

    memset(&config, 0, sizeof(config));
    memset(ret_plan, 0, sizeof(*ret_plan));
    if (asked->assignments.count > 0)
        plan_assignments(limits, asked, arena, ret_plan);
    else
        plan_counts(limits, asked, arena, ret_plan);
    if (ret_plan->error == KAFKA_NONE)
        plan_settings(limits, asked, arena, ret_plan, &config);
    if (ret_plan->error == KAFKA_NONE)
        check_limits(limits, asked->name, &config, arena, ret_plan);
}

/* --- more partitions --- */

static void plan_added_replicas(const struct topic_plan_limits *limits,
                                const struct image_topic *topic,
                                const struct kafka_create_partitions_request_topic *asked,
                                struct arena *arena, struct topic_plan *plan)
{
    int32_t count = asked->assignments.count;
    struct partition_assignment *assignments = NULL;

    if (count != plan->add_partitions) {
        refuse(plan, KAFKA_INVALID_REPLICA_ASSIGNMENT,
               arena_printf(arena, "%d partition(s) are to be added, replicas were given for %d",
                            (int)plan->add_partitions, (int)count));
        return;
    }
    assignments = arena_new_array(arena, (size_t)count, struct partition_assignment);
    if (assignments == NULL) {
        refuse(plan, KAFKA_REQUEST_TIMED_OUT, "Not enough memory for the request");
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        if (!take_replicas(limits, &asked->assignments.items[i].broker_ids,
                           &plan->replication_factor, &assignments[i])) {
            refuse_replicas(plan, arena, topic->partition_count + i);
            return;
        }
    }
    plan->assignments = assignments;
}

void topic_plan_grow(struct topic_plan_limits *limits, const struct image_topic *topic,
                     const struct kafka_create_partitions_request_topic *asked, struct arena *arena,
                     struct topic_plan *ret_plan)
{
    int32_t current = topic->partition_count;

    memset(ret_plan, 0, sizeof(*ret_plan));
    if (asked->count <= current) {
        refuse(ret_plan, KAFKA_INVALID_PARTITIONS,
               asked->count == current
                   ? arena_printf(arena, "The topic has %d partition(s) already", (int)current)
                   : arena_printf(arena,
                                  "The topic has %d partition(s): %d would not be an increase",
                                  (int)current, (int)asked->count));
        return;
    }
    ret_plan->add_partitions = asked->count - current;
    ret_plan->replication_factor = current > 0 ? topic->partitions[0].replica_count : 0;
    if (asked->assignments.count >= 0)
        plan_added_replicas(limits, topic, asked, arena, ret_plan);
    if (ret_plan->error == KAFKA_NONE)
        check_limits(limits, topic->name, &topic->config, arena, ret_plan);
}

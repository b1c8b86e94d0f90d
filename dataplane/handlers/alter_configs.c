/* SPDX-License-Identifier: Apache-2.0 */
/* IncrementalAlterConfigs, and AlterConfigs, which replaces all that was set.
 *
 *   read ─▶ bring both into one form ─▶ decide each resource (setting_edits) ─▶ dry run, or no change?
 *                                          ──yes──▶ answer
 *                                          └─no─▶ cluster_submit ──done──▶ answer
 *
 * Only topics have settings that can be changed. What the broker shows of itself is the service's. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/alter_configs_request.h"
#include "common/kafka/alter_configs_response.h"
#include "common/kafka/incremental_alter_configs_request.h"
#include "common/kafka/incremental_alter_configs_response.h"
#include "dataplane/cluster/reserved_storage.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/config_resource.h"
#include "dataplane/handlers/setting_edits.h"
#include "dataplane/handlers/topic_change.h"
#include "dataplane/handlers/topic_lookup.h"
#include "dataplane/handlers/topic_plan.h"

struct altered {
    int8_t type;
    struct slice name;
    struct setting_edits edits;
    enum kafka_error error;
    const char *message;
    struct topic_request *change; /* NULL = nothing to do, or refused */
};

struct alter_configs {
    struct request *request;
    void (*reply)(struct alter_configs *alter);
    bool validate_only;
    struct altered *items; /* answered in this order; a resource given twice is there once */
    int32_t count;
    struct topic_request *changes;
    size_t change_count;
    struct cluster_request change;
    int64_t max_reserved; /* bytes of disk that the topics may reserve, -1 = no bound */
    int64_t reserved;     /* now, the changes before this one included */
};

static void refuse(struct altered *item, enum kafka_error error, const char *message)
{
    item->error = error;
    item->message = message;
}

/* --- deciding --- */

/* Settings may make a topic reserve more than there is. */
static bool reserve(struct alter_configs *alter, const struct image_topic *topic,
                    const struct setting_change *change)
{
    int64_t before =
        reserved_storage_product(reserved_storage_bytes(&topic->config), topic->partition_count);
    int64_t after =
        reserved_storage_product(reserved_storage_bytes(&change->config), topic->partition_count);
    int64_t sum = reserved_storage_sum(alter->reserved - before, after);

    if (alter->max_reserved >= 0 && after > before && sum > alter->max_reserved)
        return false;
    alter->reserved = sum;
    return true;
}

static void decide_topic(struct alter_configs *alter, const struct image_tenant *tenant,
                         struct altered *item)
{
    struct request *request = alter->request;
    const struct image_topic *topic = topic_lookup_by_name(request, item->name);
    const char *bad_name = topic_name_check(item->name, TOPIC_NAME_MAX);
    struct setting_change change;

    if (!request_may(request, ACCESS_MANAGE_TOPICS)) {
        refuse(item, KAFKA_TOPIC_AUTHORIZATION_FAILED, REFUSED_TOPIC_CHANGE);
        return;
    }
    if (topic == NULL) {
        refuse(item,
               bad_name != NULL ? KAFKA_INVALID_TOPIC_EXCEPTION : KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
               bad_name != NULL ? bad_name : "There is no such topic");
        return;
    }
    if (topic->is_internal) {
        refuse(item, KAFKA_TOPIC_AUTHORIZATION_FAILED,
               "Settings of the service's own topics cannot be changed");
        return;
    }
    setting_edits_decide(&item->edits, topic, &tenant->policy,
                         (int32_t)image_broker_count(request->broker->image), &request->arena,
                         &change);
    refuse(item, change.error, change.message);
    if (change.error != KAFKA_NONE || change.set_count + change.remove_count == 0)
        return;
    if (!reserve(alter, topic, &change)) {
        refuse(item, KAFKA_POLICY_VIOLATION,
               storage_limit_message(&request->arena, topic->name, alter->reserved,
                                     alter->max_reserved));
        return;
    }
    item->change = &alter->changes[alter->change_count++];
    *item->change = (struct topic_request){
        .topic_id = topic->topic_id,
        .name = item->name,
        .set = change.set,
        .set_count = change.set_count,
        .remove = change.remove,
        .remove_count = change.remove_count,
    };
}

static void decide(struct alter_configs *alter, const struct image_tenant *tenant,
                   struct altered *item)
{
    switch (item->type) {
    case CONFIG_RESOURCE_TOPIC:
        decide_topic(alter, tenant, item);
        return;
    case CONFIG_RESOURCE_BROKER:
    case CONFIG_RESOURCE_BROKER_LOGGER:
    case CONFIG_RESOURCE_CLIENT_METRICS:
    case CONFIG_RESOURCE_GROUP:
        refuse(item, KAFKA_CLUSTER_AUTHORIZATION_FAILED,
               "Only settings of topics can be changed; the rest is the service's");
        return;
    default:
        refuse(item, KAFKA_INVALID_REQUEST, "Unknown resource type");
    }
}

static void answer(struct alter_configs *alter)
{
    alter->reply(alter);
}

static void on_changed(struct cluster_request *change)
{
    struct alter_configs *alter = container_of(change, struct alter_configs, change);

    for (int32_t i = 0; i < alter->count; i++) {
        struct altered *item = &alter->items[i];

        if (item->change != NULL)
            item->error =
                topic_change_result(change, item->change, KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
                                    &alter->request->arena, &item->message);
    }
    answer(alter);
}

static void run(struct alter_configs *alter)
{
    struct request *request = alter->request;
    const struct image_tenant *tenant = request_tenant(request);

    alter->changes = arena_new_array(&request->arena, (size_t)alter->count, struct topic_request);
    if (tenant == NULL || alter->changes == NULL) {
        request_fail_no_room(request);
        return;
    }
    alter->max_reserved = reserved_storage_limit(tenant->limits.storage_bytes);
    alter->reserved = reserved_storage_of(request->broker->image, tenant);
    for (int32_t i = 0; i < alter->count; i++) {
        if (alter->items[i].error == KAFKA_NONE)
            decide(alter, tenant, &alter->items[i]);
    }
    if (alter->validate_only || alter->change_count == 0) {
        answer(alter);
        return;
    }
    topic_change_submit(request, &alter->change, META_ALTER_CONFIGS, alter->changes,
                        alter->change_count, TOPIC_CHANGE_WAIT_MS, on_changed);
}

/* --- one form for both --- */

static struct alter_configs *begin(struct request *request, void (*reply)(struct alter_configs *))
{
    struct alter_configs *alter = arena_new(&request->arena, struct alter_configs);

    if (alter == NULL)
        return NULL;
    alter->request = request;
    alter->reply = reply;
    return alter;
}

/* Room for `count` resources; false = no memory. */
static bool make_items(struct alter_configs *alter, int32_t count)
{
    request_make_room(alter->request, ANSWER_ROOM_WAITING_BYTES);
    alter->items = arena_new_array(&alter->request->arena, (size_t)count, struct altered);
    return alter->items != NULL;
}

/* Adds one, or marks the one that is there already as given twice. */
static bool add_item(struct alter_configs *alter, struct name_set *seen, const struct altered *item)
{
    struct name_entry *entry = config_resource_add(seen, item->type, item->name);

    if (entry == NULL)
        return false;
    if (entry->count > 1) {
        refuse(&alter->items[entry->index], KAFKA_INVALID_REQUEST,
               "Each resource must appear at most once.");
        return true;
    }
    entry->index = alter->count;
    alter->items[alter->count++] = *item;
    return true;
}

static bool take_incremental(struct alter_configs *alter, struct name_set *seen,
                             const struct kafka_incremental_alter_configs_request *body)
{
    for (int32_t i = 0; i < body->resources.count; i++) {
        const struct kafka_incremental_alter_configs_request_resource *resource =
            &body->resources.items[i];
        struct setting_edit *edits = arena_new_array(
            &alter->request->arena, (size_t)resource->configs.count, struct setting_edit);
        struct altered item = {.type = resource->resource_type, .name = resource->resource_name};

        if (edits == NULL)
            return false;
        for (int32_t k = 0; k < resource->configs.count; k++)
            edits[k] = (struct setting_edit){resource->configs.items[k].name,
                                             resource->configs.items[k].config_operation,
                                             resource->configs.items[k].value};
        item.edits = (struct setting_edits){edits, resource->configs.count, false};
        if (!add_item(alter, seen, &item))
            return false;
    }
    return true;
}

static bool take_full(struct alter_configs *alter, struct name_set *seen,
                      const struct kafka_alter_configs_request *body)
{
    for (int32_t i = 0; i < body->resources.count; i++) {
        const struct kafka_alter_configs_request_resource *resource = &body->resources.items[i];
        struct setting_edit *edits = arena_new_array(
            &alter->request->arena, (size_t)resource->configs.count, struct setting_edit);
        struct altered item = {.type = resource->resource_type, .name = resource->resource_name};

        if (edits == NULL)
            return false;
        for (int32_t k = 0; k < resource->configs.count; k++)
            edits[k] = (struct setting_edit){resource->configs.items[k].name, SETTING_SET,
                                             resource->configs.items[k].value};
        item.edits = (struct setting_edits){edits, resource->configs.count, true};
        if (!add_item(alter, seen, &item))
            return false;
    }
    return true;
}

/* --- IncrementalAlterConfigs --- */

static void reply_incremental(struct alter_configs *alter)
{
    struct kafka_incremental_alter_configs_response response;

    kafka_incremental_alter_configs_response_init_defaults(&response);
    response.throttle_time_ms = alter->request->throttle_time_ms;
    if (kafka_incremental_alter_configs_response_resource_array_init(
            &response.responses, &alter->request->arena, alter->count) != ERR_OK) {
        request_fail_no_room(alter->request);
        return;
    }
    for (int32_t i = 0; i < alter->count; i++) {
        response.responses.items[i].error_code = (int16_t)alter->items[i].error;
        response.responses.items[i].error_message = slice_from_cstring(alter->items[i].message);
        response.responses.items[i].resource_type = alter->items[i].type;
        response.responses.items[i].resource_name = alter->items[i].name;
    }
    request_reply(alter->request, kafka_incremental_alter_configs_response, &response);
}

void handle_incremental_alter_configs(struct request *request)
{
    struct alter_configs *alter = begin(request, reply_incremental);
    struct kafka_incremental_alter_configs_request body;
    struct name_set seen;
    bool ok = false;

    if (alter == NULL) {
        request_fail_no_room(request);
        return;
    }
    if (!request_read(request, kafka_incremental_alter_configs_request, &body))
        return;
    alter->validate_only = body.validate_only;
    name_set_init(&seen, request->broker->seed, &request->arena);
    ok = make_items(alter, body.resources.count) && take_incremental(alter, &seen, &body);
    name_set_done(&seen);
    if (ok)
        run(alter);
    else
        request_fail_no_room(request);
}

/* --- AlterConfigs --- */

static void reply_full(struct alter_configs *alter)
{
    struct kafka_alter_configs_response response;

    kafka_alter_configs_response_init_defaults(&response);
    response.throttle_time_ms = alter->request->throttle_time_ms;
    if (kafka_alter_configs_response_resource_array_init(
            &response.responses, &alter->request->arena, alter->count) != ERR_OK) {
        request_fail_no_room(alter->request);
        return;
    }
    for (int32_t i = 0; i < alter->count; i++) {
        response.responses.items[i].error_code = (int16_t)alter->items[i].error;
        response.responses.items[i].error_message = slice_from_cstring(alter->items[i].message);
        response.responses.items[i].resource_type = alter->items[i].type;
        response.responses.items[i].resource_name = alter->items[i].name;
    }
    request_reply(alter->request, kafka_alter_configs_response, &response);
}

void handle_alter_configs(struct request *request)
{
    struct alter_configs *alter = begin(request, reply_full);
    struct kafka_alter_configs_request body;
    struct name_set seen;
    bool ok = false;

    if (alter == NULL) {
        request_fail_no_room(request);
        return;
    }
    if (!request_read(request, kafka_alter_configs_request, &body))
        return;
    alter->validate_only = body.validate_only;
    name_set_init(&seen, request->broker->seed, &request->arena);
    ok = make_items(alter, body.resources.count) && take_full(alter, &seen, &body);
    name_set_done(&seen);
    if (ok)
        run(alter);
    else
        request_fail_no_room(request);
}

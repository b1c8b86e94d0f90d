/* SPDX-License-Identifier: Apache-2.0 */
/* CreateTopics.
 *
 *   read ─▶ decide each topic (here and in topic_plan) ─▶ dry run, or none left? ──yes──▶ answer
 *                                                          └─no─▶ cluster_submit ──done──▶ answer
 *
 * Order of the checks: twice in the request (refused once, nothing made), role, name, exists, replicas and
 * counts, settings, limits. One topic's failure does not touch the others. What is answered as made is
 * known to every loop of this broker. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/create_topics_request.h"
#include "common/kafka/create_topics_response.h"
#include "dataplane/dispatch/throttle.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/config_view.h"
#include "dataplane/handlers/name_set.h"
#include "dataplane/handlers/plan_limits.h"
#include "dataplane/handlers/topic_change.h"
#include "dataplane/handlers/topic_lookup.h"

struct create_topics {
    struct request *request;
    struct kafka_create_topics_request body;
    struct kafka_create_topics_response response; /* one topic a name */
    struct topic_plan *plans;                     /* by index in response.topics */
    struct topic_plan_limits limits;
    struct topic_request *changes; /* of those whose plan is good, in the same order */
    size_t change_count;
    struct cluster_request change;
};

static void set_error(struct kafka_create_topics_response_topic *entry, enum kafka_error error,
                      const char *message)
{
    entry->error_code = (int16_t)error;
    entry->error_message = slice_from_cstring(message);
}

/* --- deciding --- */

/* Kafka's metric names have '_' for '.', so two names that differ in these only are one to it. */
static bool collides(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        uint8_t left = a.data[i] == '.' ? '_' : a.data[i];
        uint8_t right = b.data[i] == '.' ? '_' : b.data[i];

        if (left != right)
            return false;
    }
    return true;
}

static const struct image_topic *find_collision(const struct request *request, struct slice name)
{
    const struct image *image = request->broker->image;
    size_t count = image_topic_count(image, request_instance(request));

    if (memchr(name.data, '.', name.len) == NULL && memchr(name.data, '_', name.len) == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const struct image_topic *topic = image_topic_at(image, request_instance(request), i);

        if (collides(name, topic->name))
            return topic;
    }
    return NULL;
}

/* NONE, or why the name cannot be made. */
static enum kafka_error check_name(struct request *request, struct slice name,
                                   const char **ret_message)
{
    const struct image_topic *other = NULL;

    if (!request_may(request, ACCESS_MANAGE_TOPICS)) {
        *ret_message = REFUSED_TOPIC_CHANGE;
        return KAFKA_TOPIC_AUTHORIZATION_FAILED;
    }
    *ret_message = topic_name_check(name, TOPIC_NAME_CLIENT_MAX);
    if (*ret_message != NULL)
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    if (image_topic_by_name(request->broker->image, request_instance(request), name) != NULL) {
        *ret_message = arena_printf(&request->arena, "Topic '" SLICE_FORMAT "' already exists.",
                                    SLICE_ARG(name));
        return KAFKA_TOPIC_ALREADY_EXISTS;
    }
    if (topic_name_is_reserved(name)) {
        *ret_message = "The name is reserved for a topic of the service itself";
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    }
    other = find_collision(request, name);
    if (other == NULL)
        return KAFKA_NONE;
    *ret_message = arena_printf(
        &request->arena, "Topic '" SLICE_FORMAT "' collides with existing topic: " SLICE_FORMAT,
        SLICE_ARG(name), SLICE_ARG(other->name));
    return KAFKA_INVALID_TOPIC_EXCEPTION;
}

static void decide_topic(struct create_topics *create,
                         const struct kafka_create_topics_request_topic *asked,
                         struct kafka_create_topics_response_topic *entry, struct topic_plan *plan)
{
    const char *message = NULL;
    enum kafka_error error = check_name(create->request, asked->name, &message);

    if (error == KAFKA_NONE) {
        topic_plan_create(&create->limits, asked, &create->request->arena, plan);
        error = plan->error;
        message = plan->message;
    }
    if (error == KAFKA_NONE && !create->body.validate_only &&
        !throttle_mutation(create->request, plan->add_partitions, create->request->version >= 6)) {
        error = KAFKA_THROTTLING_QUOTA_EXCEEDED;
        message = TOPIC_CHANGE_THROTTLED;
    }
    set_error(entry, error, message);
    if (error != KAFKA_NONE)
        return;
    create->changes[create->change_count++] = (struct topic_request){
        .name = asked->name,
        .add_partitions = plan->add_partitions,
        .replication_factor = plan->replication_factor,
        .assignments = plan->assignments,
        .set = plan->overrides,
        .set_count = plan->override_count,
    };
}

/* False = no memory. */
static bool decide_all(struct create_topics *create, struct name_set *names)
{
    struct kafka_create_topics_response_topic_array *topics = &create->response.topics;

    for (int32_t i = 0; i < create->body.topics.count; i++) {
        if (name_set_add(names, create->body.topics.items[i].name) == NULL)
            return false;
    }
    for (int32_t i = 0; i < create->body.topics.count; i++) {
        const struct kafka_create_topics_request_topic *asked = &create->body.topics.items[i];
        struct name_entry *name = name_set_find(names, asked->name);
        int32_t at = topics->count;

        if (name->is_answered)
            continue;
        name->is_answered = true;
        topics->count++;
        topics->items[at].name = asked->name;
        if (name->count > 1)
            set_error(&topics->items[at], KAFKA_INVALID_REQUEST, "Duplicate topic name.");
        else
            decide_topic(create, asked, &topics->items[at], &create->plans[at]);
    }
    return true;
}

static bool decide(struct create_topics *create)
{
    struct request *request = create->request;
    size_t count = (size_t)create->body.topics.count;
    struct name_set names;
    bool ok = false;

    create->plans = arena_new_array(&request->arena, count, struct topic_plan);
    create->changes = arena_new_array(&request->arena, count, struct topic_request);
    if (create->plans == NULL || create->changes == NULL ||
        !plan_limits_make(request, &create->limits) ||
        kafka_create_topics_response_topic_array_init(&create->response.topics, &request->arena,
                                                      create->body.topics.count) != ERR_OK)
        return false;
    create->response.topics.count = 0;
    name_set_init(&names, request->broker->seed, &request->arena);
    ok = decide_all(create, &names);
    name_set_done(&names);
    return ok;
}

/* --- answering --- */

static bool fill_configs(const struct topic_plan *plan, const struct topic_policy *policy,
                         const struct config_default *defaults, struct config_view *views,
                         struct arena *arena, struct kafka_create_topics_response_topic *entry)
{
    size_t count = topic_setting_count();

    if (kafka_create_topics_response_config_array_init(&entry->configs, arena, (int32_t)count) !=
        ERR_OK)
        return false;
    config_views_fill(defaults, policy, plan->overrides, plan->override_count, views);
    for (size_t i = 0; i < count; i++) {
        struct kafka_create_topics_response_config *config = &entry->configs.items[i];

        config->name = slice_from_cstring(views[i].setting->name);
        config->value = views[i].value;
        config->config_source = (int8_t)views[i].source;
        config->read_only = views[i].is_read_only;
    }
    return true;
}

/* Numbers and settings of the topics that were made (or would be). */
static bool describe_made(struct create_topics *create, const struct image_tenant *tenant)
{
    struct request *request = create->request;
    struct config_default *defaults =
        config_defaults_make(&tenant->policy, create->limits.broker_count, &request->arena);
    struct config_view *views =
        arena_new_array(&request->arena, topic_setting_count(), struct config_view);

    if (defaults == NULL || views == NULL)
        return false;
    for (int32_t i = 0; i < create->response.topics.count; i++) {
        struct kafka_create_topics_response_topic *entry = &create->response.topics.items[i];

        if (entry->error_code != KAFKA_NONE)
            continue;
        entry->num_partitions = create->plans[i].add_partitions;
        entry->replication_factor = (int16_t)create->plans[i].replication_factor;
        if (!fill_configs(&create->plans[i], &tenant->policy, defaults, views, &request->arena,
                          entry))
            return false;
    }
    return true;
}

static void answer(struct create_topics *create)
{
    struct request *request = create->request;
    const struct image_tenant *tenant = request_tenant(request);

    if (tenant == NULL) {
        request_fail(request, "instance is gone or suspended");
        return;
    }
    if (request->version >= 5 && !describe_made(create, tenant)) {
        request_fail_no_room(request);
        return;
    }
    create->response.throttle_time_ms = request->throttle_time_ms;
    request_reply(request, kafka_create_topics_response, &create->response);
}

/* The changes are in the order of the entries whose plan was good. */
static void on_changed(struct cluster_request *change)
{
    struct create_topics *create = container_of(change, struct create_topics, change);
    size_t next = 0;

    for (int32_t i = 0; i < create->response.topics.count; i++) {
        struct kafka_create_topics_response_topic *entry = &create->response.topics.items[i];
        const struct topic_request *topic = &create->changes[next];
        const char *message = NULL;
        enum kafka_error error = KAFKA_NONE;

        if (entry->error_code != KAFKA_NONE)
            continue;
        next++;
        error = topic_change_result(change, topic, KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
                                    &create->request->arena, &message);
        set_error(entry, error, message);
        if (error == KAFKA_NONE)
            entry->topic_id = topic->topic_id;
    }
    answer(create);
}

void handle_create_topics(struct request *request)
{
    struct create_topics *create = arena_new(&request->arena, struct create_topics);

    if (create == NULL) {
        request_fail_no_room(request);
        return;
    }
    create->request = request;
    if (!request_read(request, kafka_create_topics_request, &create->body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    kafka_create_topics_response_init_defaults(&create->response);
    if (!decide(create)) {
        request_fail_no_room(request);
        return;
    }
    if (create->body.validate_only || create->change_count == 0) {
        answer(create);
        return;
    }
    topic_change_submit(request, &create->change, META_CREATE_TOPICS, create->changes,
                        create->change_count, create->body.timeout_ms, on_changed);
}

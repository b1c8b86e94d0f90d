/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeConfigs: topics, and this broker. Answered from the image, within the turn.
 *
 * All settings are shown, defaults too: Schema Registry and Connect do not start without them. Loggers,
 * client metrics and groups have no settings here, and are shown with none. A resource asked for twice is
 * answered once. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/describe_configs_request.h"
#include "common/kafka/describe_configs_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/broker_settings.h"
#include "dataplane/handlers/config_resource.h"
#include "dataplane/handlers/name_set.h"
#include "dataplane/handlers/topic_lookup.h"

#include <stdio.h>

enum { MAX_SYNONYMS = 3 };

struct describe_configs {
    struct request *request;
    struct kafka_describe_configs_request body;
    struct kafka_describe_configs_response response;
    const struct image_tenant *tenant;
    struct config_default *defaults;
    struct config_view *views; /* of the topic at hand */
    bool *is_wanted;           /* settings of the topic at hand, by index */
};

static void set_error(struct kafka_describe_configs_response_resource *entry,
                      enum kafka_error error, const char *message)
{
    entry->error_code = (int16_t)error;
    entry->error_message = slice_from_cstring(message);
}

static bool wants_all_keys(const struct kafka_describe_configs_request_resource *asked)
{
    return asked->configuration_keys.count <= 0;
}

static void add_synonym(struct kafka_describe_configs_response_config *config, const char *name,
                        struct slice value, enum config_source source)
{
    struct kafka_describe_configs_response_synonym *synonym =
        &config->synonyms.items[config->synonyms.count++];

    synonym->name = slice_from_cstring(name);
    synonym->value = value;
    synonym->source = (int8_t)source;
}

/* Room for synonyms, when they were asked for; none are in it yet. */
static bool begin_synonyms(struct describe_configs *describe,
                           struct kafka_describe_configs_response_config *config)
{
    if (kafka_describe_configs_response_synonym_array_init(
            &config->synonyms, &describe->request->arena, MAX_SYNONYMS) != ERR_OK)
        return false;
    config->synonyms.count = 0;
    return true;
}

/* --- topics --- */

static bool add_topic_synonyms(struct describe_configs *describe, const struct config_view *view,
                               const struct config_default *fallback,
                               struct kafka_describe_configs_response_config *config)
{
    const char *broker_name = view->setting->broker_synonyms[0];

    if (!begin_synonyms(describe, config))
        return false;
    if (view->source == CONFIG_SOURCE_TOPIC)
        add_synonym(config, view->setting->name, view->value, view->source);
    if (broker_name == NULL)
        return true;
    if (fallback->source == CONFIG_SOURCE_STATIC_BROKER)
        add_synonym(config, broker_name, fallback->value, fallback->source);
    add_synonym(config, broker_name, fallback->kafka_value, CONFIG_SOURCE_DEFAULT);
    return true;
}

static bool add_topic_config(struct describe_configs *describe, size_t index,
                             struct kafka_describe_configs_response_config *config)
{
    const struct config_view *view = &describe->views[index];

    config->name = slice_from_cstring(view->setting->name);
    config->value = view->value;
    config->read_only = view->is_read_only;
    config->config_source = (int8_t)view->source;
    config->config_type = (int8_t)view->setting->type;
    if (describe->body.include_documentation)
        config->documentation = slice_from_cstring(view->setting->documentation);
    return !describe->body.include_synonyms ||
           add_topic_synonyms(describe, view, &describe->defaults[index], config);
}

/* Which settings were asked for; returns how many. */
static size_t mark_wanted(struct describe_configs *describe,
                          const struct kafka_describe_configs_request_resource *asked)
{
    size_t wanted = 0;

    for (size_t i = 0; i < topic_setting_count(); i++)
        describe->is_wanted[i] = wants_all_keys(asked);
    for (int32_t i = 0; i < asked->configuration_keys.count; i++) {
        const struct topic_setting *setting =
            topic_setting_find(asked->configuration_keys.items[i]);

        if (setting != NULL)
            describe->is_wanted[topic_setting_index(setting)] = true;
    }
    for (size_t i = 0; i < topic_setting_count(); i++)
        wanted += describe->is_wanted[i];
    return wanted;
}

static bool describe_topic(struct describe_configs *describe,
                           const struct kafka_describe_configs_request_resource *asked,
                           struct kafka_describe_configs_response_resource *entry)
{
    const struct image_topic *topic = topic_lookup_by_name(describe->request, asked->resource_name);
    const char *bad_name = topic_name_check(asked->resource_name, TOPIC_NAME_MAX);
    size_t wanted = mark_wanted(describe, asked);

    if (topic == NULL) {
        set_error(entry,
                  bad_name != NULL ? KAFKA_INVALID_TOPIC_EXCEPTION
                                   : KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
                  bad_name != NULL ? bad_name : "There is no such topic");
        return true;
    }
    if (kafka_describe_configs_response_config_array_init(
            &entry->configs, &describe->request->arena, (int32_t)wanted) != ERR_OK)
        return false;
    config_views_fill(describe->defaults, &describe->tenant->policy, topic->overrides,
                      topic->override_count, describe->views);
    entry->configs.count = 0;
    for (size_t i = 0; i < topic_setting_count(); i++) {
        if (describe->is_wanted[i] &&
            !add_topic_config(describe, i, &entry->configs.items[entry->configs.count++]))
            return false;
    }
    return true;
}

/* --- this broker --- */

static bool add_broker_config(struct describe_configs *describe,
                              const struct broker_setting *setting,
                              struct kafka_describe_configs_response_config *config)
{
    config->name = slice_from_cstring(setting->name);
    config->value = setting->value;
    config->read_only = true;
    config->config_source = (int8_t)setting->source;
    config->config_type = (int8_t)setting->type;
    if (describe->body.include_documentation)
        config->documentation = slice_from_cstring(setting->documentation);
    if (!describe->body.include_synonyms)
        return true;
    if (!begin_synonyms(describe, config))
        return false;
    if (setting->source == CONFIG_SOURCE_STATIC_BROKER)
        add_synonym(config, setting->name, setting->value, setting->source);
    if (!slice_is_null(setting->kafka_value))
        add_synonym(config, setting->name, setting->kafka_value, CONFIG_SOURCE_DEFAULT);
    return true;
}

static bool is_key_wanted(const struct kafka_describe_configs_request_resource *asked,
                          const char *name)
{
    for (int32_t i = 0; i < asked->configuration_keys.count; i++) {
        if (slice_equal_cstring(asked->configuration_keys.items[i], name))
            return true;
    }
    return wants_all_keys(asked);
}

static bool describe_broker(struct describe_configs *describe,
                            const struct kafka_describe_configs_request_resource *asked,
                            struct kafka_describe_configs_response_resource *entry)
{
    struct broker_setting_list settings;

    if (asked->resource_name.len == 0)
        return true; /* the cluster-wide settings made at run time: there are none */
    if (!config_resource_is_broker(asked->resource_name, describe->request->broker->broker_id)) {
        set_error(entry, KAFKA_INVALID_REQUEST,
                  arena_printf(&describe->request->arena,
                               "Unexpected broker id, expected %d or empty string",
                               (int)describe->request->broker->broker_id));
        return true;
    }
    if (!broker_settings_make(describe->request, &settings) ||
        kafka_describe_configs_response_config_array_init(
            &entry->configs, &describe->request->arena, (int32_t)settings.count) != ERR_OK)
        return false;
    entry->configs.count = 0;
    for (size_t i = 0; i < settings.count; i++) {
        if (is_key_wanted(asked, settings.items[i].name) &&
            !add_broker_config(describe, &settings.items[i],
                               &entry->configs.items[entry->configs.count++]))
            return false;
    }
    return true;
}

/* --- the answer --- */

static bool describe_resource(struct describe_configs *describe,
                              const struct kafka_describe_configs_request_resource *asked,
                              struct kafka_describe_configs_response_resource *entry)
{
    entry->resource_type = asked->resource_type;
    entry->resource_name = asked->resource_name;
    switch (asked->resource_type) {
    case CONFIG_RESOURCE_TOPIC:
        return describe_topic(describe, asked, entry);
    case CONFIG_RESOURCE_BROKER:
        return describe_broker(describe, asked, entry);
    case CONFIG_RESOURCE_BROKER_LOGGER:
    case CONFIG_RESOURCE_CLIENT_METRICS:
    case CONFIG_RESOURCE_GROUP:
        return true;
    default:
        set_error(entry, KAFKA_INVALID_REQUEST, "Unknown resource type");
        return true;
    }
}

static bool describe_all(struct describe_configs *describe)
{
    struct kafka_describe_configs_response_resource_array *results = &describe->response.results;
    struct name_set seen;
    bool ok = true;

    name_set_init(&seen, describe->request->broker->seed, &describe->request->arena);
    for (int32_t i = 0; ok && i < describe->body.resources.count; i++) {
        const struct kafka_describe_configs_request_resource *asked =
            &describe->body.resources.items[i];
        const struct name_entry *entry =
            config_resource_add(&seen, asked->resource_type, asked->resource_name);

        if (entry == NULL)
            ok = false;
        else if (entry->count == 1)
            ok = describe_resource(describe, asked, &results->items[results->count++]);
    }
    name_set_done(&seen);
    return ok;
}

static bool prepare(struct describe_configs *describe)
{
    struct request *request = describe->request;
    struct arena *arena = &request->arena;
    int32_t brokers = (int32_t)image_broker_count(request->broker->image);

    describe->tenant = request_tenant(request);
    if (describe->tenant == NULL)
        return false;
    describe->defaults = config_defaults_make(&describe->tenant->policy, brokers, arena);
    describe->views = arena_new_array(arena, topic_setting_count(), struct config_view);
    describe->is_wanted = arena_new_array(arena, topic_setting_count(), bool);
    if (describe->defaults == NULL || describe->views == NULL || describe->is_wanted == NULL ||
        kafka_describe_configs_response_resource_array_init(
            &describe->response.results, arena, describe->body.resources.count) != ERR_OK)
        return false;
    describe->response.results.count = 0;
    return true;
}

void handle_describe_configs(struct request *request)
{
    struct describe_configs describe = {.request = request};

    if (!request_read(request, kafka_describe_configs_request, &describe.body))
        return;
    request_make_room(request, ANSWER_ROOM_BYTES);
    kafka_describe_configs_response_init_defaults(&describe.response);
    if (!prepare(&describe) || !describe_all(&describe)) {
        request_fail_no_room(request);
        return;
    }
    describe.response.throttle_time_ms = request->throttle_time_ms;
    request_reply(request, kafka_describe_configs_response, &describe.response);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Four kinds: what differs by broker, listener and instance; the limits of groups; what is the same
 * everywhere (a table); and the broker-wide names of the topic settings, whose values are the defaults of
 * topic_settings. A number is taken from where it is used, so that none is told that is not so. */
#include "dataplane/handlers/broker_settings.h"

#include "dataplane/group/group_shard.h"

#include <inttypes.h>
#include <stdio.h>

struct fixed_setting {
    const char *name;
    enum setting_type type;
    const char *value;
    const char *kafka_value;
    const char *documentation;
};

static const struct fixed_setting fixed_settings[] = {
    {"authorizer.class.name", SETTING_STRING, "", "", "Class of an authorizer: there is none."},
    {"connections.max.reauth.ms", SETTING_LONG, "0", "0",
     "How long a login lasts: 0 is as long as its key and its connection."},
    {"delete.topic.enable", SETTING_BOOLEAN, "true", "true", "Whether topics can be deleted."},
    {"fetch.max.bytes", SETTING_INT, "57671680", "57671680", "At most so many bytes a fetch."},
    {"group.coordinator.rebalance.protocols", SETTING_LIST, "classic",
     "classic,consumer,share,streams", "Group protocols that are served."},
    {"max.incremental.fetch.session.cache.slots", SETTING_INT, "1000", "1000",
     "Fetch sessions an instance may have."},
    {"max.request.partition.size.limit", SETTING_INT, "2000", "2000",
     "Partitions on one page of DescribeTopicPartitions."},
    {"process.roles", SETTING_LIST, "broker", NULL, "What this process does."},
    {"sasl.enabled.mechanisms", SETTING_LIST, "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512", "GSSAPI",
     "Ways to log in."},
};

enum {
    FIXED_COUNT = sizeof(fixed_settings) / sizeof(fixed_settings[0]),
    OWN_COUNT = 9, /* at most, see add_own */
    GROUP_COUNT = 6
};

static void add(struct broker_setting_list *list, const char *name, enum setting_type type,
                struct slice value, const char *kafka_value, const char *documentation)
{
    struct broker_setting *setting = &list->items[list->count++];

    setting->name = name;
    setting->type = type;
    setting->value = value;
    setting->kafka_value = slice_from_cstring(kafka_value);
    setting->source = slice_equal(value, setting->kafka_value) ? CONFIG_SOURCE_DEFAULT
                                                               : CONFIG_SOURCE_STATIC_BROKER;
    setting->documentation = documentation;
}

static bool add_number(struct request *request, struct broker_setting_list *list,
                       enum setting_type type, const char *name, int64_t value,
                       const char *kafka_value, const char *documentation)
{
    const char *text = arena_printf(&request->arena, "%" PRId64, value);

    add(list, name, type, slice_from_cstring(text), kafka_value, documentation);
    return text != NULL;
}

static const char *security_name(enum listener_security security)
{
    switch (security) {
    case LISTENER_SASL_SSL:
        return "SASL_SSL";
    case LISTENER_SASL_PLAINTEXT:
        return "SASL_PLAINTEXT";
    case LISTENER_PLAINTEXT:
        return "PLAINTEXT";
    }
    return "SASL_SSL";
}

static bool add_address(struct request *request, const struct image_tenant *tenant,
                        struct broker_setting_list *list)
{
    const struct image_listener *listener = request->session->listener;
    char host[IMAGE_HOST_MAX + 1];
    const char *text = NULL;

    image_listener_host(listener, tenant, host);
    text = arena_printf(&request->arena, "%s://%s:%d", security_name(listener->security), host,
                        listener->port);
    add(list, "advertised.listeners", SETTING_STRING, slice_from_cstring(text), NULL,
        "Where clients of this instance reach the broker.");
    return text != NULL;
}

static bool add_own(struct request *request, const struct image_tenant *tenant,
                    struct broker_setting_list *list)
{
    const struct broker_loop *broker = request->broker;
    const struct image_broker *self = image_broker_by_id(broker->image, broker->broker_id);
    int32_t auto_create = request->session->listener->auto_create_partitions;
    size_t brokers = image_broker_count(broker->image);
    struct slice rack =
        self != NULL && self->has_rack ? slice_from_cstring(self->rack) : SLICE_NULL;

    add(list, "auto.create.topics.enable", SETTING_BOOLEAN,
        auto_create > 0 ? SLICE_LITERAL("true") : SLICE_LITERAL("false"), "true",
        "Whether a topic is made by asking for it.");
    add(list, "broker.rack", SETTING_STRING, rack, NULL, "Where the broker stands.");
    return add_address(request, tenant, list) &&
           add_number(request, list, SETTING_INT, "broker.id", broker->broker_id, "-1",
                      "Id of this broker.") &&
           add_number(request, list, SETTING_INT, "node.id", broker->broker_id, NULL,
                      "Id of this broker.") &&
           add_number(request, list, SETTING_LONG, "connections.max.idle.ms",
                      broker->limits->idle_timeout_us / 1000, "600000",
                      "A connection silent for longer is closed.") &&
           add_number(request, list, SETTING_INT, "socket.request.max.bytes",
                      (int64_t)broker->limits->max_frame_bytes, "104857600",
                      "Largest request after login.") &&
           add_number(request, list, SETTING_INT, "num.partitions",
                      auto_create > 0 ? auto_create : 1, "1",
                      "Partitions of a topic that does not say how many.") &&
           add_number(request, list, SETTING_INT, "default.replication.factor",
                      brokers < 3 ? (int64_t)brokers : 3, "1",
                      "Replicas of a topic that does not say how many.");
}

static bool add_groups(struct request *request, struct broker_setting_list *list)
{
    struct group_shard_options group = group_shard_options_default();

    return add_number(request, list, SETTING_INT, "group.max.session.timeout.ms",
                      group.max_session_timeout_ms, "1800000",
                      "Longest session timeout of a member.") &&
           add_number(request, list, SETTING_INT, "group.min.session.timeout.ms",
                      group.min_session_timeout_ms, "6000",
                      "Shortest session timeout of a member.") &&
           add_number(request, list, SETTING_INT, "group.max.size", group.max_members, "2147483647",
                      "Members a group may have.") &&
           add_number(request, list, SETTING_INT, "offset.metadata.max.bytes",
                      group.max_metadata_bytes, "4096",
                      "Longest text that goes with a committed offset.") &&
           add_number(request, list, SETTING_LONG, "offsets.retention.check.interval.ms",
                      group.retention_check_ms, "600000",
                      "How often expired offsets are looked for.") &&
           add_number(request, list, SETTING_INT, "offsets.retention.minutes",
                      group.retention_ms / 60000, "10080",
                      "How long committed offsets of an empty group are kept.");
}

/* "log.retention.ms" and the like. */
static bool add_topic_defaults(struct request *request, const struct image_tenant *tenant,
                               struct broker_setting_list *list)
{
    const struct config_default *defaults = config_defaults_make(
        &tenant->policy, (int32_t)image_broker_count(request->broker->image), &request->arena);

    for (size_t i = 0; defaults != NULL && i < topic_setting_count(); i++) {
        const struct topic_setting *setting = topic_setting_at(i);

        if (setting->broker_synonyms[0] == NULL)
            continue;
        add(list, setting->broker_synonyms[0], setting->type, defaults[i].value,
            (const char *)defaults[i].kafka_value.data, setting->documentation);
    }
    return defaults != NULL;
}

bool broker_settings_make(struct request *request, struct broker_setting_list *ret_list)
{
    const struct image_tenant *tenant = request_tenant(request);
    size_t most = FIXED_COUNT + OWN_COUNT + GROUP_COUNT + topic_setting_count();

    ret_list->count = 0;
    ret_list->items = arena_new_array(&request->arena, most, struct broker_setting);
    if (ret_list->items == NULL || tenant == NULL)
        return false;
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        const struct fixed_setting *fixed = &fixed_settings[i];

        add(ret_list, fixed->name, fixed->type, slice_from_cstring(fixed->value),
            fixed->kafka_value, fixed->documentation);
    }
    return add_own(request, tenant, ret_list) && add_groups(request, ret_list) &&
           add_topic_defaults(request, tenant, ret_list);
}

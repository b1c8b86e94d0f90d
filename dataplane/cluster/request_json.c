/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/cluster/request_json.h"

#include "dataplane/cluster/partition_placement.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *json_uuid(struct uuid uuid)
{
    char text[UUID_TEXT_LEN + 1];

    uuid_format(uuid, text);
    return json_string(text);
}

static json_t *json_text(struct slice text)
{
    return json_stringn((const char *)text.data, text.len);
}

/* [leader, [replicas]] */
static json_t *assignment_json(const struct partition_assignment *assignment)
{
    json_t *replicas = json_array();

    for (int32_t i = 0; i < assignment->replica_count; i++)
        json_array_append_new(replicas, json_integer(assignment->replicas[i]));
    return json_pack("[i,o]", (int)assignment->replicas[0], replicas);
}

static json_t *partitions_json(const struct topic_request *topic, const int32_t *brokers,
                               int32_t broker_count)
{
    json_t *partitions = json_array();

    for (int32_t i = 0; i < topic->add_partitions; i++) {
        struct partition_assignment chosen;
        const struct partition_assignment *assignment =
            topic->assignments ? &topic->assignments[i] : &chosen;

        if (topic->assignments == NULL)
            partition_placement(topic->topic_id, topic->current_partitions + i, brokers,
                                broker_count, topic->replication_factor, &chosen);
        json_array_append_new(partitions, assignment_json(assignment));
    }
    return partitions;
}

static json_t *settings_json(const struct topic_request *topic)
{
    json_t *settings = json_object();

    for (size_t i = 0; i < topic->set_count; i++) {
        if (json_object_set_new(settings, topic->set[i].setting->name,
                                json_text(topic->set[i].value)) != 0) {
            json_decref(settings);
            return NULL;
        }
    }
    return settings;
}

static json_t *removed_json(const struct topic_request *topic)
{
    json_t *names = json_array();

    for (size_t i = 0; i < topic->remove_count; i++)
        json_array_append_new(names, json_string(topic->remove[i]->name));
    return names;
}

/* NULL: no memory, or text that is no UTF-8 ("o" with NULL makes json_pack fail and free the rest).
 */
static json_t *topic_json(enum meta_request_kind kind, const struct topic_request *topic,
                          const int32_t *brokers, int32_t broker_count)
{
    json_t *id = json_uuid(topic->topic_id);

    switch (kind) {
    case META_CREATE_TOPICS:
        return json_pack("{s:o,s:o,s:b,s:o,s:o}", "topic_id", id, "name", json_text(topic->name),
                         "internal", (int)topic->is_internal, "partitions",
                         partitions_json(topic, brokers, broker_count), "configs",
                         settings_json(topic));
    case META_DELETE_TOPICS:
        return json_pack("{s:o}", "topic_id", id);
    case META_CREATE_PARTITIONS:
        return json_pack("{s:o,s:i,s:o}", "topic_id", id, "expected",
                         (int)topic->current_partitions, "add",
                         partitions_json(topic, brokers, broker_count));
    case META_ALTER_CONFIGS:
        return json_pack("{s:o,s:o,s:o}", "topic_id", id, "set", settings_json(topic), "delete",
                         removed_json(topic));
    case META_DELETE_RECORDS:
        break;
    }
    json_decref(id);
    return NULL;
}

enum err request_json_write(const struct cluster_request *request, struct uuid request_id,
                            const int32_t *brokers, int32_t broker_count, char **ret_body)
{
    json_t *topics = json_array();
    json_t *body = NULL;

    for (size_t i = 0; i < request->topic_count; i++) {
        if (json_array_append_new(topics, topic_json(request->kind, &request->topics[i], brokers,
                                                     broker_count)) != 0) {
            json_decref(topics);
            return ERR_INVALID;
        }
    }
    body = json_pack("{s:o,s:i,s:o}", "request_id", json_uuid(request_id), "instance_no",
                     (int)request->instance_no, "topics", topics);
    *ret_body = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return *ret_body != NULL ? ERR_OK : ERR_NO_MEMORY;
}

static bool read_result(const json_t *answer, struct topic_request *topic)
{
    static const struct {
        const char *text;
        enum topic_result result;
    } results[] = {{"ok", TOPIC_OK},
                   {"exists", TOPIC_EXISTS},
                   {"not_found", TOPIC_NOT_FOUND},
                   {"limit", TOPIC_OVER_LIMIT},
                   {"storage", TOPIC_OVER_STORAGE},
                   {"conflict", TOPIC_CONFLICT},
                   {"denied", TOPIC_DENIED}};
    const char *id = json_string_value(json_object_get(answer, "topic_id"));
    const char *result = json_string_value(json_object_get(answer, "result"));
    struct uuid topic_id;

    if (id == NULL || result == NULL || uuid_parse(slice_from_cstring(id), &topic_id) != ERR_OK ||
        !uuid_equal(topic_id, topic->topic_id))
        return false;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        if (strcmp(result, results[i].text) != 0)
            continue;
        topic->result = results[i].result;
        topic->current = json_integer_value(json_object_get(answer, "current"));
        topic->maximum = json_integer_value(json_object_get(answer, "maximum"));
        return true;
    }
    return false;
}

enum err request_json_read(struct cluster_request *request, struct slice answer)
{
    json_error_t error;
    json_t *object = json_loadb((const char *)answer.data, answer.len, 0, &error);
    const json_t *topics = json_object_get(object, "topics");
    bool is_good = json_array_size(topics) == request->topic_count;

    for (size_t i = 0; is_good && i < request->topic_count; i++)
        is_good = read_result(json_array_get(topics, i), &request->topics[i]);
    json_decref(object);
    return is_good ? ERR_OK : ERR_INVALID;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The change log is the truth; the objects are found by walking it backwards. Simulated cells are
 * small, and so nothing can get out of step. */
#include "tests/simulation/sim_cell.h"

#include "common/base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BROKERS 8

struct sim_cell {
    struct uuid cell_id;
    int32_t broker_count;
    int64_t version;
    struct sim_change *changes;
    size_t count, capacity;
    json_t *answers; /* request id → answer */
    int64_t incarnations[MAX_BROKERS];
    int64_t epochs[MAX_BROKERS];
    int64_t acknowledged[MAX_BROKERS];
};

struct sim_cell *sim_cell_new(struct uuid cell_id, int32_t broker_count)
{
    struct sim_cell *cell = calloc(1, sizeof(*cell));

    invariant(cell != NULL && broker_count <= MAX_BROKERS);
    cell->cell_id = cell_id;
    cell->broker_count = broker_count;
    cell->answers = json_object();
    return cell;
}

static void forget_after(struct sim_cell *cell, int64_t version)
{
    while (cell->count > 0 && cell->changes[cell->count - 1].version > version) {
        struct sim_change *change = &cell->changes[--cell->count];

        free(change->kind);
        free(change->key);
        free(change->payload);
    }
}

void sim_cell_free(struct sim_cell *cell)
{
    forget_after(cell, -1);
    free(cell->changes);
    json_decref(cell->answers);
    free(cell);
}

int64_t sim_cell_version(const struct sim_cell *cell)
{
    return cell->version;
}

void sim_cell_restore(struct sim_cell *cell, int64_t version)
{
    forget_after(cell, version);
    cell->version = version;
    json_object_clear(cell->answers);
}

static char *copy(const char *text)
{
    char *again = text ? strdup(text) : NULL;

    invariant(text == NULL || again != NULL);
    return again;
}

static void append(struct sim_cell *cell, int64_t version, const char *kind, const char *key,
                   const char *payload)
{
    if (cell->count == cell->capacity) {
        cell->capacity = cell->capacity > 0 ? cell->capacity * 2 : 64;
        cell->changes = realloc(cell->changes, cell->capacity * sizeof(*cell->changes));
        invariant(cell->changes != NULL);
    }
    cell->changes[cell->count++] =
        (struct sim_change){version, copy(kind), copy(key), copy(payload)};
}

int64_t sim_cell_put(struct sim_cell *cell, const char *kind, const char *key, const char *payload)
{
    append(cell, ++cell->version, kind, key, payload);
    return cell->version;
}

int64_t sim_cell_remove(struct sim_cell *cell, const char *kind, const char *key)
{
    append(cell, ++cell->version, kind, key, NULL);
    return cell->version;
}

static bool is_last_of_its_object(const struct sim_cell *cell, size_t index)
{
    const struct sim_change *change = &cell->changes[index];

    for (size_t i = index + 1; i < cell->count; i++) {
        if (strcmp(cell->changes[i].kind, change->kind) == 0 &&
            strcmp(cell->changes[i].key, change->key) == 0)
            return false;
    }
    return true;
}

const char *sim_cell_find(const struct sim_cell *cell, const char *kind, const char *key)
{
    for (size_t i = cell->count; i > 0; i--) {
        const struct sim_change *change = &cell->changes[i - 1];

        if (strcmp(change->kind, kind) == 0 && strcmp(change->key, key) == 0)
            return change->payload;
    }
    return NULL;
}

size_t sim_cell_changes(const struct sim_cell *cell, int64_t after,
                        const struct sim_change **ret_changes)
{
    size_t first = 0;

    while (first < cell->count && cell->changes[first].version <= after)
        first++;
    *ret_changes = cell->changes + first;
    return cell->count - first;
}

struct sim_change *sim_cell_snapshot(const struct sim_cell *cell, size_t *ret_count)
{
    static const char *const order[] = {"broker", "tenant", "listener", "credential", "topic"};
    struct sim_change *objects = calloc(cell->count + 1, sizeof(*objects));
    size_t count = 0;

    invariant(objects != NULL);
    for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
        for (size_t i = 0; i < cell->count; i++) {
            if (cell->changes[i].payload != NULL && strcmp(cell->changes[i].kind, order[k]) == 0 &&
                is_last_of_its_object(cell, i))
                objects[count++] = cell->changes[i];
        }
    }
    *ret_count = count;
    return objects;
}

/* --- tenants and topics as JSON --- */

static json_t *parse(const char *payload)
{
    json_t *object = payload ? json_loads(payload, 0, NULL) : NULL;

    invariant(payload == NULL || object != NULL);
    return object;
}

static json_int_t instance_of(const json_t *object)
{
    return json_integer_value(json_object_get(object, "instance_no"));
}

/* Calls each for every object of a kind that is of the instance. */
typedef void (*each_fn)(void *context, const char *key, const json_t *object);

static void for_each_of(const struct sim_cell *cell, const char *kind, json_int_t instance_no,
                        each_fn each, void *context)
{
    size_t count = 0;
    struct sim_change *objects = sim_cell_snapshot(cell, &count);

    for (size_t i = 0; i < count; i++) {
        json_t *object = strcmp(objects[i].kind, kind) == 0 ? parse(objects[i].payload) : NULL;

        if (object != NULL && instance_of(object) == instance_no)
            each(context, objects[i].key, object);
        json_decref(object);
    }
    free(objects);
}

struct removal {
    struct sim_cell *cell;
    const char *kind;
};

static void remove_one(void *context, const char *key, const json_t *object)
{
    struct removal *removal = context;
    char *kept = copy(key); /* the key lies in the log that grows */

    (void)object;
    append(removal->cell, removal->cell->version, removal->kind, kept, NULL);
    free(kept);
}

int64_t sim_cell_remove_tenant(struct sim_cell *cell, const char *instance)
{
    json_t *tenant = parse(sim_cell_find(cell, "tenant", instance));
    json_int_t instance_no = instance_of(tenant);
    struct removal removal = {.cell = cell};

    cell->version++;
    removal.kind = "topic";
    for_each_of(cell, "topic", instance_no, remove_one, &removal);
    removal.kind = "credential";
    for_each_of(cell, "credential", instance_no, remove_one, &removal);
    append(cell, cell->version, "tenant", instance, NULL);
    json_decref(tenant);
    return cell->version;
}

struct counting {
    json_int_t partitions;
    const char *name; /* looked for; NULL = none */
    bool is_found;
};

static void count_topic(void *context, const char *key, const json_t *topic)
{
    struct counting *counting = context;

    (void)key;
    if (!json_is_true(json_object_get(topic, "internal")))
        counting->partitions += (json_int_t)json_array_size(json_object_get(topic, "partitions"));
    if (counting->name != NULL &&
        strcmp(json_string_value(json_object_get(topic, "name")), counting->name) == 0)
        counting->is_found = true;
}

static void find_tenant(void *context, const char *key, const json_t *tenant)
{
    (void)key;
    *(json_t **)context = json_deep_copy(tenant);
}

/* --- requests --- */

struct execution {
    struct sim_cell *cell;
    enum meta_request_kind kind;
    json_t *tenant;  /* NULL = denied */
    int64_t version; /* of the changes, when there are any */
    bool has_changes;
};

static void put_topic(struct execution *execution, const char *id, const json_t *topic)
{
    char *text = topic ? json_dumps(topic, JSON_COMPACT) : NULL;

    append(execution->cell, execution->version, "topic", id, text);
    execution->has_changes = true;
    free(text);
}

/* [[leader, [replicas]], …] becomes partitions with epochs 0 and full in-sync sets. */
static void add_partitions(json_t *partitions, const json_t *placement)
{
    for (size_t i = 0; i < json_array_size(placement); i++) {
        json_t *chosen = json_array_get(placement, i);

        json_array_append_new(partitions,
                              json_pack("[O,i,i,O,O]", json_array_get(chosen, 0), 0, 0,
                                        json_array_get(chosen, 1), json_array_get(chosen, 1)));
    }
}

static const char *create_topic(struct execution *execution, const char *id, const json_t *asked,
                                bool is_over_limit)
{
    struct counting counting = {.name = json_string_value(json_object_get(asked, "name"))};
    json_t *topic = NULL;
    json_t *partitions = json_array();

    for_each_of(execution->cell, "topic", instance_of(execution->tenant), count_topic, &counting);
    if (counting.is_found || sim_cell_find(execution->cell, "topic", id) != NULL || is_over_limit) {
        json_decref(partitions);
        return counting.is_found ? "exists" : is_over_limit ? "limit" : "conflict";
    }
    add_partitions(partitions, json_object_get(asked, "partitions"));
    topic = json_pack("{s:s,s:I,s:O,s:O,s:O,s:o}", "topic_id", id, "instance_no",
                      instance_of(execution->tenant), "name", json_object_get(asked, "name"),
                      "internal", json_object_get(asked, "internal"), "configs",
                      json_object_get(asked, "configs"), "partitions", partitions);
    put_topic(execution, id, topic);
    json_decref(topic);
    return "ok";
}

static const char *change_topic(struct execution *execution, const char *id, json_t *topic,
                                const json_t *asked, bool is_over_limit)
{
    json_t *partitions = json_object_get(topic, "partitions");
    json_t *configs = json_object_get(topic, "configs");
    const json_t *removed = json_object_get(asked, "delete");

    if (execution->kind == META_DELETE_TOPICS) {
        put_topic(execution, id, NULL);
        return "ok";
    }
    if (execution->kind == META_CREATE_PARTITIONS) {
        if ((json_int_t)json_array_size(partitions) !=
            json_integer_value(json_object_get(asked, "expected")))
            return "conflict";
        if (is_over_limit)
            return "limit";
        add_partitions(partitions, json_object_get(asked, "add"));
    } else {
        json_object_update(configs, json_object_get(asked, "set"));
        for (size_t i = 0; i < json_array_size(removed); i++)
            json_object_del(configs, json_string_value(json_array_get(removed, i)));
    }
    put_topic(execution, id, topic);
    return "ok";
}

static json_t *execute_topic(struct execution *execution, const json_t *asked)
{
    const char *id = json_string_value(json_object_get(asked, "topic_id"));
    json_t *topic = parse(sim_cell_find(execution->cell, "topic", id));
    const json_t *limits = json_object_get(execution->tenant, "limits");
    json_int_t maximum = json_integer_value(json_object_get(limits, "partitions"));
    const char *more = execution->kind == META_CREATE_TOPICS ? "partitions" : "add";
    struct counting counting = {.name = NULL};
    json_int_t added = (json_int_t)json_array_size(json_object_get(asked, more));
    const char *result = "denied";
    bool is_over_limit = false;

    if (json_is_true(json_object_get(asked, "internal")))
        added = 0;
    for_each_of(execution->cell, "topic", instance_of(execution->tenant), count_topic, &counting);
    is_over_limit = maximum >= 0 && counting.partitions + added > maximum;
    if (execution->tenant == NULL)
        maximum = -1;
    else if (execution->kind == META_CREATE_TOPICS)
        result = create_topic(execution, id, asked, is_over_limit);
    else if (topic == NULL || instance_of(topic) != instance_of(execution->tenant))
        result = "not_found";
    else
        result = change_topic(execution, id, topic, asked, is_over_limit);
    json_decref(topic);
    return json_pack("{s:s,s:s,s:I,s:I}", "topic_id", id, "result", result, "current",
                     counting.partitions, "maximum", maximum);
}

static json_t *execute(struct sim_cell *cell, enum meta_request_kind kind, const json_t *body)
{
    struct execution execution = {.cell = cell, .kind = kind, .version = cell->version + 1};
    const json_t *topics = json_object_get(body, "topics");
    json_t *answers = json_array();

    for_each_of(cell, "tenant", instance_of(body), find_tenant, &execution.tenant);
    if (execution.tenant != NULL &&
        strcmp(json_string_value(json_object_get(execution.tenant, "state")), "active") != 0) {
        json_decref(execution.tenant);
        execution.tenant = NULL;
    }
    for (size_t i = 0; i < json_array_size(topics); i++)
        json_array_append_new(answers, execute_topic(&execution, json_array_get(topics, i)));
    if (execution.has_changes)
        cell->version = execution.version;
    json_decref(execution.tenant);
    return json_pack("{s:I,s:o}", "version", (json_int_t)cell->version, "topics", answers);
}

char *sim_cell_execute(struct sim_cell *cell, enum meta_request_kind kind, struct slice body,
                       int64_t *ret_version)
{
    json_t *request = json_loadb((const char *)body.data, body.len, 0, NULL);
    const char *id = json_string_value(json_object_get(request, "request_id"));
    json_t *answer = NULL;
    char *text = NULL;

    invariant(id != NULL);
    answer = json_object_get(cell->answers, id);
    if (answer == NULL) {
        answer = execute(cell, kind, request);
        json_object_set_new(cell->answers, id, answer);
    }
    *ret_version = json_integer_value(json_object_get(answer, "version"));
    text = json_dumps(answer, JSON_COMPACT);
    invariant(text != NULL);
    json_decref(request);
    return text;
}

/* --- brokers --- */

void sim_cell_register(struct sim_cell *cell, int32_t broker_id, int64_t incarnation,
                       struct meta_registration *ret_registration)
{
    char key[16], payload[96];

    invariant(broker_id >= 0 && broker_id < cell->broker_count);
    if (cell->incarnations[broker_id] != incarnation) {
        cell->incarnations[broker_id] = incarnation;
        cell->epochs[broker_id] = cell->version + 1;
        cell->acknowledged[broker_id] = 0;
        snprintf(key, sizeof(key), "%d", broker_id);
        snprintf(payload, sizeof(payload), "{\"id\": %d, \"rack\": null, \"epoch\": %lld}",
                 broker_id, (long long)cell->epochs[broker_id]);
        sim_cell_put(cell, "broker", key, payload);
    }
    *ret_registration = (struct meta_registration){.cell_id = cell->cell_id,
                                                   .cell_no = 1,
                                                   .broker_epoch = cell->epochs[broker_id],
                                                   .producer_registration = broker_id + 1};
}

void sim_cell_acknowledge(struct sim_cell *cell, int32_t broker_id, int64_t version)
{
    if (version > cell->acknowledged[broker_id])
        cell->acknowledged[broker_id] = version;
}

int64_t sim_cell_acknowledged(const struct sim_cell *cell, int32_t broker_id)
{
    return cell->acknowledged[broker_id];
}

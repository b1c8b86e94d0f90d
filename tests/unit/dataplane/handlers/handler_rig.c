/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/handlers/handler_rig.h"

#include "common/crypto/service_key.h"
#include "common/observe/log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEED = 20, LOOPS = 2 };

struct sim_broker rig;
struct sim_kafka rig_client;
struct sim_kafka rig_other;

static const char *const instances[SIM_TENANTS] = {"aaaaaaaa-0000-4000-8000-000000000001",
                                                   "bbbbbbbb-0000-4000-8000-000000000002"};

#define TAKE(field)                                                                                \
    if (limits->field != 0)                                                                        \
    rig.limits.field = limits->field

static void init(void)
{
    log_setup("test", LOG_ERROR, LOG_FORMAT_TEXT);
    sim_broker_init(&rig, SEED, LOOPS);
}

static void start(void)
{
    sim_broker_start(&rig);
    sim_broker_connect(&rig, 0, &rig_client);
    sim_broker_connect(&rig, 1, &rig_other);
}

void rig_setup_with(const struct broker_limits *limits)
{
    init();
    TAKE(topic_mutations_per_second);
    TAKE(connection_memory_bytes);
    TAKE(max_control_frame_bytes);
    if (limits->logins.strangers != 0)
        rig.limits.logins = limits->logins;
    if (limits->memory.limit_bytes != 0)
        rig.limits.memory = limits->memory;
    start();
}

void rig_setup_with_tail(int64_t tail_cache_bytes)
{
    init();
    rig.tail_cache_bytes = tail_cache_bytes;
    start();
}

void rig_setup(void)
{
    static const struct broker_limits none;

    rig_setup_with(&none);
}

void rig_teardown(void)
{
    sim_kafka_done(&rig_client);
    sim_kafka_done(&rig_other);
    sim_broker_stop(&rig);
    sim_broker_done(&rig);
}

void rig_run_ms(int64_t duration_ms)
{
    sim_executor_run_for(rig.executor, duration_ms * 1000);
}

int rig_create_topic(struct sim_kafka *kafka, const char *name, int32_t partitions)
{
    return sim_broker_create_topic(&rig, kafka, name, partitions);
}

static struct kafka_metadata_response_topic describe(struct sim_kafka *kafka, const char *name)
{
    struct kafka_metadata_request request;
    struct kafka_metadata_request_topic topic;
    struct kafka_metadata_response response;

    kafka_metadata_request_init_defaults(&request);
    kafka_metadata_request_topic_init_defaults(&topic);
    topic.name = text(name);
    request.topics.items = &topic;
    request.topics.count = 1;
    request.allow_auto_topic_creation = false;
    rig_call(kafka, METADATA, metadata, 12, &request, &response);
    ck_assert_int_eq(response.topics.count, 1);
    return response.topics.items[0];
}

struct uuid rig_topic_id(struct sim_kafka *kafka, const char *name)
{
    return describe(kafka, name).topic_id;
}

int32_t rig_partition_count(struct sim_kafka *kafka, const char *name)
{
    struct kafka_metadata_response_topic topic = describe(kafka, name);

    return topic.error_code == KAFKA_NONE ? topic.partitions.count : -1;
}

/* --- records and settings --- */

void rig_send_batches(struct sim_kafka *kafka, const char *topic, const struct sim_batch *batch,
                      const int32_t *partitions, int32_t count)
{
    struct kafka_produce_request request;
    struct kafka_produce_request_topic data;
    struct kafka_produce_request_partition items[RIG_BATCHES_MAX];
    struct buffer records;

    ck_assert_int_le(count, RIG_BATCHES_MAX);

    buffer_init(&records, 4 << 20);
    sim_batch_write(batch, &records);
    kafka_produce_request_init_defaults(&request);
    kafka_produce_request_topic_init_defaults(&data);
    for (int32_t i = 0; i < count; i++) {
        kafka_produce_request_partition_init_defaults(&items[i]);
        items[i].index = partitions[i];
        items[i].records = buffer_slice(&records);
    }
    data.name = text(topic);
    data.partition_data.items = items;
    data.partition_data.count = count;
    request.acks = -1;
    request.timeout_ms = 30000;
    request.topic_data.items = &data;
    request.topic_data.count = 1;
    sim_kafka_send(kafka, KAFKA_API_PRODUCE, 9, kafka_produce_request, &request);
    buffer_done(&records);
}

void rig_send_batch(struct sim_kafka *kafka, const char *topic, const struct sim_batch *batch)
{
    static const int32_t first = 0;

    rig_send_batches(kafka, topic, batch, &first, 1);
}

struct kafka_produce_response_partition rig_take_produce(struct sim_kafka *kafka)
{
    struct kafka_produce_response response;

    sim_kafka_answer(kafka, kafka_produce_response, &response);
    return response.responses.items[0].partition_responses.items[0];
}

int rig_produce(struct sim_kafka *kafka, const char *topic, int32_t count)
{
    const struct sim_batch batch = {
        .count = count, .timestamp_ms = 1700000000000, .producer_id = -1, .base_sequence = -1};

    rig_send_batch(kafka, topic, &batch);
    ck_assert(sim_broker_wait(&rig, kafka));
    return rig_take_produce(kafka).error_code;
}

struct kafka_incremental_alter_configs_response_resource
rig_alter(struct sim_kafka *kafka, const char *topic, const char *name, const char *value)
{
    struct kafka_incremental_alter_configs_request request;
    struct kafka_incremental_alter_configs_request_resource resource;
    struct kafka_incremental_alter_configs_request_config config;
    struct kafka_incremental_alter_configs_response response;

    kafka_incremental_alter_configs_request_init_defaults(&request);
    kafka_incremental_alter_configs_request_resource_init_defaults(&resource);
    kafka_incremental_alter_configs_request_config_init_defaults(&config);
    config.name = text(name);
    config.value = text(value);
    resource.resource_type = 2;
    resource.resource_name = text(topic);
    resource.configs.items = &config;
    resource.configs.count = 1;
    request.resources.items = &resource;
    request.resources.count = 1;
    rig_call(kafka, INCREMENTAL_ALTER_CONFIGS, incremental_alter_configs, 1, &request, &response);
    return response.responses.items[0];
}

/* --- rows --- */

static void notify(void *context)
{
    sim_meta_store_notify(context);
}

static void put(const char *kind, const char *key, json_t *row)
{
    char *payload = json_dumps(row, JSON_COMPACT);

    sim_cell_put(rig.cell, kind, key, payload);
    free(payload);
    json_decref(row);
    sim_executor_call(rig.executor, 0, notify, rig.store);
    rig_run_ms(1000);
}

static json_t *load(const char *kind, const char *key)
{
    json_t *row = json_loads(sim_cell_find(rig.cell, kind, key), 0, NULL);

    ck_assert_ptr_nonnull(row);
    return row;
}

void rig_limit_partitions(int tenant, int64_t partitions)
{
    sim_broker_set_limit(&rig, tenant, "partitions", partitions);
}

void rig_hide_internal_topics(int tenant)
{
    json_t *row = load("tenant", instances[tenant]);

    json_object_set_new(row, "internal_visible", json_false());
    put("tenant", instances[tenant], row);
}

void rig_auto_create(int tenant, int32_t partitions)
{
    char key[32];
    json_t *row = NULL;
    struct sim_kafka *kafka = tenant == 0 ? &rig_client : &rig_other;

    snprintf(key, sizeof(key), "0/plain%d", tenant);
    row = load("listener", key);
    json_object_set_new(row, "auto_create_partitions", json_integer(partitions));
    put("listener", key, row);
    sim_kafka_done(kafka);
    sim_broker_connect(&rig, tenant, kafka);
}

void rig_add_listener(const char *name, int port)
{
    char key[32];
    json_t *row = load("listener", "0/plain0");

    snprintf(key, sizeof(key), "0/%s", name);
    json_object_set_new(row, "name", json_string(name));
    json_object_set_new(row, "port", json_integer(port));
    put("listener", key, row);
}

static int authenticate(struct sim_kafka *kafka, const char *token, size_t token_len)
{
    struct kafka_sasl_handshake_request handshake;
    struct kafka_sasl_handshake_response mechanisms;
    struct kafka_sasl_authenticate_request request;
    struct kafka_sasl_authenticate_response response;

    kafka_sasl_handshake_request_init_defaults(&handshake);
    handshake.mechanism = text("PLAIN");
    rig_call(kafka, SASL_HANDSHAKE, sasl_handshake, 1, &handshake, &mechanisms);
    ck_assert_int_eq(mechanisms.error_code, KAFKA_NONE);
    kafka_sasl_authenticate_request_init_defaults(&request);
    request.auth_bytes = slice_of(token, token_len);
    rig_call(kafka, SASL_AUTHENTICATE, sasl_authenticate, 2, &request, &response);
    return response.error_code;
}

bool rig_login(const char *role, struct sim_kafka *kafka)
{
    static uint64_t seed = 1000;
    struct service_key key;
    char token[KEY_TEXT_LEN + 16];
    int token_len = 0;

    sim_broker_add_key(&rig, 0, role, seed++, &key);
    sim_broker_connect_sasl(&rig, kafka);
    token_len = snprintf(token, sizeof(token), "%ctoken%c%s", 0, 0, key.text);
    return authenticate(kafka, token, (size_t)token_len) == KAFKA_NONE;
}

static void set_reachable(void *context)
{
    sim_meta_store_set_reachable(rig.store, *(bool *)context);
}

void rig_set_store_reachable(bool is_reachable)
{
    sim_executor_call(rig.executor, 0, set_reachable, &is_reachable);
    rig_run_ms(3000);
}

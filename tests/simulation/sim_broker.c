/* SPDX-License-Identifier: Apache-2.0 */
/* A process that dies is first cut off from its disk (nothing it does has an effect any more) and then
 * taken down in order, so that its memory is freed and the sanitizers see real leaks only. */
#include "tests/simulation/sim_broker.h"

#include "common/kafka/kafka_messages.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORK_DELAY_US = 2000, MAX_STEPS = 20000000 };

static const struct uuid cell_id = {{0xce, 0x11}};
static const char *const instances[SIM_TENANTS] = {"aaaaaaaa-0000-4000-8000-000000000001",
                                                   "bbbbbbbb-0000-4000-8000-000000000002"};

int32_t sim_broker_instance_no(int tenant)
{
    return tenant + 1;
}

static void put_tenant(struct sim_cell *cell, int tenant)
{
    char payload[1024];
    char key[64];

    snprintf(payload, sizeof(payload),
             "{\"instance\": \"%s\", \"instance_no\": %d, \"label\": \"tenant%d\", \"state\": "
             "\"active\","
             " \"internal_partitions\": 2, \"internal_visible\": true, \"topic_settings\": null,"
             " \"limits\": {\"partitions\": 1000, \"produce_bytes_per_second\": -1,"
             " \"consume_bytes_per_second\": -1, \"connections\": 100, \"groups\": 100,"
             " \"max_message_bytes\": 1048588, \"retention_bytes_per_partition\": -1,"
             " \"storage_bytes\": -1}}",
             instances[tenant], tenant + 1, tenant);
    sim_cell_put(cell, "tenant", instances[tenant], payload);
    snprintf(key, sizeof(key), "%08x-1111-4111-8111-00000000000c", tenant + 1);
    snprintf(payload, sizeof(payload),
             "{\"topic_id\": \"%s\", \"instance_no\": %d, \"name\": \"__consumer_offsets\","
             " \"internal\": true, \"configs\": {\"cleanup.policy\": \"compact\","
             " \"min.cleanable.dirty.ratio\": \"0\", \"max.compaction.lag.ms\": \"3000\"},"
             " \"partitions\": [[0, 0, 0, [0], [0]], [0, 0, 0, [0], [0]]]}",
             key, tenant + 1);
    sim_cell_put(cell, "topic", key, payload);
    snprintf(key, sizeof(key), "0/plain%d", tenant);
    snprintf(payload, sizeof(payload),
             "{\"broker\": 0, \"name\": \"plain%d\", \"host\": \"localhost\", \"port\": %d,"
             " \"security\": \"PLAINTEXT\", \"instance_no\": %d, \"auto_create_partitions\": 0}",
             tenant, SIM_PORT + tenant, tenant + 1);
    sim_cell_put(cell, "listener", key, payload);
}

static void put_sasl_listener(struct sim_cell *cell)
{
    char payload[256];

    snprintf(payload, sizeof(payload),
             "{\"broker\": 0, \"name\": \"sasl\", \"host\": \"localhost\", \"port\": %d,"
             " \"security\": \"SASL_PLAINTEXT\", \"instance_no\": null, "
             "\"auto_create_partitions\": 0}",
             SIM_SASL_PORT);
    sim_cell_put(cell, "listener", "0/sasl", payload);
}

void sim_broker_init(struct sim_broker *sim, uint64_t seed, int loop_count)
{
    memset(sim, 0, sizeof(*sim));
    sim->seed = seed;
    sim->loop_count = loop_count;
    sim->wall_ms = 1700000000000;
    sim->limits = broker_limits_default;
    sim->tail_cache_bytes = 1 << 20;
    sim->cell = sim_cell_new(cell_id, 1);
    sim->disk = sim_disk_new(seed, &sim->trace);
    sim_cell_put(sim->cell, "broker", "0", "{\"id\": 0, \"epoch\": 1, \"rack\": null}");
    for (int i = 0; i < SIM_TENANTS; i++)
        put_tenant(sim->cell, i);
    put_sasl_listener(sim->cell);
}

void sim_broker_done(struct sim_broker *sim)
{
    invariant(sim->executor == NULL);
    sim_disk_free(sim->disk);
    sim_cell_free(sim->cell);
}

static void start_broker(void *context)
{
    broker_start(((struct sim_broker *)context)->broker);
}

static bool is_listening(void *context)
{
    const struct sim_broker *sim = context;

    return broker_listener_port(sim->broker, "plain0") != 0 &&
           broker_listener_port(sim->broker, "plain1") != 0;
}

void sim_broker_start(struct sim_broker *sim)
{
    struct sim_executor_options executor = {
        .loop_count = sim->loop_count,
        .seed = sim->seed * 1000 + (uint64_t)sim->incarnation,
        .start_wall_ms = sim->wall_ms,
        .trace = &sim->trace,
        .work_delay_max_us = {WORK_DELAY_US, WORK_DELAY_US, WORK_DELAY_US, WORK_DELAY_US},
    };
    struct log_directory_options directory = {
        .disk = sim->disk,
        .cell_id = cell_id,
        .tail_cache_bytes = sim->tail_cache_bytes,
        .cleaner_map_bytes = 1 << 16,
        .cleaner_bytes_per_second = 1 << 26,
    };
    struct broker_options broker = {
        .disk = sim->disk,
        .bind_addresses = {"127.0.0.1", NULL},
        .metrics_addresses = {"127.0.0.1", NULL},
        .metrics_port = SIM_METRICS_PORT,
        .limits = sim->limits,
        .software = "simulated",
    };
    struct error error = {.code = ERR_OK};

    sim->incarnation++;
    sim->is_stopped = false;
    sim->executor = sim_executor_new(&executor);
    seeded_random_init(&sim->random, executor.seed);
    sim->network = sim_network_new(sim->executor);
    sim->store = sim_meta_store_new(sim->cell, sim_executor_loop(sim->executor, 0), 0,
                                    sim->incarnation, executor.seed);
    directory.executor = sim_executor_base(sim->executor);
    directory.random = &sim->random.base;
    if (log_directory_open(&directory, &sim->directory, &sim->report, &error) != ERR_OK) {
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)sim->seed, error.message);
        invariant(false && "the directory opens");
    }
    broker.executor = directory.executor;
    broker.network = sim->network;
    broker.store = sim_meta_store_port(sim->store);
    broker.random = &sim->random.base;
    broker.directory = sim->directory;
    invariant(broker_new(&broker, &sim->broker, &error) == ERR_OK);
    sim_executor_call(sim->executor, 0, start_broker, sim);
    invariant(sim_executor_run_until(sim->executor, is_listening, sim, MAX_STEPS));
}

static void notify(void *context)
{
    sim_meta_store_notify(context);
}

void sim_broker_set_limit(struct sim_broker *sim, int tenant, const char *name, int64_t value)
{
    json_t *row = json_loads(sim_cell_find(sim->cell, "tenant", instances[tenant]), 0, NULL);
    char *payload = NULL;

    invariant(row != NULL);
    json_object_set_new(json_object_get(row, "limits"), name, json_integer(value));
    payload = json_dumps(row, JSON_COMPACT);
    sim_cell_put(sim->cell, "tenant", instances[tenant], payload);
    free(payload);
    json_decref(row);
    if (sim->executor == NULL)
        return;
    sim_executor_call(sim->executor, 0, notify, sim->store);
    sim_executor_run_for(sim->executor, 1000000);
}

void sim_broker_add_key(struct sim_broker *sim, int tenant, const char *role, uint64_t seed,
                        struct service_key *ret_key)
{
    struct seeded_random random;
    char verifier[2 * KEY_VERIFIER_LEN + 1];
    char payload[512];

    seeded_random_init(&random, seed);
    invariant(service_key_generate(&random.base, KEY_SERVICE, ret_key) == ERR_OK);
    for (size_t i = 0; i < KEY_VERIFIER_LEN; i++)
        snprintf(verifier + 2 * i, 3, "%02x", ret_key->verifier[i]);
    snprintf(payload, sizeof(payload),
             "{\"key_id\": \"%s\", \"instance_no\": %d, \"role\": \"%s\", \"verifier\": \"%s\", "
             "\"scram_sha_256\": null, \"scram_sha_512\": null}",
             ret_key->id, sim_broker_instance_no(tenant), role, verifier);
    sim_cell_put(sim->cell, "credential", ret_key->id, payload);
    sim_executor_call(sim->executor, 0, notify, sim->store);
    sim_executor_run_for(sim->executor, 1000000);
}

void sim_broker_connect_sasl(struct sim_broker *sim, struct sim_kafka *kafka)
{
    struct sim_client *client = sim_client_connect(sim->network, SIM_SASL_PORT);

    invariant(client != NULL);
    sim_kafka_init(kafka, client);
}

int16_t sim_broker_create_topic(struct sim_broker *sim, struct sim_kafka *kafka, const char *name,
                                int32_t partitions)
{
    struct kafka_create_topics_request request;
    struct kafka_create_topics_request_topic topic;
    struct kafka_create_topics_response response;

    kafka_create_topics_request_init_defaults(&request);
    kafka_create_topics_request_topic_init_defaults(&topic);
    topic.name = slice_from_cstring(name);
    topic.num_partitions = partitions;
    topic.replication_factor = -1;
    request.topics.items = &topic;
    request.topics.count = 1;
    sim_broker_call(sim, kafka, KAFKA_API_CREATE_TOPICS, 7, kafka_create_topics_request, &request,
                    kafka_create_topics_response, &response);
    invariant(response.topics.count == 1);
    return response.topics.items[0].error_code;
}

static void on_stopped(void *context)
{
    ((struct sim_broker *)context)->is_stopped = true;
}

static void stop_broker(void *context)
{
    struct sim_broker *sim = context;

    broker_stop(sim->broker, on_stopped, sim);
}

static bool is_stopped(void *context)
{
    return ((const struct sim_broker *)context)->is_stopped;
}

static void end_process(struct sim_broker *sim)
{
    sim_executor_call(sim->executor, 0, stop_broker, sim);
    invariant(sim_executor_run_until(sim->executor, is_stopped, sim, MAX_STEPS));
    sim->wall_ms = clock_wall_ms(sim_executor_clock(sim->executor));
    broker_free(sim->broker);
    sim_meta_store_free(sim->store);
    log_directory_free(sim->directory);
    sim_network_free(sim->network);
    sim_executor_free(sim->executor);
    sim->executor = NULL;
}

void sim_broker_stop(struct sim_broker *sim)
{
    end_process(sim);
    sim_disk_kill(sim->disk); /* its lock ends with it; all else is closed */
}

static void take_down(struct sim_broker *sim)
{
    sim_disk_die_after(sim->disk, 0);
    end_process(sim);
}

void sim_broker_kill(struct sim_broker *sim)
{
    take_down(sim);
    sim_disk_kill(sim->disk);
}

void sim_broker_crash(struct sim_broker *sim)
{
    take_down(sim);
    sim_disk_crash(sim->disk);
}

void sim_broker_connect(struct sim_broker *sim, int tenant, struct sim_kafka *kafka)
{
    struct sim_client *client = sim_client_connect(sim->network, SIM_PORT + tenant);

    invariant(client != NULL);
    sim_kafka_init(kafka, client);
}

bool sim_broker_wait(struct sim_broker *sim, struct sim_kafka *kafka)
{
    sim_executor_run_until(sim->executor, sim_kafka_is_settled, kafka, MAX_STEPS);
    return sim_kafka_has_answer(kafka);
}

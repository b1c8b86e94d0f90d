/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/handlers/handler_rig.h"

#include "common/crypto/encoding.h"
#include "common/crypto/service_key.h"
#include "common/observe/log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEED = 20, LOOPS = 2, SASL_PORT = 11500 };

struct sim_broker rig;
struct sim_kafka rig_client;
struct sim_kafka rig_other;

static const char *const instances[SIM_TENANTS] = {"aaaaaaaa-0000-4000-8000-000000000001",
                                                   "bbbbbbbb-0000-4000-8000-000000000002"};

#define TAKE(field)                                                                                \
    if (limits->field != 0)                                                                        \
    rig.limits.field = limits->field

void rig_setup_with(const struct broker_limits *limits)
{
    log_setup("test", LOG_ERROR, LOG_FORMAT_TEXT);
    sim_broker_init(&rig, SEED, LOOPS);
    TAKE(topic_mutations_per_second);
    TAKE(connection_memory_bytes);
    TAKE(max_control_frame_bytes);
    if (limits->logins.strangers != 0)
        rig.limits.logins = limits->logins;
    if (limits->memory.limit_bytes != 0)
        rig.limits.memory = limits->memory;
    sim_broker_start(&rig);
    sim_broker_connect(&rig, 0, &rig_client);
    sim_broker_connect(&rig, 1, &rig_other);
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

/* A key of tenant 0, and a listener where it may be used without TLS. */
static void put_key(const struct service_key *key, const char *role)
{
    json_t *credential =
        json_pack("{s:s, s:i, s:s, s:n, s:n}", "key_id", key->id, "instance_no",
                  sim_broker_instance_no(0), "role", role, "scram_sha_256", "scram_sha_512");
    char verifier[2 * KEY_VERIFIER_LEN + 1];

    hex_encode(key->verifier, sizeof(key->verifier), verifier);
    json_object_set_new(credential, "verifier", json_string(verifier));
    put("credential", key->id, credential);
    put("listener", "0/sasl",
        json_pack("{s:i, s:s, s:s, s:i, s:s, s:n, s:i}", "broker", 0, "name", "sasl", "host",
                  "localhost", "port", SASL_PORT, "security", "SASL_PLAINTEXT", "instance_no",
                  "auto_create_partitions", 0));
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
    struct sim_client *client = NULL;
    struct service_key key;
    char token[KEY_TEXT_LEN + 16];
    size_t token_len = 0;

    ck_assert_int_eq(service_key_generate(&rig.random.base, KEY_SERVICE, &key), ERR_OK);
    put_key(&key, role);
    client = sim_client_connect(rig.network, SASL_PORT);
    ck_assert_ptr_nonnull(client);
    sim_kafka_init(kafka, client);
    token_len = 1 + (size_t)snprintf(token + 1, sizeof(token) - 1, "token%c%s", '\0', key.text);
    token[0] = '\0';
    return authenticate(kafka, token, token_len) == KAFKA_NONE;
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

/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of handlers share: one simulated broker with two instances, a client of each, and the calls
 * that most tests begin with. Requests are written and answers read by the generated codecs. */
#ifndef TESTS_UNIT_DATAPLANE_HANDLERS_HANDLER_RIG_H
#define TESTS_UNIT_DATAPLANE_HANDLERS_HANDLER_RIG_H

#include "common/kafka/kafka_error.h"
#include "common/kafka/kafka_messages.h"
#include "tests/simulation/sim_broker.h"
#include "tests/simulation/sim_records.h"

#include <check.h>

enum { RIG_BATCHES_MAX = 64 };

extern struct sim_broker rig;
extern struct sim_kafka rig_client; /* of tenant 0 */
extern struct sim_kafka rig_other;  /* of tenant 1 */

void rig_setup(void);
/* With other bounds of the broker, where these are not 0. */
void rig_setup_with(const struct broker_limits *limits);
/* With so many bytes of the logs' ends in memory. */
void rig_setup_with_tail(int64_t tail_cache_bytes);
void rig_teardown(void);

/* rig_call(&rig_client, HEARTBEAT, heartbeat, 4, &request, &response) */
#define rig_call(kafka, KEY, name, version, request, response)                                     \
    sim_broker_call(&rig, kafka, KAFKA_API_##KEY, version, kafka_##name##_request, request,        \
                    kafka_##name##_response, response)

/* Creates a topic; its error code. */
int rig_create_topic(struct sim_kafka *kafka, const char *name, int32_t partitions);
/* The topic's id, by Metadata. */
struct uuid rig_topic_id(struct sim_kafka *kafka, const char *name);
/* How many partitions Metadata shows; -1 = no such topic. */
int32_t rig_partition_count(struct sim_kafka *kafka, const char *name);

/* Sends a Produce (version 9, acks -1) of this batch to partition 0 of the topic; its answer is taken with
 * rig_take_produce when it is there. */
void rig_send_batch(struct sim_kafka *kafka, const char *topic, const struct sim_batch *batch);
/* The same batch to each of these partitions, in one request. */
void rig_send_batches(struct sim_kafka *kafka, const char *topic, const struct sim_batch *batch,
                      const int32_t *partitions, int32_t count);
struct kafka_produce_response_partition rig_take_produce(struct sim_kafka *kafka);
/* Produces count plain records to partition 0; the error code. */
int rig_produce(struct sim_kafka *kafka, const char *topic, int32_t count);
/* IncrementalAlterConfigs of one setting of a topic; the answer, whose text is valid until the next call. */
struct kafka_incremental_alter_configs_response_resource
rig_alter(struct sim_kafka *kafka, const char *topic, const char *name, const char *value);

/* The row of a tenant put anew with these; waits until the broker knows it. */
void rig_limit_partitions(int tenant, int64_t partitions);
void rig_hide_internal_topics(int tenant);
/* The tenant's listener makes topics by being asked for them; the client connects again. */
void rig_auto_create(int tenant, int32_t partitions);
/* A row for one more listener of tenant 0; waits until the broker knows it. */
void rig_add_listener(const char *name, int port);
/* A client of tenant 0 that logs in with a new key of this role ("Reader", …). False = refused, kafka is
 * to be done with all the same. */
bool rig_login(const char *role, struct sim_kafka *kafka) WARN_UNUSED;
/* Cuts the broker off from the store, and lets it come back. */
void rig_set_store_reachable(bool is_reachable);
void rig_run_ms(int64_t duration_ms);

/* Text of a request, lent. */
static inline struct slice text(const char *cstring)
{
    return slice_from_cstring(cstring);
}

static inline void assert_text(struct slice actual, const char *expected)
{
    ck_assert_msg(slice_equal_cstring(actual, expected), "'%.*s' is not '%s'",
                  actual.data ? (int)actual.len : 4,
                  actual.data ? (const char *)actual.data : "null", expected);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* One whole broker in the simulator: the real core on simulated loops, disk, network, time and store.
 *
 * The cell, the disk and the store survive a stop, a kill and a crash; the process does not. Two
 * instances, each with a PLAINTEXT listener of its own, so that tests see what a tenant sees. */
#ifndef TESTS_SIMULATION_SIM_BROKER_H
#define TESTS_SIMULATION_SIM_BROKER_H

#include "common/crypto/service_key.h"
#include "dataplane/broker.h"
#include "tests/simulation/sim_cell.h"
#include "tests/simulation/sim_disk.h"
#include "tests/simulation/sim_executor.h"
#include "tests/simulation/sim_kafka.h"
#include "tests/simulation/sim_meta_store.h"

enum { SIM_TENANTS = 2, SIM_PORT = 11000, SIM_SASL_PORT = 11100, SIM_METRICS_PORT = 11900 };

struct sim_broker {
    uint64_t seed;
    int loop_count;
    struct sim_trace trace;
    struct sim_cell *cell;
    struct disk *disk;
    int64_t incarnation;
    int64_t wall_ms;             /* carried over restarts */
    struct broker_limits limits; /* of the next start; the defaults at first */
    int64_t
        tail_cache_bytes; /* of the next start; small at first, so that reads go to files, too */
    /* of the running process */
    struct sim_executor *executor;
    struct network *network;
    struct sim_meta_store *store;
    struct log_directory *directory;
    struct log_directory_report report;
    struct broker *broker;
    struct seeded_random random;
    bool is_stopped;
};

void sim_broker_init(struct sim_broker *sim, uint64_t seed, int loop_count);
void sim_broker_done(struct sim_broker *sim);

/* Until both listeners are open. */
void sim_broker_start(struct sim_broker *sim);
void sim_broker_stop(struct sim_broker *sim);  /* clean */
void sim_broker_kill(struct sim_broker *sim);  /* SIGKILL: what was written is there */
void sim_broker_crash(struct sim_broker *sim); /* power: what was not flushed may be gone */

/* tenant 0 or 1. kafka is initialized; sim_kafka_done it before the process ends. */
void sim_broker_connect(struct sim_broker *sim, int tenant, struct sim_kafka *kafka);
/* Runs until the answer is there or the connection is closed. False = closed. */
bool sim_broker_wait(struct sim_broker *sim, struct sim_kafka *kafka);
int32_t sim_broker_instance_no(int tenant);
/* A limit of the tenant's row, by its name, put anew; waits until the broker knows it. */
void sim_broker_set_limit(struct sim_broker *sim, int tenant, const char *name, int64_t value);
/* A service key of the tenant (role: "Reader", …), known to the broker when this returns; the same seed gives
 * the same key. */
void sim_broker_add_key(struct sim_broker *sim, int tenant, const char *role, uint64_t seed,
                        struct service_key *ret_key);
/* To the listener that asks for SASL, without TLS; any tenant's key opens it. */
void sim_broker_connect_sasl(struct sim_broker *sim, struct sim_kafka *kafka);
/* Creates a topic; its error code. */
int16_t sim_broker_create_topic(struct sim_broker *sim, struct sim_kafka *kafka, const char *name,
                                int32_t partitions);

/* sim_broker_call(sim, kafka, KAFKA_API_X, 3, kafka_x_request, &request, kafka_x_response, &response) */
#define sim_broker_call(sim, kafka, key, ver, in, request, out, response)                          \
    do {                                                                                           \
        sim_kafka_send(kafka, key, ver, in, request);                                              \
        invariant(sim_broker_wait(sim, kafka));                                                    \
        sim_kafka_answer(kafka, out, response);                                                    \
    } while (0)

#endif

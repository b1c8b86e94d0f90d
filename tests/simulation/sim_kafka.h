/* SPDX-License-Identifier: Apache-2.0 */
/* A Kafka client for simulations and handler tests: requests written and answers read by the generated
 * codecs, over a simulated connection.
 *
 *   kafka_metadata_request_init_defaults(&request);
 *   sim_kafka_send(kafka, KAFKA_API_METADATA, 12, kafka_metadata_request, &request);
 *   ... run the executor until sim_kafka_has_answer(kafka) ...
 *   sim_kafka_answer(kafka, kafka_metadata_response, &response);       borrowed until the next send */
#ifndef TESTS_SIMULATION_SIM_KAFKA_H
#define TESTS_SIMULATION_SIM_KAFKA_H

#include "common/base/arena.h"
#include "common/kafka/kafka_api.h"
#include "tests/simulation/sim_network.h"

struct sim_kafka {
    struct sim_client *client; /* owned */
    int32_t correlation_id;
    int16_t api_key; /* of the request under way */
    int16_t version;
    const char *client_id; /* "sim" at first */
    struct buffer out;
    struct arena arena;
    uint8_t *answer; /* the frame last read; owned */
};

void sim_kafka_init(struct sim_kafka *kafka, struct sim_client *client);
void sim_kafka_done(struct sim_kafka *kafka);

/* Writes frame size and header; the body follows into the returned writer; then _end sends it. */
struct writer sim_kafka_begin(struct sim_kafka *kafka, enum kafka_api_key key, int16_t version);
void sim_kafka_end(struct sim_kafka *kafka, const struct writer *writer);
bool sim_kafka_has_answer(const struct sim_kafka *kafka);
/* The connection is closed, or an answer is there. */
bool sim_kafka_is_settled(void *kafka);
/* Takes the next answer and checks its header; the body is left to read. */
struct reader sim_kafka_take(struct sim_kafka *kafka);

#define sim_kafka_send(kafka, key, ver, message, pointer)                                          \
    do {                                                                                           \
        struct writer writer_ = sim_kafka_begin((kafka), (key), (ver));                            \
        invariant(message##_write(&writer_, (ver), (pointer)) == ERR_OK);                          \
        sim_kafka_end((kafka), &writer_);                                                          \
    } while (0)

#define sim_kafka_answer(kafka, message, pointer)                                                  \
    do {                                                                                           \
        struct reader reader_ = sim_kafka_take(kafka);                                             \
        invariant(message##_read(&reader_, (kafka)->version, &(kafka)->arena, (pointer)) ==        \
                  ERR_OK);                                                                         \
        invariant(reader_left(&reader_) == 0);                                                     \
    } while (0)

#endif

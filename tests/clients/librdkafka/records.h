/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the scenario: how they are made, sent, read and compared. */
#ifndef TESTS_CLIENTS_LIBRDKAFKA_RECORDS_H
#define TESTS_CLIENTS_LIBRDKAFKA_RECORDS_H

#include <librdkafka/rdkafka.h>

#include <stdbool.h>

enum { PARTITIONS = 3, RECORDS_PER_CODEC = 60, CODECS = 5 };

extern const char *const codec_names[CODECS];

/* A producer counts what is acknowledged; producer_flush waits for all that was sent, producer_finish too. */
struct producer {
    rd_kafka_t *client;
    int sent;
    int acknowledged;
};

void producer_init(struct producer *producer, const char *codec, bool is_idempotent);
void producer_send_codec_record(struct producer *producer, const char *codec, int number,
                                int64_t moment_ms);
void producer_send_number(struct producer *producer, const char *topic, int number);
void producer_flush(struct producer *producer);
void producer_finish(struct producer *producer);

/* A consumer of the given partitions, from their beginning. */
rd_kafka_t *reader_new(const char *topic, const int *partitions, int count);

/* The next record, or NULL after a tenth of a second; an error of the consumer ends the program. */
rd_kafka_message_t *next_record(rd_kafka_t *client);
void reader_free(rd_kafka_t *client);

int number_in(const rd_kafka_message_t *record);

void expect_codec_records(int64_t moment_ms);

/* Numbers 0 … count-1 are in the topic, each once and in order in its partition, and nothing else. */
void expect_numbers(const char *topic, int count);

#endif

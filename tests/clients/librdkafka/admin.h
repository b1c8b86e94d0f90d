/* SPDX-License-Identifier: Apache-2.0 */
/* Administration of topics; each call waits for its answer, and a refusal ends the program. */
#ifndef TESTS_CLIENTS_LIBRDKAFKA_ADMIN_H
#define TESTS_CLIENTS_LIBRDKAFKA_ADMIN_H

#include <librdkafka/rdkafka.h>

void create_topic(rd_kafka_t *client, const char *topic, int partitions);
void delete_topic(rd_kafka_t *client, const char *topic);
void grow_topic(rd_kafka_t *client, const char *topic, int partitions);

/* From the metadata of all topics: librdkafka leaves bytes after that request, which must not cost the
 * connection. Returns the number of partitions, each of which has a leader; 0 for no such topic. */
int partitions_of(rd_kafka_t *client, const char *topic);

void alter_setting(rd_kafka_t *client, const char *topic, const char *name, const char *value);
void expect_setting(rd_kafka_t *client, const char *topic, const char *name, const char *wanted);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/sim_kafka.h"

#include "common/kafka/request_header.h"
#include "common/kafka/response_header.h"

#include <stdlib.h>

enum { MAX_FRAME = 128 * 1048576 };

void sim_kafka_init(struct sim_kafka *kafka, struct sim_client *client)
{
    *kafka = (struct sim_kafka){.client = client, .correlation_id = 100, .client_id = "sim"};
    buffer_init(&kafka->out, MAX_FRAME);
    arena_init(&kafka->arena, MAX_FRAME);
}

void sim_kafka_done(struct sim_kafka *kafka)
{
    sim_client_free(kafka->client);
    buffer_done(&kafka->out);
    arena_done(&kafka->arena);
    free(kafka->answer);
}

struct writer sim_kafka_begin(struct sim_kafka *kafka, enum kafka_api_key key, int16_t version)
{
    const struct kafka_api *api = kafka_api_find((int16_t)key);
    struct kafka_request_header header;
    struct writer writer;

    invariant(api != NULL);
    kafka->api_key = (int16_t)key;
    kafka->version = version;
    kafka->correlation_id++;
    buffer_clear(&kafka->out);
    writer_init(&writer, &kafka->out);
    writer_i32(&writer, 0);
    kafka_request_header_init_defaults(&header);
    header.request_api_key = (int16_t)key;
    header.request_api_version = version;
    header.correlation_id = kafka->correlation_id;
    header.client_id = slice_from_cstring(kafka->client_id);
    invariant(kafka_request_header_write(&writer, kafka_api_request_header_version(api, version),
                                         &header) == ERR_OK);
    return writer;
}

void sim_kafka_end(struct sim_kafka *kafka, const struct writer *writer)
{
    struct writer patch = *writer;

    invariant(writer->err == ERR_OK);
    writer_patch_i32(&patch, 0, (int32_t)kafka->out.len - 4);
    sim_client_send(kafka->client, kafka->out.data, kafka->out.len);
}

static size_t answer_size(const struct sim_kafka *kafka)
{
    const struct buffer *received = sim_client_received(kafka->client);
    struct reader reader;

    if (received->len < 4)
        return 0;
    reader_init(&reader, buffer_slice(received));
    return 4 + (size_t)reader_u32(&reader);
}

bool sim_kafka_has_answer(const struct sim_kafka *kafka)
{
    size_t size = answer_size(kafka);

    return size > 0 && sim_client_received(kafka->client)->len >= size;
}

bool sim_kafka_is_settled(void *context)
{
    const struct sim_kafka *kafka = context;

    return sim_kafka_has_answer(kafka) || sim_client_is_closed(kafka->client);
}

struct reader sim_kafka_take(struct sim_kafka *kafka)
{
    const struct kafka_api *api = kafka_api_find(kafka->api_key);
    struct buffer *received = sim_client_received(kafka->client);
    size_t size = answer_size(kafka);
    struct kafka_response_header header;
    struct reader reader;

    invariant(sim_kafka_has_answer(kafka));
    arena_reset(&kafka->arena);
    free(kafka->answer);
    kafka->answer = malloc(size);
    invariant(kafka->answer != NULL);
    memcpy(kafka->answer, received->data, size);
    buffer_consume(received, size);
    reader_init(&reader, slice_of(kafka->answer + 4, size - 4));
    invariant(kafka_response_header_read(&reader,
                                         kafka_api_response_header_version(api, kafka->version),
                                         &kafka->arena, &header) == ERR_OK);
    invariant(header.correlation_id == kafka->correlation_id);
    return reader;
}

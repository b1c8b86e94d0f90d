/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/kafka_api.h"

const struct kafka_api kafka_apis[] = {
#define KAFKA_API_ROW(NAME, key, name, min, max, lowest_read, first_flexible)                      \
    {(key), (min), (max), (lowest_read), (first_flexible), (name)},
    KAFKA_API_LIST(KAFKA_API_ROW)
#undef KAFKA_API_ROW
};

const size_t kafka_api_count = sizeof(kafka_apis) / sizeof(kafka_apis[0]);

const struct kafka_api *kafka_api_find(int16_t key)
{
    size_t low = 0;
    size_t high = kafka_api_count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (kafka_apis[middle].key == key)
            return &kafka_apis[middle];
        if (kafka_apis[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool kafka_api_has_version(const struct kafka_api *api, int16_t version)
{
    return version >= api->lowest_read_version && version <= api->max_version;
}

int16_t kafka_api_request_header_version(const struct kafka_api *api, int16_t version)
{
    return version >= api->first_flexible_version ? 2 : 1;
}

int16_t kafka_api_response_header_version(const struct kafka_api *api, int16_t version)
{
    if (api->key == KAFKA_API_API_VERSIONS)
        return 0;
    return version >= api->first_flexible_version ? 1 : 0;
}

enum err kafka_api_read_request_header(struct reader *reader, struct kafka_request_header *out,
                                       const struct kafka_api **ret_api)
{
    struct reader ahead = *reader;
    const int16_t key = reader_i16(&ahead);
    const int16_t version = reader_i16(&ahead);
    const struct kafka_api *api = kafka_api_find(key);
    enum err rc = ahead.err;

    if (rc != ERR_OK)
        return rc;
    if (api == NULL) {
        kafka_request_header_init_defaults(out);
        out->request_api_key = key;
        out->request_api_version = version;
        out->correlation_id = reader_i32(&ahead);
        *reader = ahead;
    } else {
        /* A header has no arrays, hence no arena. */
        rc = kafka_request_header_read(reader, kafka_api_request_header_version(api, version), NULL,
                                       out);
    }
    if (rc == ERR_OK)
        rc = reader->err;
    if (rc == ERR_OK)
        *ret_api = api;
    return rc;
}

enum err kafka_api_write_response_header(struct writer *writer, const struct kafka_api *api,
                                         int16_t version, int32_t correlation_id)
{
    const struct kafka_response_header header = {.correlation_id = correlation_id};

    return kafka_response_header_write(writer, kafka_api_response_header_version(api, version),
                                       &header);
}

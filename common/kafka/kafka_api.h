/* SPDX-License-Identifier: Apache-2.0 */
/* Which requests there are, in which versions, and under which headers.
 *
 * The table is made from api/kafka/<name>Request.json. What a broker advertises is a choice out of
 * it (dispatch/): only what it serves, at min_version to max_version. */
#ifndef COMMON_KAFKA_KAFKA_API_H
#define COMMON_KAFKA_KAFKA_API_H

#include "common/kafka/kafka_api_list.h" /* generated: KAFKA_API_LIST, in order of key */
#include "common/kafka/request_header.h"
#include "common/kafka/response_header.h"

enum kafka_api_key {
#define KAFKA_API_ENUM(NAME, key, name, min, max, lowest_read, first_flexible)                     \
    KAFKA_API_##NAME = (key),
    KAFKA_API_LIST(KAFKA_API_ENUM) /* KAFKA_API_PRODUCE, KAFKA_API_OFFSET_FOR_LEADER_EPOCH, … */
#undef KAFKA_API_ENUM
};

struct kafka_api {
    int16_t key;
    int16_t min_version; /* to advertise */
    int16_t max_version;
    int16_t lowest_read_version;    /* we decode from here; Produce advertises less */
    int16_t first_flexible_version; /* INT16_MAX when never */
    const char *name;               /* "OffsetForLeaderEpoch" */
};

/* All, ascending by key. */
extern const struct kafka_api kafka_apis[];
extern const size_t kafka_api_count;

/* NULL when we know no such request. */
const struct kafka_api *kafka_api_find(int16_t key);
/* Can a body of this version be read and its response be written? */
bool kafka_api_has_version(const struct kafka_api *api, int16_t version);
/* 1 or 2, also for versions beyond max_version. */
int16_t kafka_api_request_header_version(const struct kafka_api *api, int16_t version);
/* 0 or 1. ApiVersions has 0 always, so that clients can read it before they know us. */
int16_t kafka_api_response_header_version(const struct kafka_api *api, int16_t version);

/* Reads the header of a request, whichever version it has.
 *
 * ret_api    NULL when the key is unknown; then client_id and what follows were not read
 * Errors     ERR_TRUNCATED, ERR_INVALID. The version is not checked: ApiVersions is answered in any */
enum err kafka_api_read_request_header(struct reader *reader, struct kafka_request_header *out,
                                       const struct kafka_api **ret_api) WARN_UNUSED;
/* Writes the header of the response to a request of that version. */
enum err kafka_api_write_response_header(struct writer *writer, const struct kafka_api *api,
                                         int16_t version, int32_t correlation_id) WARN_UNUSED;

#endif

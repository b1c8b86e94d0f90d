/* SPDX-License-Identifier: Apache-2.0 */
/* ApiVersions: what we serve, and nothing else. A version that we do not know is answered in version 0
 * with the one range that helps the client, never with a close. kafka-protocol.md 2.4, 2.5. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/api_versions_request.h"
#include "common/kafka/api_versions_response.h"

#include <ctype.h>
#include <stdio.h>

/* Kafka 4.3's level, so that tools see a release that fits the API ranges. */
enum { METADATA_VERSION_MIN = 7, METADATA_VERSION = 30 };

/* [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])? */
static bool is_software_text(struct slice text)
{
    if (text.len == 0 || !isalnum(text.data[0]) || !isalnum(text.data[text.len - 1]))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!isalnum(text.data[i]) && text.data[i] != '-' && text.data[i] != '.')
            return false;
    }
    return true;
}

static void remember_software(struct session *session,
                              const struct kafka_api_versions_request *body)
{
    snprintf(session->software_name, sizeof(session->software_name), SLICE_FORMAT,
             SLICE_ARG(body->client_software_name));
    snprintf(session->software_version, sizeof(session->software_version), SLICE_FORMAT,
             SLICE_ARG(body->client_software_version));
}

static void set_range(struct kafka_api_versions_response_api_key *out, const struct kafka_api *api)
{
    out->api_key = api->key;
    out->min_version = api->min_version;
    out->max_version = api->max_version;
}

static enum err fill_all(struct request *request, struct kafka_api_versions_response *response)
{
    const struct api_handler *handlers = request->broker->handlers;
    int32_t count = 0;
    enum err rc = ERR_OK;

    while (handlers[count].handle != NULL)
        count++;
    rc =
        kafka_api_versions_response_api_key_array_init(&response->api_keys, &request->arena, count);
    for (int32_t i = 0; rc == ERR_OK && i < count; i++)
        set_range(&response->api_keys.items[i], kafka_api_find((int16_t)handlers[i].key));
    if (rc == ERR_OK)
        rc = kafka_api_versions_response_supported_feature_array_init(&response->supported_features,
                                                                      &request->arena, 1);
    if (rc == ERR_OK)
        rc = kafka_api_versions_response_finalized_feature_array_init(&response->finalized_features,
                                                                      &request->arena, 1);
    if (rc != ERR_OK)
        return rc;
    response->supported_features.items[0] = (struct kafka_api_versions_response_supported_feature){
        SLICE_LITERAL("metadata.version"), METADATA_VERSION_MIN, METADATA_VERSION};
    response->finalized_features.items[0] = (struct kafka_api_versions_response_finalized_feature){
        SLICE_LITERAL("metadata.version"), METADATA_VERSION, METADATA_VERSION};
    response->finalized_features_epoch = image_version(request->broker->image);
    return ERR_OK;
}

static void answer_unknown_version(struct request *request)
{
    struct kafka_api_versions_response response;

    kafka_api_versions_response_init_defaults(&response);
    response.error_code = KAFKA_UNSUPPORTED_VERSION;
    if (kafka_api_versions_response_api_key_array_init(&response.api_keys, &request->arena, 1) !=
        ERR_OK) {
        request_fail(request, "out of memory");
        return;
    }
    set_range(&response.api_keys.items[0], request->api);
    request->version = 0;
    request_reply(request, kafka_api_versions_response, &response);
}

void handle_api_versions(struct request *request)
{
    struct kafka_api_versions_request body;
    struct kafka_api_versions_response response;
    enum err rc = ERR_OK;

    if (!kafka_api_has_version(request->api, request->version)) {
        answer_unknown_version(request);
        return;
    }
    if (!auth_session_allows(&request->session->auth, true)) {
        request_fail(request, "not between SASL tokens");
        return;
    }
    if (!request_read(request, kafka_api_versions_request, &body))
        return;
    kafka_api_versions_response_init_defaults(&response);
    if (request->version >= 3 && (!is_software_text(body.client_software_name) ||
                                  !is_software_text(body.client_software_version))) {
        response.error_code = KAFKA_INVALID_REQUEST;
        request_reply(request, kafka_api_versions_response, &response);
        return;
    }
    if (request->version >= 3)
        remember_software(request->session, &body);
    rc = fill_all(request, &response);
    if (rc != ERR_OK)
        request_fail(request, err_text(rc));
    else
        request_reply(request, kafka_api_versions_response, &response);
}

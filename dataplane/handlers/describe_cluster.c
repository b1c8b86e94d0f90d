/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeCluster: the brokers and the instance's own cluster id. There are no controllers to ask for. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/describe_cluster_request.h"
#include "common/kafka/describe_cluster_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/broker_list.h"

enum { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

static bool fill(struct request *request, const struct image_tenant *tenant,
                 struct kafka_describe_cluster_response *response)
{
    struct broker_list brokers;

    if (!broker_list_make(request, &brokers) ||
        kafka_describe_cluster_response_broker_array_init(&response->brokers, &request->arena,
                                                          brokers.count) != ERR_OK)
        return false;
    for (int32_t i = 0; i < brokers.count; i++) {
        response->brokers.items[i].broker_id = brokers.items[i].id;
        response->brokers.items[i].host = brokers.items[i].host;
        response->brokers.items[i].port = brokers.items[i].port;
        response->brokers.items[i].rack = brokers.items[i].rack;
    }
    response->controller_id = broker_list_controller(&brokers, request->broker->broker_id);
    response->cluster_id = slice_from_cstring(tenant->cluster_id);
    return true;
}

static void refuse(struct request *request, struct kafka_describe_cluster_response *response,
                   int8_t endpoint_type)
{
    bool is_known = endpoint_type == ENDPOINT_CONTROLLERS;

    response->error_code =
        (int16_t)(is_known ? KAFKA_MISMATCHED_ENDPOINT_TYPE : KAFKA_UNSUPPORTED_ENDPOINT_TYPE);
    response->error_message =
        is_known ? SLICE_LITERAL("This is a broker's listener: ask for endpoint type 1")
                 : SLICE_LITERAL("Unknown endpoint type: ask for 1, brokers");
    request_reply(request, kafka_describe_cluster_response, response);
}

void handle_describe_cluster(struct request *request)
{
    const struct image_tenant *tenant = request_tenant(request);
    struct kafka_describe_cluster_request body;
    struct kafka_describe_cluster_response response;

    if (!request_read(request, kafka_describe_cluster_request, &body))
        return;
    kafka_describe_cluster_response_init_defaults(&response);
    response.throttle_time_ms = request->throttle_time_ms;
    if (body.endpoint_type != ENDPOINT_BROKERS) {
        refuse(request, &response, body.endpoint_type);
        return;
    }
    if (body.include_cluster_authorized_operations)
        response.cluster_authorized_operations = request_operations(request, AUTHORIZED_CLUSTER);
    if (tenant == NULL || !fill(request, tenant, &response)) {
        request_fail_no_room(request);
        return;
    }
    request_reply(request, kafka_describe_cluster_response, &response);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* DeleteGroups: each at its own coordinator; one that has members stays. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/delete_groups_request.h"
#include "common/kafka/delete_groups_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/group_names.h"

static void reply(struct group_calls *calls)
{
    struct request *request = calls->request;
    struct kafka_delete_groups_response response;

    kafka_delete_groups_response_init_defaults(&response);
    response.throttle_time_ms = request->throttle_time_ms;
    if (kafka_delete_groups_response_group_array_init(&response.results, &request->arena,
                                                      calls->count) != ERR_OK) {
        request_fail_no_room(request);
        return;
    }
    for (int32_t i = 0; i < calls->count; i++) {
        response.results.items[i].group_id = calls->items[i].call.group.group_id;
        response.results.items[i].error_code = (int16_t)calls->items[i].call.group.error;
    }
    request_reply(request, kafka_delete_groups_response, &response);
}

void handle_delete_groups(struct request *request)
{
    struct kafka_delete_groups_request body;
    struct group_calls *calls = NULL;

    if (!request_read(request, kafka_delete_groups_request, &body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    calls = group_calls_for_names(request, GROUP_DELETE, &body.groups_names);
    if (calls == NULL) {
        request_fail_no_room(request);
        return;
    }
    if (request_may(request, ACCESS_MANAGE_GROUPS))
        group_calls_start(calls, reply);
    else
        group_calls_refuse(calls, KAFKA_GROUP_AUTHORIZATION_FAILED, reply);
}

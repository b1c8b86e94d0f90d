/* SPDX-License-Identifier: Apache-2.0 */
/* Heartbeat: a member is alive, and hears whether the group rebalances. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/heartbeat_request.h"
#include "common/kafka/heartbeat_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/group_calls.h"

static void reply(struct group_calls *calls)
{
    struct kafka_heartbeat_response response;

    kafka_heartbeat_response_init_defaults(&response);
    response.throttle_time_ms = calls->request->throttle_time_ms;
    response.error_code = (int16_t)group_calls_only(calls)->error;
    request_reply(calls->request, kafka_heartbeat_response, &response);
}

void handle_heartbeat(struct request *request)
{
    struct kafka_heartbeat_request body;
    struct group_calls *calls = NULL;

    if (!request_read(request, kafka_heartbeat_request, &body))
        return;
    calls = group_calls_new(request, GROUP_HEARTBEAT, 1);
    if (calls == NULL) {
        request_fail_no_room(request);
        return;
    }
    group_calls_only(calls)->group_id = body.group_id;
    group_calls_only(calls)->heartbeat.request = (struct group_heartbeat_request){
        .generation = body.generation_id,
        .member_id = body.member_id,
        .instance_id = body.group_instance_id,
    };
    group_calls_start(calls, reply);
}

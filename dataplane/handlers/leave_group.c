/* SPDX-License-Identifier: Apache-2.0 */
/* LeaveGroup: one member (versions 0 to 2, whose error is the response's), or several. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/leave_group_request.h"
#include "common/kafka/leave_group_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/group_calls.h"

static bool fill_members(struct request *request, const struct group_leave_request *leave,
                         struct kafka_leave_group_response *response)
{
    if (kafka_leave_group_response_member_array_init(&response->members, &request->arena,
                                                     (int32_t)leave->member_count) != ERR_OK)
        return false;
    for (size_t i = 0; i < leave->member_count; i++) {
        response->members.items[i].member_id = leave->members[i].member_id;
        response->members.items[i].group_instance_id = leave->members[i].instance_id;
        response->members.items[i].error_code = (int16_t)leave->members[i].error;
    }
    return true;
}

static void reply(struct group_calls *calls)
{
    struct request *request = calls->request;
    const struct group_call *call = group_calls_only(calls);
    const struct group_leave_request *leave = &call->leave.request;
    struct kafka_leave_group_response response;
    bool ok = true;

    kafka_leave_group_response_init_defaults(&response);
    response.throttle_time_ms = request->throttle_time_ms;
    response.error_code = (int16_t)call->error;
    if (request->version < 3 && call->error == KAFKA_NONE)
        response.error_code = (int16_t)leave->members[0].error;
    if (request->version >= 3 && call->error == KAFKA_NONE)
        ok = fill_members(request, leave, &response);
    if (ok)
        request_reply(request, kafka_leave_group_response, &response);
    else
        request_fail_no_room(request);
}

static bool take_members(struct request *request, const struct kafka_leave_group_request *body,
                         struct group_leave_request *leave)
{
    bool is_one = request->version < 3;

    leave->member_count = is_one ? 1 : (size_t)body->members.count;
    leave->members =
        arena_new_array(&request->arena, leave->member_count, struct group_leaving_member);
    if (leave->members == NULL)
        return false;
    if (is_one)
        leave->members[0].member_id = body->member_id;
    for (int32_t i = 0; !is_one && i < body->members.count; i++) {
        leave->members[i].member_id = body->members.items[i].member_id;
        leave->members[i].instance_id = body->members.items[i].group_instance_id;
    }
    return true;
}

void handle_leave_group(struct request *request)
{
    struct kafka_leave_group_request body;
    struct group_calls *calls = NULL;

    if (!request_read(request, kafka_leave_group_request, &body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    calls = group_calls_new(request, GROUP_LEAVE, 1);
    if (calls == NULL || !take_members(request, &body, &group_calls_only(calls)->leave.request)) {
        request_fail_no_room(request);
        return;
    }
    group_calls_only(calls)->group_id = body.group_id;
    group_calls_start(calls, reply);
}

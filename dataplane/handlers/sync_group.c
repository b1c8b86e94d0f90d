/* SPDX-License-Identifier: Apache-2.0 */
/* SyncGroup: the leader brings the assignment of all, everyone gets their own. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/sync_group_request.h"
#include "common/kafka/sync_group_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/group_calls.h"

static void reply(struct group_calls *calls)
{
    const struct group_call *call = group_calls_only(calls);
    struct kafka_sync_group_response response;

    kafka_sync_group_response_init_defaults(&response);
    response.throttle_time_ms = calls->request->throttle_time_ms;
    response.error_code = (int16_t)call->error;
    response.protocol_type = call->sync.reply.protocol_type;
    response.protocol_name = call->sync.reply.protocol_name;
    response.assignment = slice_or_empty(call->sync.reply.assignment);
    request_reply(calls->request, kafka_sync_group_response, &response);
}

/* NULL = no memory. */
static struct group_assignment *copy_assignments(struct request *request,
                                                 const struct kafka_sync_group_request *body)
{
    struct group_assignment *assignments =
        arena_new_array(&request->arena, (size_t)body->assignments.count, struct group_assignment);

    for (int32_t i = 0; assignments != NULL && i < body->assignments.count; i++)
        assignments[i] = (struct group_assignment){body->assignments.items[i].member_id,
                                                   body->assignments.items[i].assignment};
    return assignments;
}

void handle_sync_group(struct request *request)
{
    struct kafka_sync_group_request body;
    struct group_calls *calls = NULL;
    struct group_assignment *assignments = NULL;

    if (!request_read(request, kafka_sync_group_request, &body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    calls = group_calls_new(request, GROUP_SYNC, 1);
    assignments = copy_assignments(request, &body);
    if (calls == NULL || assignments == NULL) {
        request_fail_no_room(request);
        return;
    }
    group_calls_only(calls)->group_id = body.group_id;
    group_calls_only(calls)->sync.request = (struct group_sync_request){
        .generation = body.generation_id,
        .member_id = body.member_id,
        .instance_id = body.group_instance_id,
        .protocol_type = body.protocol_type,
        .protocol_name = body.protocol_name,
        .assignments = assignments,
        .assignment_count = (size_t)body.assignments.count,
    };
    group_calls_start(calls, reply);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* JoinGroup: waits in the coordinator until the group's next generation is whole. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/join_group_request.h"
#include "common/kafka/join_group_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/group_calls.h"

static bool fill_members(struct request *request, const struct group_join_reply *reply,
                         struct kafka_join_group_response *response)
{
    if (kafka_join_group_response_member_array_init(&response->members, &request->arena,
                                                    (int32_t)reply->member_count) != ERR_OK)
        return false;
    for (size_t i = 0; i < reply->member_count; i++) {
        response->members.items[i].member_id = reply->members[i].member_id;
        response->members.items[i].group_instance_id = reply->members[i].instance_id;
        response->members.items[i].metadata = slice_or_empty(reply->members[i].metadata);
    }
    return true;
}

static void reply(struct group_calls *calls)
{
    struct request *request = calls->request;
    const struct group_call *call = group_calls_only(calls);
    const struct group_join_reply *join = &call->join.reply;
    struct kafka_join_group_response response;

    kafka_join_group_response_init_defaults(&response);
    response.throttle_time_ms = request->throttle_time_ms;
    response.error_code = (int16_t)call->error;
    response.generation_id = join->generation;
    response.protocol_type = join->protocol_type;
    response.protocol_name =
        request->version >= 7 ? join->protocol_name : slice_or_empty(join->protocol_name);
    response.leader = slice_or_empty(join->leader);
    response.skip_assignment = join->skip_assignment;
    response.member_id = slice_or_empty(join->member_id);
    if (!fill_members(request, join, &response)) {
        request_fail_no_room(request);
        return;
    }
    request_reply(request, kafka_join_group_response, &response);
}

/* NULL = no memory. */
static struct group_protocol *copy_protocols(struct request *request,
                                             const struct kafka_join_group_request *body)
{
    struct group_protocol *protocols =
        arena_new_array(&request->arena, (size_t)body->protocols.count, struct group_protocol);

    for (int32_t i = 0; protocols != NULL && i < body->protocols.count; i++)
        protocols[i] = (struct group_protocol){body->protocols.items[i].name,
                                               body->protocols.items[i].metadata};
    return protocols;
}

void handle_join_group(struct request *request)
{
    struct kafka_join_group_request body;
    struct group_calls *calls = NULL;
    struct group_join_request *join = NULL;
    const char *host = NULL;

    if (!request_read(request, kafka_join_group_request, &body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    calls = group_calls_new(request, GROUP_JOIN, 1);
    host = arena_printf(&request->arena, "/%s", connection_peer_host(request->session->connection));
    if (calls == NULL || host == NULL) {
        request_fail_no_room(request);
        return;
    }
    group_calls_only(calls)->group_id = body.group_id;
    join = &group_calls_only(calls)->join.request;
    join->member_id = body.member_id;
    join->instance_id = body.group_instance_id;
    join->client_id = request->client_id;
    join->client_host = slice_from_cstring(host);
    join->protocol_type = body.protocol_type;
    join->protocols = copy_protocols(request, &body);
    join->protocol_count = (size_t)body.protocols.count;
    join->session_timeout_ms = body.session_timeout_ms;
    join->rebalance_timeout_ms = body.rebalance_timeout_ms;
    if (join->protocols == NULL) {
        request_fail_no_room(request);
        return;
    }
    group_calls_start(calls, reply);
}

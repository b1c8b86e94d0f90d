/* SPDX-License-Identifier: Apache-2.0 */
/* ListGroups: the groups of the instance that this broker coordinates. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/list_groups_request.h"
#include "common/kafka/list_groups_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/group_calls.h"

static void reply(struct group_calls *calls)
{
    struct request *request = calls->request;
    const struct group_call *call = group_calls_only(calls);
    const struct group_list_reply *list = &call->list.reply;
    struct kafka_list_groups_response response;

    kafka_list_groups_response_init_defaults(&response);
    response.throttle_time_ms = request->throttle_time_ms;
    response.error_code = (int16_t)call->error;
    if (kafka_list_groups_response_group_array_init(&response.groups, &request->arena,
                                                    (int32_t)list->group_count) != ERR_OK) {
        request_fail_no_room(request);
        return;
    }
    for (size_t i = 0; i < list->group_count; i++) {
        response.groups.items[i].group_id = list->groups[i].group_id;
        response.groups.items[i].protocol_type = slice_or_empty(list->groups[i].protocol_type);
        response.groups.items[i].group_state = slice_or_empty(list->groups[i].state);
        response.groups.items[i].group_type = slice_or_empty(list->groups[i].type);
    }
    request_reply(request, kafka_list_groups_response, &response);
}

void handle_list_groups(struct request *request)
{
    struct kafka_list_groups_request body;
    struct group_calls *calls = NULL;

    if (!request_read(request, kafka_list_groups_request, &body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    calls = group_calls_new(request, GROUP_LIST, 1);
    if (calls == NULL) {
        request_fail_no_room(request);
        return;
    }
    group_calls_only(calls)->group_id = SLICE_LITERAL("");
    group_calls_only(calls)->list.request = (struct group_list_request){
        .states = body.states_filter.items,
        .state_count = (size_t)body.states_filter.count,
        .types = body.types_filter.items,
        .type_count = (size_t)body.types_filter.count,
    };
    group_calls_start(calls, reply);
}

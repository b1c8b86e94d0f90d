/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeGroups: one entry a group, each asked of its own coordinator. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/describe_groups_request.h"
#include "common/kafka/describe_groups_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/group_names.h"

struct describe_groups {
    bool include_operations;
};

static bool fill_members(struct request *request, const struct group_describe_reply *described,
                         struct kafka_describe_groups_response_group *entry)
{
    if (kafka_describe_groups_response_member_array_init(
            &entry->members, &request->arena, (int32_t)described->member_count) != ERR_OK)
        return false;
    for (size_t i = 0; i < described->member_count; i++) {
        struct kafka_describe_groups_response_member *member = &entry->members.items[i];

        member->member_id = described->members[i].member_id;
        member->group_instance_id = described->members[i].instance_id;
        member->client_id = slice_or_empty(described->members[i].client_id);
        member->client_host = slice_or_empty(described->members[i].client_host);
        member->member_metadata = slice_or_empty(described->members[i].metadata);
        member->member_assignment = slice_or_empty(described->members[i].assignment);
    }
    return true;
}

static bool fill_group(const struct group_calls *calls, const struct group_call *call,
                       struct kafka_describe_groups_response_group *entry)
{
    const struct describe_groups *describe = calls->context;
    const struct group_describe_reply *described = &call->describe.reply;

    entry->error_code = (int16_t)call->error;
    entry->group_id = call->group_id;
    entry->group_state = slice_or_empty(described->state);
    entry->protocol_type = slice_or_empty(described->protocol_type);
    entry->protocol_data = slice_or_empty(described->protocol_name);
    if (call->error == KAFKA_GROUP_ID_NOT_FOUND)
        entry->error_message = slice_from_cstring(arena_printf(&calls->request->arena,
                                                               "Group " SLICE_FORMAT " not found.",
                                                               SLICE_ARG(call->group_id)));
    if (call->error == KAFKA_NONE && describe->include_operations)
        entry->authorized_operations = request_operations(calls->request, AUTHORIZED_GROUP);
    return fill_members(calls->request, described, entry);
}

static void reply(struct group_calls *calls)
{
    struct request *request = calls->request;
    struct kafka_describe_groups_response response;

    kafka_describe_groups_response_init_defaults(&response);
    response.throttle_time_ms = request->throttle_time_ms;
    if (kafka_describe_groups_response_group_array_init(&response.groups, &request->arena,
                                                        calls->count) != ERR_OK) {
        request_fail_no_room(request);
        return;
    }
    for (int32_t i = 0; i < calls->count; i++) {
        if (!fill_group(calls, &calls->items[i].call.group, &response.groups.items[i])) {
            request_fail_no_room(request);
            return;
        }
    }
    request_reply(request, kafka_describe_groups_response, &response);
}

void handle_describe_groups(struct request *request)
{
    struct kafka_describe_groups_request body;
    struct describe_groups *describe = arena_new(&request->arena, struct describe_groups);
    struct group_calls *calls = NULL;

    if (!request_read(request, kafka_describe_groups_request, &body))
        return;
    request_make_room(request, ANSWER_ROOM_WAITING_BYTES);
    calls = group_calls_for_names(request, GROUP_DESCRIBE, &body.groups);
    if (calls == NULL || describe == NULL) {
        request_fail_no_room(request);
        return;
    }
    describe->include_operations = body.include_authorized_operations;
    calls->context = describe;
    group_calls_start(calls, reply);
}

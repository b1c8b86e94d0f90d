/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/handlers/group_calls.h"

enum { MAX_RUNNING = 32 };

static void on_complete(struct coordinator_call *call);

static void free_replies(struct request *request)
{
    struct group_calls *calls = request->operation;

    for (int32_t i = 0; i < calls->count; i++)
        coordinator_call_done(&calls->items[i].call);
}

struct group_calls *group_calls_new(struct request *request, enum group_operation operation,
                                    int32_t count)
{
    struct group_calls *calls = arena_new(&request->arena, struct group_calls);

    if (calls == NULL)
        return NULL;
    calls->items = arena_new_array(&request->arena, (size_t)count, struct group_calls_item);
    if (calls->items == NULL)
        return NULL;
    for (int32_t i = 0; i < count; i++) {
        struct group_calls_item *item = &calls->items[i];

        item->owner = calls;
        coordinator_call_init(&item->call, operation);
        item->call.group.version = request->version;
        item->call.instance_no = request_instance(request);
        item->call.home = request->broker->loop;
        item->call.complete = on_complete;
    }
    calls->request = request;
    calls->count = count;
    request->operation = calls;
    request->release = free_replies;
    return calls;
}

static void go_on(struct group_calls *calls)
{
    while (!calls->is_cancelled && calls->next < calls->count && calls->running < MAX_RUNNING) {
        struct group_calls_item *item = &calls->items[calls->next++];

        item->is_running = true;
        calls->running++;
        group_coordinator_submit(calls->request->broker->coordinator, &item->call);
    }
    if (calls->running > 0)
        return;
    if (calls->is_cancelled)
        request_finish_without_answer(calls->request);
    else
        calls->reply(calls);
}

static void on_complete(struct coordinator_call *call)
{
    struct group_calls_item *item = container_of(call, struct group_calls_item, call);

    item->is_running = false;
    item->owner->running--;
    go_on(item->owner);
}

static void on_cancel(struct request *request)
{
    struct group_calls *calls = request->operation;

    calls->is_cancelled = true;
    for (int32_t i = 0; i < calls->next; i++) {
        if (calls->items[i].is_running)
            group_coordinator_cancel(&calls->items[i].call);
    }
}

void group_calls_start(struct group_calls *calls, void (*reply)(struct group_calls *calls))
{
    calls->reply = reply;
    calls->request->cancel = on_cancel;
    go_on(calls);
}

void group_calls_refuse(struct group_calls *calls, enum kafka_error error,
                        void (*reply)(struct group_calls *calls))
{
    for (int32_t i = 0; i < calls->count; i++)
        calls->items[i].call.group.error = error;
    reply(calls);
}

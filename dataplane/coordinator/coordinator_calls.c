/* SPDX-License-Identifier: Apache-2.0 */
/* A call travels home → target → home in its own mail. A cancel has mail of its own, and the call is
 * completed only when both are home again, so that its memory can be freed. */
#include "dataplane/coordinator/coordinator_internal.h"

void coordinator_call_init(struct coordinator_call *call, enum group_operation operation)
{
    *call = (struct coordinator_call){.partition = 0};
    group_call_init(&call->group, operation);
}

void coordinator_call_done(struct coordinator_call *call)
{
    group_call_done(&call->group);
}

static struct coordinator_loop *target_of(const struct coordinator_call *call)
{
    return &call->coordinator->loops[call->target->index];
}

static void come_home(struct mail *mail)
{
    struct coordinator_call *call = container_of(mail, struct coordinator_call, mail);

    call->is_answered = true;
    if (!call->is_cancelling)
        call->complete(call);
}

void coordinator_call_answer(struct coordinator_call *call)
{
    call->mail.deliver = come_home;
    loop_post(call->home, &call->mail);
}

static void deliver_call(struct mail *mail)
{
    struct coordinator_call *call = container_of(mail, struct coordinator_call, mail);
    struct hosted_shard *hosted =
        hosted_shard_find(target_of(call), call->instance_no, call->partition);

    if (hosted != NULL) {
        coordinator_shard_submit(hosted->shard, &call->group);
        return;
    }
    group_call_refuse(&call->group, KAFKA_NOT_COORDINATOR);
    coordinator_call_answer(call);
}

/* On one loop after the other, so that the reply has one owner at a time. */
static void deliver_list(struct mail *mail)
{
    struct coordinator_call *call = container_of(mail, struct coordinator_call, mail);
    struct executor *executor = call->coordinator->options.executor;
    const struct coordinator_loop *at = &call->coordinator->loops[call->next_loop++];

    for (int32_t i = 0; i < call->partition && call->group.error == KAFKA_NONE; i++) {
        struct hosted_shard *hosted = hosted_shard_find(at, call->instance_no, i);

        if (hosted != NULL)
            call->group.error = coordinator_shard_list(hosted->shard, &call->group);
    }
    if (call->group.error != KAFKA_NONE || call->next_loop == executor->loop_count)
        coordinator_call_answer(call);
    else
        loop_post(executor->loops[call->next_loop], &call->mail);
}

/* Sends a list round the loops; call->partition is how many partitions there are. */
static void submit_list(struct coordinator_call *call)
{
    call->next_loop = 0;
    call->mail.deliver = deliver_list;
    loop_post(coordinator_loop0(call->coordinator), &call->mail);
}

void group_coordinator_submit(struct group_coordinator *coordinator, struct coordinator_call *call)
{
    const struct coordinator_host *host = &coordinator->options.host;
    int32_t count = host->offsets_partitions(host->context, call->instance_no);
    struct replica *replica = NULL;

    call->coordinator = coordinator;
    if (call->group.operation == GROUP_LIST) {
        call->partition = count;
        submit_list(call);
        return;
    }
    if (count > 0) {
        call->partition = group_partition_for(call->group.group_id, count);
        replica = host->offsets_replica(host->context, call->instance_no, call->partition);
    }
    if (replica == NULL) {
        group_call_refuse(&call->group, KAFKA_NOT_COORDINATOR);
        coordinator_call_answer(call);
        return;
    }
    call->target = replica_loop(replica);
    call->mail.deliver = deliver_call;
    loop_post(call->target, &call->mail);
}

static void cancel_came_home(struct mail *mail)
{
    struct coordinator_call *call = container_of(mail, struct coordinator_call, cancel_mail);

    call->is_cancelling = false;
    if (call->is_answered)
        call->complete(call);
}

/* The call's own mail came here first, and it may be answered already: then the core knows nothing of
 * it, and there is nothing to do. */
static void deliver_cancel(struct mail *mail)
{
    struct coordinator_call *call = container_of(mail, struct coordinator_call, cancel_mail);
    struct hosted_shard *hosted =
        hosted_shard_find(target_of(call), call->instance_no, call->partition);

    if (hosted != NULL)
        coordinator_shard_cancel(hosted->shard, &call->group);
    call->cancel_mail.deliver = cancel_came_home;
    loop_post(call->home, &call->cancel_mail);
}

void group_coordinator_cancel(struct coordinator_call *call)
{
    if (call->target == NULL || call->is_cancelling)
        return;
    call->is_cancelling = true;
    call->cancel_mail.deliver = deliver_cancel;
    loop_post(call->target, &call->cancel_mail);
}

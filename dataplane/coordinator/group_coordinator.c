/* SPDX-License-Identifier: Apache-2.0 */
/* Which shards live on which loop, and the mail between them and the handlers' loops.
 *
 * Each loop has a table of its shards by (instance, partition) and a list of those that are closing.
 * The image's orders (lead, resign, topic deleted, close) are allocations that travel from loop 0; a
 * resign or close comes back when nothing it is about is left on its loop. The mail of a call is in the
 * call: home → target → home. A cancel has mail of its own, and the call is completed only when both
 * are home again, so that its memory can be freed. */
#include "dataplane/coordinator/group_coordinator.h"

#include "common/observe/log.h"
#include "dataplane/coordinator/coordinator_shard.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Groups of one instance, counted over all loops. Made and found on loop 0; kept for life, so that any
 * loop may point to it: a few bytes per instance that was ever here. */
struct instance_groups {
    struct hash_node node;
    int32_t instance_no;
    _Atomic int64_t count;
};

struct hosted_shard {
    struct hash_node node;
    struct list link; /* closing */
    struct coordinator_loop *owner;
    int32_t instance_no;
    int32_t partition;
    struct replica *replica; /* the shard's reference */
    struct instance_groups *groups;
    struct coordinator_shard *shard;
};

enum order_kind { ORDER_LEAD, ORDER_RESIGN, ORDER_TOPIC_DELETED, ORDER_CLOSE };

struct order {
    struct mail mail;
    struct list link;
    enum order_kind kind;
    struct coordinator_loop *target;
    int32_t instance_no;
    int32_t partition;
    struct replica *replica; /* referenced */
    leader_epoch epoch;
    struct instance_groups *groups;
    void (*done)(void *context);
    void *context;
    struct slice topic; /* in the same block */
};

struct coordinator_loop {
    struct group_coordinator *coordinator;
    struct loop *loop;
    struct hash_table shards;
    struct list closing;
    struct list orders; /* carried out, waiting for what closes */
    struct order close; /* needs no memory when the time comes */
    bool is_closed;
};

struct group_coordinator {
    struct group_coordinator_options options;
    struct coordinator_loop *loops;
    struct hash_table instances; /* loop 0 */
    void (*closed)(void *context);
    void *closed_context;
    int loops_open;
};

static struct loop *loop0_of(const struct group_coordinator *coordinator)
{
    return coordinator->options.executor->loops[0];
}

/* --- groups of an instance --- */

static uint64_t hash_instance(const struct group_coordinator *coordinator, int32_t instance_no)
{
    return hash_bytes(coordinator->options.seed, &instance_no, sizeof(instance_no));
}

static bool is_instance(const struct hash_node *node, const void *key)
{
    return container_of(node, struct instance_groups, node)->instance_no == *(const int32_t *)key;
}

static struct instance_groups *instance_obtain(struct group_coordinator *coordinator,
                                               int32_t instance_no)
{
    uint64_t hash = hash_instance(coordinator, instance_no);
    struct hash_node *node = hash_table_find(&coordinator->instances, hash, is_instance,
                                             &instance_no);
    struct instance_groups *groups = NULL;

    if (node != NULL)
        return container_of(node, struct instance_groups, node);
    groups = calloc(1, sizeof(*groups));
    if (groups == NULL)
        return NULL;
    groups->instance_no = instance_no;
    if (hash_table_insert(&coordinator->instances, hash, &groups->node) != ERR_OK) {
        free(groups);
        return NULL;
    }
    return groups;
}

static bool add_group(void *context, bool is_forced)
{
    struct hosted_shard *hosted = context;
    struct instance_groups *groups = hosted->groups;
    const struct coordinator_host *host = &hosted->owner->coordinator->options.host;
    int64_t limit = is_forced ? -1 : host->groups_limit(host->context, hosted->instance_no);
    int64_t count = atomic_fetch_add(&groups->count, 1) + 1;

    if (limit < 0 || count <= limit)
        return true;
    atomic_fetch_sub(&groups->count, 1);
    return false;
}

static void remove_group(void *context)
{
    struct hosted_shard *hosted = context;

    atomic_fetch_sub(&hosted->groups->count, 1);
}

static bool topic_exists(void *context, struct slice topic)
{
    struct hosted_shard *hosted = context;
    const struct coordinator_host *host = &hosted->owner->coordinator->options.host;

    return host->topic_exists(host->context, hosted->instance_no, topic);
}

/* --- shards of a loop --- */

struct shard_key {
    int32_t instance_no;
    int32_t partition;
};

static uint64_t hash_shard(const struct coordinator_loop *at, struct shard_key key)
{
    return hash_bytes(at->coordinator->options.seed, &key, sizeof(key));
}

static bool is_shard(const struct hash_node *node, const void *key)
{
    const struct hosted_shard *hosted = container_of(node, struct hosted_shard, node);
    const struct shard_key *wanted = key;

    return hosted->instance_no == wanted->instance_no && hosted->partition == wanted->partition;
}

static struct hosted_shard *find_shard(const struct coordinator_loop *at, int32_t instance_no,
                                       int32_t partition)
{
    struct shard_key key = {instance_no, partition};
    struct hash_node *node = hash_table_find(&at->shards, hash_shard(at, key), is_shard, &key);

    return node == NULL ? NULL : container_of(node, struct hosted_shard, node);
}

static void finish_orders(struct coordinator_loop *at);

static void on_closed(void *context)
{
    struct hosted_shard *hosted = context;
    struct coordinator_loop *at = hosted->owner;

    list_remove(&hosted->link);
    coordinator_shard_free(hosted->shard);
    free(hosted);
    finish_orders(at);
}

static void close_shard(struct hosted_shard *hosted)
{
    hash_table_remove(&hosted->owner->shards, &hosted->node);
    list_push_back(&hosted->owner->closing, &hosted->link);
    coordinator_shard_close(hosted->shard);
}

static void answer(struct coordinator_call *call);

static void on_finished(void *context, struct group_call *call)
{
    (void)context;
    answer(container_of(call, struct coordinator_call, group));
}

static void on_broken(void *context);

/* The replica's leader epoch is only for telling elections apart. */
static void open_shard(struct coordinator_loop *at, int32_t instance_no, int32_t partition,
                       struct replica *replica, leader_epoch epoch, struct instance_groups *groups)
{
    const struct group_coordinator_options *common = &at->coordinator->options;
    struct hosted_shard *hosted = calloc(1, sizeof(*hosted));
    struct coordinator_shard_options options = {
        .instance_no = instance_no,
        .partition = partition,
        .replica = replica,
        .epoch = epoch,
        .group = &common->group,
        .host = {hosted, add_group, remove_group, topic_exists},
        .random = common->random,
        .seed = common->seed,
        .events = {on_finished, on_broken, on_closed, hosted},
    };

    if (hosted == NULL)
        goto fail;
    *hosted = (struct hosted_shard){.owner = at,
                                    .instance_no = instance_no,
                                    .partition = partition,
                                    .replica = replica,
                                    .groups = groups};
    list_init(&hosted->link);
    if (hash_table_insert(&at->shards, hash_shard(at, (struct shard_key){instance_no, partition}),
                          &hosted->node) != ERR_OK)
        goto fail;
    if (coordinator_shard_new(&options, &hosted->shard) == ERR_OK)
        return;
    hash_table_remove(&at->shards, &hosted->node);
fail:
    free(hosted);
    log_event(LOG_ERROR, "group_shard_not_opened", f_i64("instance_no", instance_no),
              f_i64("partition", partition),
              f_str("reason", "out of memory; its groups get NOT_COORDINATOR until a new election"));
}

static void on_broken(void *context)
{
    struct hosted_shard *hosted = context;
    struct coordinator_loop *at = hosted->owner;
    struct hosted_shard was = *hosted;
    leader_epoch epoch = coordinator_shard_epoch(hosted->shard);

    /* Closing may be the last use of the replica: hold it until the next shard does. */
    replica_ref(was.replica);
    close_shard(hosted);
    open_shard(at, was.instance_no, was.partition, was.replica, epoch, was.groups);
    replica_unref(was.replica);
}

/* --- orders of the image --- */

static void order_is_done(struct mail *mail)
{
    struct order *order = container_of(mail, struct order, mail);
    struct group_coordinator *coordinator = order->target->coordinator;

    if (order->kind == ORDER_CLOSE) {
        if (--coordinator->loops_open == 0)
            coordinator->closed(coordinator->closed_context);
        return;
    }
    if (order->done != NULL)
        order->done(order->context);
    if (order->replica != NULL)
        replica_unref(order->replica);
    free(order);
}

static bool is_left_to_close(const struct coordinator_loop *at, const struct order *order)
{
    list_for_each(&at->closing, node)
    {
        const struct hosted_shard *hosted = container_of(node, struct hosted_shard, link);

        if (order->kind == ORDER_CLOSE || (hosted->instance_no == order->instance_no &&
                                           hosted->partition == order->partition))
            return true;
    }
    return false;
}

static void finish_orders(struct coordinator_loop *at)
{
    list_for_each(&at->orders, node)
    {
        struct order *order = container_of(node, struct order, link);

        if (is_left_to_close(at, order))
            continue;
        list_remove(&order->link);
        order->mail.deliver = order_is_done;
        loop_post(loop0_of(at->coordinator), &order->mail);
    }
}

static void lead(struct coordinator_loop *at, const struct order *order)
{
    struct hosted_shard *hosted = find_shard(at, order->instance_no, order->partition);

    if (at->is_closed)
        return;
    if (hosted != NULL && coordinator_shard_epoch(hosted->shard) >= order->epoch)
        return;
    if (hosted != NULL)
        close_shard(hosted);
    open_shard(at, order->instance_no, order->partition, order->replica, order->epoch,
               order->groups);
}

static void topic_deleted(struct coordinator_loop *at, const struct order *order)
{
    for (struct hash_node *node = hash_table_next(&at->shards, NULL); node != NULL;
         node = hash_table_next(&at->shards, node)) {
        struct hosted_shard *hosted = container_of(node, struct hosted_shard, node);

        if (hosted->instance_no == order->instance_no)
            coordinator_shard_topic_deleted(hosted->shard, order->topic);
    }
}

static void close_all(struct coordinator_loop *at)
{
    struct hash_node *node = NULL;

    at->is_closed = true;
    while ((node = hash_table_next(&at->shards, NULL)) != NULL)
        close_shard(container_of(node, struct hosted_shard, node));
}

static void deliver_order(struct mail *mail)
{
    struct order *order = container_of(mail, struct order, mail);
    struct coordinator_loop *at = order->target;
    struct hosted_shard *hosted = NULL;

    switch (order->kind) {
    case ORDER_LEAD:
        lead(at, order);
        break;
    case ORDER_TOPIC_DELETED:
        topic_deleted(at, order);
        break;
    case ORDER_RESIGN:
        hosted = find_shard(at, order->instance_no, order->partition);
        if (hosted != NULL)
            close_shard(hosted);
        break;
    case ORDER_CLOSE:
        close_all(at);
        break;
    }
    list_push_back(&at->orders, &order->link);
    finish_orders(at);
}

/* topic may be null. NULL = no memory. */
static struct order *order_new(struct group_coordinator *coordinator, enum order_kind kind,
                               const struct loop *target, struct slice topic)
{
    struct order *order = calloc(1, sizeof(*order) + topic.len);

    if (order == NULL)
        return NULL;
    order->kind = kind;
    order->target = &coordinator->loops[target->index];
    order->mail.deliver = deliver_order;
    list_init(&order->link);
    if (topic.len > 0) {
        memcpy(order + 1, topic.data, topic.len);
        order->topic = slice_of(order + 1, topic.len);
    }
    return order;
}

static void order_post(struct order *order)
{
    loop_post(order->target->loop, &order->mail);
}

static void log_no_memory(const char *what, int32_t instance_no)
{
    log_event(LOG_ERROR, "group_order_lost", f_str("order", what),
              f_i64("instance_no", instance_no), f_str("reason", "out of memory"));
}

void group_coordinator_lead(struct group_coordinator *coordinator, int32_t instance_no,
                            int32_t partition, struct replica *replica, leader_epoch epoch)
{
    struct instance_groups *groups = instance_obtain(coordinator, instance_no);
    struct order *order = groups == NULL ? NULL
                                         : order_new(coordinator, ORDER_LEAD,
                                                     replica_loop(replica), SLICE_NULL);

    if (order == NULL) {
        log_no_memory("lead", instance_no);
        return;
    }
    order->instance_no = instance_no;
    order->partition = partition;
    order->epoch = epoch;
    order->groups = groups;
    replica_ref(replica);
    order->replica = replica;
    order_post(order);
}

void group_coordinator_resign(struct group_coordinator *coordinator, int32_t instance_no,
                              int32_t partition, struct loop *loop,
                              void (*done)(void *context), void *context)
{
    struct order *order = order_new(coordinator, ORDER_RESIGN, loop, SLICE_NULL);

    if (order == NULL) {
        log_no_memory("resign", instance_no);
        return;
    }
    order->instance_no = instance_no;
    order->partition = partition;
    order->done = done;
    order->context = context;
    order_post(order);
}

void group_coordinator_topic_deleted(struct group_coordinator *coordinator, int32_t instance_no,
                                     struct slice topic)
{
    struct executor *executor = coordinator->options.executor;

    for (int i = 0; i < executor->loop_count; i++) {
        struct order *order =
            order_new(coordinator, ORDER_TOPIC_DELETED, executor->loops[i], topic);

        if (order == NULL) {
            log_no_memory("topic_deleted", instance_no);
            return;
        }
        order->instance_no = instance_no;
        order_post(order);
    }
}

/* --- calls --- */

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

static void answer(struct coordinator_call *call)
{
    call->mail.deliver = come_home;
    loop_post(call->home, &call->mail);
}

static void deliver_call(struct mail *mail)
{
    struct coordinator_call *call = container_of(mail, struct coordinator_call, mail);
    struct hosted_shard *hosted =
        find_shard(target_of(call), call->instance_no, call->partition);

    if (hosted != NULL) {
        coordinator_shard_submit(hosted->shard, &call->group);
        return;
    }
    group_call_refuse(&call->group, KAFKA_NOT_COORDINATOR);
    answer(call);
}

/* On one loop after the other, so that the reply has one owner at a time. */
static void deliver_list(struct mail *mail)
{
    struct coordinator_call *call = container_of(mail, struct coordinator_call, mail);
    struct executor *executor = call->coordinator->options.executor;
    const struct coordinator_loop *at = &call->coordinator->loops[call->next_loop++];

    for (int32_t i = 0; i < call->partition && call->group.error == KAFKA_NONE; i++) {
        struct hosted_shard *hosted = find_shard(at, call->instance_no, i);

        if (hosted != NULL)
            call->group.error = coordinator_shard_list(hosted->shard, &call->group);
    }
    if (call->group.error != KAFKA_NONE || call->next_loop == executor->loop_count)
        answer(call);
    else
        loop_post(executor->loops[call->next_loop], &call->mail);
}

/* Sends a list round the loops; call->partition is how many partitions there are. */
static void submit_list(struct coordinator_call *call)
{
    call->next_loop = 0;
    call->mail.deliver = deliver_list;
    loop_post(loop0_of(call->coordinator), &call->mail);
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
        answer(call);
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
        find_shard(target_of(call), call->instance_no, call->partition);

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

/* --- life --- */

enum err group_coordinator_new(const struct group_coordinator_options *options,
                               struct group_coordinator **ret_coordinator)
{
    struct group_coordinator *coordinator = calloc(1, sizeof(*coordinator));
    int count = options->executor->loop_count;

    if (coordinator == NULL)
        return ERR_NO_MEMORY;
    coordinator->options = *options;
    hash_table_init(&coordinator->instances, options->seed);
    coordinator->loops = calloc((size_t)count, sizeof(*coordinator->loops));
    if (coordinator->loops == NULL) {
        free(coordinator);
        return ERR_NO_MEMORY;
    }
    for (int i = 0; i < count; i++) {
        struct coordinator_loop *at = &coordinator->loops[i];

        at->coordinator = coordinator;
        at->loop = options->executor->loops[i];
        hash_table_init(&at->shards, options->seed);
        list_init(&at->closing);
        list_init(&at->orders);
        at->close.target = at;
        at->close.kind = ORDER_CLOSE;
        at->close.mail.deliver = deliver_order;
        list_init(&at->close.link);
    }
    *ret_coordinator = coordinator;
    return ERR_OK;
}

void group_coordinator_close(struct group_coordinator *coordinator, void (*done)(void *context),
                             void *context)
{
    coordinator->closed = done;
    coordinator->closed_context = context;
    coordinator->loops_open = coordinator->options.executor->loop_count;
    for (int i = 0; i < coordinator->loops_open; i++)
        order_post(&coordinator->loops[i].close);
}

void group_coordinator_free(struct group_coordinator *coordinator)
{
    struct hash_node *node = NULL;

    if (coordinator == NULL)
        return;
    for (int i = 0; i < coordinator->options.executor->loop_count; i++) {
        invariant(coordinator->loops[i].shards.count == 0);
        hash_table_done(&coordinator->loops[i].shards);
    }
    while ((node = hash_table_next(&coordinator->instances, NULL)) != NULL) {
        hash_table_remove(&coordinator->instances, node);
        free(container_of(node, struct instance_groups, node));
    }
    hash_table_done(&coordinator->instances);
    free(coordinator->loops);
    free(coordinator);
}

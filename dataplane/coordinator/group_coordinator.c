/* SPDX-License-Identifier: Apache-2.0 */
/* The image's orders (lead, resign, topic deleted, close) are allocations that travel from loop 0; each
 * comes back when nothing that it is about is left on its loop. */
#include "dataplane/coordinator/coordinator_internal.h"

#include "common/observe/log.h"

#include <stdlib.h>

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

        if (order->kind == ORDER_CLOSE ||
            (hosted->instance_no == order->instance_no && hosted->partition == order->partition))
            return true;
    }
    return false;
}

void coordinator_finish_orders(struct coordinator_loop *at)
{
    list_for_each(&at->orders, node)
    {
        struct order *order = container_of(node, struct order, link);

        if (is_left_to_close(at, order))
            continue;
        list_remove(&order->link);
        order->mail.deliver = order_is_done;
        loop_post(coordinator_loop0(at->coordinator), &order->mail);
    }
}

static void lead(struct coordinator_loop *at, const struct order *order)
{
    struct hosted_shard *hosted = hosted_shard_find(at, order->instance_no, order->partition);

    if (at->is_closed)
        return;
    if (hosted != NULL && coordinator_shard_epoch(hosted->shard) >= order->epoch)
        return;
    if (hosted != NULL)
        hosted_shard_close(hosted);
    hosted_shard_open(at, order->instance_no, order->partition, order->replica, order->epoch,
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
        hosted_shard_close(container_of(node, struct hosted_shard, node));
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
        hosted = hosted_shard_find(at, order->instance_no, order->partition);
        if (hosted != NULL)
            hosted_shard_close(hosted);
        break;
    case ORDER_CLOSE:
        close_all(at);
        break;
    }
    list_push_back(&at->orders, &order->link);
    coordinator_finish_orders(at);
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
    struct instance_groups *groups = instance_groups_obtain(coordinator, instance_no);
    struct order *order =
        groups == NULL ? NULL
                       : order_new(coordinator, ORDER_LEAD, replica_loop(replica), SLICE_NULL);

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
                              int32_t partition, struct loop *loop, void (*done)(void *context),
                              void *context)
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/dispatch/scheduler.h"

#include "dataplane/dispatch/request.h"

#include <stdlib.h>

static void run(struct scheduler *scheduler);

static void on_wake(struct mail *mail)
{
    run(container_of(mail, struct scheduler, wake));
}

static void on_again(struct timer *timer)
{
    run(container_of(timer, struct scheduler, again));
}

void scheduler_init(struct scheduler *scheduler, struct loop *loop, struct hash_seed seed)
{
    *scheduler = (struct scheduler){.loop = loop};
    scheduler->wake.deliver = on_wake;
    scheduler->again.fire = on_again;
    hash_table_init(&scheduler->instances, seed);
    list_init(&scheduler->active);
}

void scheduler_stop(struct scheduler *scheduler)
{
    scheduler->is_stopped = true;
    timer_stop(scheduler->loop, &scheduler->again);
}

void scheduler_done(struct scheduler *scheduler)
{
    invariant(scheduler->instances.count == 0);
    hash_table_done(&scheduler->instances);
}

/* --- instances --- */

static uint64_t hash_of(const struct scheduler *scheduler, int32_t instance_no)
{
    return hash_bytes(scheduler->instances.seed, &instance_no, sizeof(instance_no));
}

static bool is_instance(const struct hash_node *node, const void *key)
{
    return container_of(node, const struct instance_queue, node)->instance_no ==
           *(const int32_t *)key;
}

bool scheduler_join(struct scheduler *scheduler, struct session *session, int32_t instance_no)
{
    uint64_t hash = hash_of(scheduler, instance_no);
    struct hash_node *node =
        hash_table_find(&scheduler->instances, hash, is_instance, &instance_no);
    struct instance_queue *queue = node ? container_of(node, struct instance_queue, node) : NULL;

    if (queue == NULL) {
        queue = calloc(1, sizeof(*queue));
        if (queue == NULL)
            return false;
        queue->instance_no = instance_no;
        list_init(&queue->control);
        list_init(&queue->data);
        list_init(&queue->waiting);
        list_init(&queue->active_link);
        if (hash_table_insert(&scheduler->instances, hash, &queue->node) != ERR_OK) {
            free(queue);
            return false;
        }
    }
    queue->session_count++;
    session->queue = queue;
    return true;
}

static bool has_ready(const struct instance_queue *queue)
{
    return !list_is_empty(&queue->control) || !list_is_empty(&queue->data);
}

static void deactivate(struct instance_queue *queue)
{
    if (!queue->is_active)
        return;
    list_remove(&queue->active_link);
    queue->is_active = false;
    /* What it did not use is not saved up. */
    if (queue->deficit > 0)
        queue->deficit = 0;
}

static void unready(struct session *session)
{
    if (!session->is_ready)
        return;
    list_remove(&session->ready_link);
    session->is_ready = false;
}

static void start_check(struct instance_queue *queue, struct check_slot *slot)
{
    slot->is_taken = true;
    slot->session->taken_checks++;
    queue->checks++;
    slot->go(slot);
}

static void start_waiting(struct instance_queue *queue)
{
    struct list *next = NULL;

    while (queue->checks < SCHEDULER_MOST_CHECKS &&
           (next = list_pop_front(&queue->waiting)) != NULL)
        start_check(queue, container_of(next, struct check_slot, link));
}

/* Those of a session that goes wait no longer: they have to end. */
static void let_go(struct instance_queue *queue, const struct session *session)
{
    list_for_each(&queue->waiting, link)
    {
        struct check_slot *slot = container_of(link, struct check_slot, link);

        if (slot->session != session)
            continue;
        list_remove(&slot->link);
        slot->go(slot);
    }
}

void scheduler_leave(struct scheduler *scheduler, struct session *session)
{
    struct instance_queue *queue = session->queue;

    if (queue == NULL)
        return;
    unready(session);
    session->queue = NULL;
    let_go(queue, session);
    queue->checks -= session->taken_checks;
    start_waiting(queue);
    if (!has_ready(queue))
        deactivate(queue);
    if (--queue->session_count > 0)
        return;
    hash_table_remove(&scheduler->instances, &queue->node);
    free(queue);
}

/* --- serving --- */

/* Puts the session where its next request belongs. */
static void enqueue(struct session *session)
{
    struct instance_queue *queue = session->queue;
    const struct request *next = dispatch_next(session);

    if (next == NULL)
        return;
    list_push_back(request_is_data(next) ? &queue->data : &queue->control, &session->ready_link);
    session->is_ready = true;
}

static struct session *next_session(const struct instance_queue *queue)
{
    const struct list *from = list_is_empty(&queue->control) ? &queue->data : &queue->control;

    return container_of(from->next, struct session, ready_link);
}

/* One request of the instance; what it costs. The session, and with it the queue, may be gone after. */
static int64_t serve_one(struct instance_queue *queue)
{
    struct session *session = next_session(queue);
    struct connection *connection = session->connection;
    struct request *request = NULL;
    int64_t cost = SCHEDULER_BASE_COST;

    unready(session);
    request = dispatch_next(session);
    if (request == NULL)
        return 0;
    cost += (int64_t)request->frame.len;
    queue->deficit -= cost;
    connection_ref(connection);
    dispatch_start(request);
    if (session->queue != NULL && !session->is_ready)
        enqueue(session);
    connection_unref(connection);
    return cost;
}

static int64_t visit(struct scheduler *scheduler, struct instance_queue *queue, int64_t left)
{
    bool is_alone = queue->active_link.next == &scheduler->active &&
                    queue->active_link.prev == &scheduler->active;
    int64_t used = 0;

    queue->deficit += SCHEDULER_QUANTUM;
    if (is_alone && queue->deficit < SCHEDULER_QUANTUM)
        queue->deficit = SCHEDULER_QUANTUM;
    queue->session_count++; /* keeps it while it is visited */
    while (used < left && queue->deficit > 0 && has_ready(queue))
        used += serve_one(queue);
    queue->session_count--;
    if (!has_ready(queue)) {
        deactivate(queue);
    } else if (queue->deficit <= 0 || !queue->is_active) {
        list_remove(&queue->active_link);
        list_push_back(&scheduler->active, &queue->active_link);
        queue->is_active = true;
    }
    if (queue->session_count == 0) {
        hash_table_remove(&scheduler->instances, &queue->node);
        free(queue);
    }
    return used;
}

static void run(struct scheduler *scheduler)
{
    int64_t left = SCHEDULER_TURN_COST;

    while (left > 0 && !list_is_empty(&scheduler->active) && !scheduler->is_stopped)
        left -=
            visit(scheduler,
                  container_of(scheduler->active.next, struct instance_queue, active_link), left);
    scheduler->is_woken = !list_is_empty(&scheduler->active) && !scheduler->is_stopped;
    if (scheduler->is_woken)
        timer_start_in(scheduler->loop, &scheduler->again, 0);
}

void scheduler_ready(struct scheduler *scheduler, struct session *session)
{
    struct instance_queue *queue = session->queue;

    if (session->is_ready || queue == NULL || scheduler->is_stopped)
        return;
    enqueue(session);
    if (!session->is_ready)
        return;
    if (!queue->is_active) {
        list_push_back(&scheduler->active, &queue->active_link);
        queue->is_active = true;
    }
    if (scheduler->is_woken)
        return;
    scheduler->is_woken = true;
    loop_post(scheduler->loop, &scheduler->wake);
}

/* --- workers --- */

void scheduler_want_check(struct check_slot *slot, struct session *session,
                          void (*go)(struct check_slot *slot))
{
    struct instance_queue *queue = session->queue;

    *slot = (struct check_slot){.session = session, .go = go, .is_held = true};
    list_init(&slot->link);
    session->checks++;
    if (queue == NULL)
        go(slot);
    else if (queue->checks < SCHEDULER_MOST_CHECKS)
        start_check(queue, slot);
    else
        list_push_back(&queue->waiting, &slot->link);
}

void scheduler_check_done(struct scheduler *scheduler, struct check_slot *slot)
{
    struct session *session = slot->session;
    struct instance_queue *queue = slot->is_held ? session->queue : NULL;

    if (!slot->is_held)
        return;
    slot->is_held = false;
    session->checks--;
    /* The slots of a session that has gone are given back with it. */
    if (queue == NULL)
        return;
    if (slot->is_taken) {
        session->taken_checks--;
        queue->checks--;
    }
    start_waiting(queue);
    scheduler_ready(scheduler, session);
}

void scheduler_charge(struct session *session, size_t bytes)
{
    struct instance_queue *queue = session->queue;

    if (queue == NULL)
        return;
    queue->deficit -= (int64_t)bytes;
    if (queue->deficit < -SCHEDULER_MOST_OWED)
        queue->deficit = -SCHEDULER_MOST_OWED;
}

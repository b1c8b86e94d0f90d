/* SPDX-License-Identifier: Apache-2.0 */
/* States of the connection:
 *
 *   STOPPED ──start──▶ DOWN ──timer──▶ UP ──poll timer──▶ UP …
 *                       ▲ ◀───cut──────┘
 *
 * A request: QUEUED ──▶ executed in the cell (SENT) ──▶ answered. A cut takes SENT back to QUEUED.
 */
#include "tests/simulation/sim_meta_store.h"

#include "common/base/list.h"

#include <stdlib.h>

#define POLL_US 500000
#define RETRY_US 100000
#define REQUEST_DEADLINE_US 2000000

enum sim_state { SIM_STOPPED, SIM_DOWN, SIM_UP };

struct sim_request {
    struct list link;
    struct sim_meta_store *store;
    struct meta_request *request;
    struct timer timer;
    int64_t deadline_us;
    char *answer; /* executed; on its way back */
    int64_t version;
    bool is_refused; /* was submitted while the store was down */
};

struct sim_meta_store {
    struct meta_store base;
    struct sim_cell *cell;
    struct loop *loop;
    int32_t broker_id;
    int64_t incarnation;
    struct seeded_random random;
    const struct meta_store_events *events;
    void *context;
    enum sim_state state;
    bool is_network_up;
    int64_t delivered_version; /* 0 = a snapshot is due */
    int64_t acknowledged_version;
    int64_t max_delay_us;
    size_t part;
    struct timer timer; /* connect, or the next poll */
    struct list requests;
};

static struct sim_meta_store *store_of(struct meta_store *base)
{
    return container_of(base, struct sim_meta_store, base);
}

static int64_t draw_delay(struct sim_meta_store *store)
{
    if (store->max_delay_us == 0)
        return 0;
    return (int64_t)seeded_random_below(&store->random, (uint64_t)store->max_delay_us);
}

/* --- changes --- */

static void deliver(struct sim_meta_store *store, const struct sim_change *changes, size_t count,
                    bool is_snapshot, int64_t version)
{
    size_t part = store->part > 0 ? store->part : count;
    size_t at = 0;

    do {
        size_t len = count - at < part ? count - at : part;
        struct meta_change *some = calloc(len + 1, sizeof(*some));

        invariant(some != NULL);
        for (size_t i = 0; i < len; i++)
            some[i] = (struct meta_change){.version = changes[at + i].version,
                                           .kind = slice_from_cstring(changes[at + i].kind),
                                           .key = slice_from_cstring(changes[at + i].key),
                                           .payload = slice_from_cstring(changes[at + i].payload)};
        at += len;
        store->events->on_changes(store->context, some, len, is_snapshot, at == count, version);
        free(some);
    } while (at < count && store->state == SIM_UP);
}

static void poll_changes(struct sim_meta_store *store, bool is_first)
{
    int64_t version = sim_cell_version(store->cell);
    const struct sim_change *changes = NULL;
    size_t count = 0;

    if (store->delivered_version == 0 || version < store->delivered_version) {
        struct sim_change *objects = sim_cell_snapshot(store->cell, &count);

        deliver(store, objects, count, true, version);
        free(objects);
    } else if (version > store->delivered_version || is_first) {
        count = sim_cell_changes(store->cell, store->delivered_version, &changes);
        deliver(store, changes, count, false, version);
    }
    if (version > store->delivered_version)
        store->delivered_version = version;
}

/* --- requests --- */

static void finish(struct sim_request *sim, enum err err)
{
    struct meta_request *request = sim->request;
    char *answer = sim->answer;

    timer_stop(sim->store->loop, &sim->timer);
    list_remove(&sim->link);
    request->done(request, err, err == ERR_OK ? slice_from_cstring(answer) : SLICE_NULL,
                  err == ERR_OK ? sim->version : 0);
    free(answer);
    free(sim);
}

static void on_request_timer(struct timer *timer)
{
    struct sim_request *sim = container_of(timer, struct sim_request, timer);
    struct sim_meta_store *store = sim->store;

    if (sim->is_refused || loop_now_us(store->loop) >= sim->deadline_us) {
        finish(sim, ERR_UNAVAILABLE);
        return;
    }
    if (store->state != SIM_UP) {
        timer_start(store->loop, timer, sim->deadline_us);
        return;
    }
    if (sim->answer != NULL) {
        finish(sim, ERR_OK);
        return;
    }
    sim->answer =
        sim_cell_execute(store->cell, sim->request->kind, sim->request->body, &sim->version);
    timer_start_in(store->loop, timer, draw_delay(store));
    sim_meta_store_notify(store);
}

static void store_submit(struct meta_store *base, struct meta_request *request)
{
    struct sim_meta_store *store = store_of(base);
    struct sim_request *sim = calloc(1, sizeof(*sim));

    invariant(sim != NULL);
    sim->store = store;
    sim->request = request;
    sim->deadline_us = loop_now_us(store->loop) + REQUEST_DEADLINE_US;
    sim->timer.fire = on_request_timer;
    sim->is_refused = store->state != SIM_UP;
    list_push_back(&store->requests, &sim->link);
    timer_start_in(store->loop, &sim->timer, sim->is_refused ? 0 : draw_delay(store));
}

/* --- the connection --- */

static void connect_store(struct sim_meta_store *store)
{
    struct meta_registration registration;

    store->state = SIM_UP;
    sim_cell_register(store->cell, store->broker_id, store->incarnation, &registration);
    store->events->on_registered(store->context, &registration);
    store->events->on_reachable(store->context, true);
    if (store->acknowledged_version > 0)
        sim_cell_acknowledge(store->cell, store->broker_id, store->acknowledged_version);
    poll_changes(store, true);
    list_for_each(&store->requests, node)
    {
        struct sim_request *sim = container_of(node, struct sim_request, link);

        timer_start_in(store->loop, &sim->timer, draw_delay(store));
    }
}

static void on_timer(struct timer *timer)
{
    struct sim_meta_store *store = container_of(timer, struct sim_meta_store, timer);

    if (store->state == SIM_UP)
        poll_changes(store, false);
    else if (store->is_network_up)
        connect_store(store);
    if (store->state != SIM_STOPPED)
        timer_start_in(store->loop, timer,
                       (store->state == SIM_UP ? POLL_US : RETRY_US) + draw_delay(store));
}

void sim_meta_store_set_reachable(struct sim_meta_store *store, bool is_reachable)
{
    store->is_network_up = is_reachable;
    if (is_reachable || store->state != SIM_UP)
        return;
    store->state = SIM_DOWN;
    timer_start_in(store->loop, &store->timer, RETRY_US);
    list_for_each(&store->requests, node)
    {
        struct sim_request *sim = container_of(node, struct sim_request, link);

        free(sim->answer); /* lost on the way; asked again with the same id */
        sim->answer = NULL;
    }
    store->events->on_reachable(store->context, false);
}

static void store_start(struct meta_store *base, const struct meta_store_events *events,
                        void *context, int64_t have_version)
{
    struct sim_meta_store *store = store_of(base);

    store->events = events;
    store->context = context;
    store->delivered_version = have_version;
    store->state = SIM_DOWN;
    store->timer.fire = on_timer;
    timer_start_in(store->loop, &store->timer, draw_delay(store));
}

static void store_acknowledge(struct meta_store *base, int64_t version)
{
    struct sim_meta_store *store = store_of(base);

    store->acknowledged_version = version;
    if (store->state == SIM_UP)
        sim_cell_acknowledge(store->cell, store->broker_id, version);
}

static void store_stop(struct meta_store *base)
{
    struct sim_meta_store *store = store_of(base);

    store->state = SIM_STOPPED;
    timer_stop(store->loop, &store->timer);
    while (!list_is_empty(&store->requests))
        finish(container_of(store->requests.next, struct sim_request, link), ERR_CANCELLED);
}

static const struct meta_store_ops store_ops = {
    .start = store_start,
    .submit = store_submit,
    .acknowledge = store_acknowledge,
    .stop = store_stop,
};

struct sim_meta_store *sim_meta_store_new(struct sim_cell *cell, struct loop *loop,
                                          int32_t broker_id, int64_t incarnation, uint64_t seed)
{
    struct sim_meta_store *store = calloc(1, sizeof(*store));

    invariant(store != NULL);
    store->base.ops = &store_ops;
    store->cell = cell;
    store->loop = loop;
    store->broker_id = broker_id;
    store->incarnation = incarnation;
    store->is_network_up = true;
    store->max_delay_us = 2000;
    seeded_random_init(&store->random, seed);
    list_init(&store->requests);
    return store;
}

void sim_meta_store_free(struct sim_meta_store *store)
{
    free(store);
}

struct meta_store *sim_meta_store_port(struct sim_meta_store *store)
{
    return &store->base;
}

void sim_meta_store_notify(struct sim_meta_store *store)
{
    if (store->state == SIM_UP)
        timer_start_in(store->loop, &store->timer, draw_delay(store));
}

void sim_meta_store_set_delay(struct sim_meta_store *store, int64_t max_us)
{
    store->max_delay_us = max_us;
}

void sim_meta_store_set_part(struct sim_meta_store *store, size_t objects)
{
    store->part = objects;
}

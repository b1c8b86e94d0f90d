/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/removals.h"

#include "dataplane/storage/flush_round.h"

#define PIECE_BYTES ((int64_t)4 << 20)
#define AT_ONCE 64
#define RESTS 3 /* times what a piece took */
#define ROOM_SHORT_BYTES ((int64_t)1 << 30)

static void on_rested(struct timer *timer);

void removals_init(struct removals *removals, struct loop *loop, struct log_store *store,
                   int64_t piece_bytes)
{
    *removals = (struct removals){
        .loop = loop,
        .store = store,
        .piece_bytes = piece_bytes > 0 ? piece_bytes : PIECE_BYTES,
        .rest = {.fire = on_rested},
    };
    list_init(&removals->waiting);
    list_init(&removals->away);
}

static struct removal *removal_of(struct list *node)
{
    return container_of(node, struct removal, link);
}

static void run_piece(struct work *work)
{
    struct removals *removals = container_of(work, struct removals, work);
    int64_t budget = removals->piece_bytes;

    list_for_each(&removals->away, node)
    {
        struct removal *removal = removal_of(node);

        if (budget <= 0)
            break;
        removal->err = removal->run(removal, &budget, &removal->is_gone);
    }
    removals->is_room_short = flush_room_bytes(removals->store) < ROOM_SHORT_BYTES;
}

static void begin_piece(struct removals *removals);

static void rest(struct removals *removals)
{
    int64_t rest_us = RESTS * (loop_now_us(removals->loop) - removals->began_us);

    if (list_is_empty(&removals->waiting))
        return;
    if (removals->is_hurried || removals->is_room_short || rest_us == 0)
        begin_piece(removals);
    else
        timer_start_in(removals->loop, &removals->rest, rest_us);
}

static void piece_done(struct work *work)
{
    struct removals *removals = container_of(work, struct removals, work);

    /* What is left of them stays in front, in its order; what is added meanwhile comes after. */
    while (!list_is_empty(&removals->away)) {
        struct removal *removal = removal_of(removals->away.prev);

        list_remove(&removal->link);
        if (removal->is_gone || removal->err != ERR_OK)
            removal->done(removal);
        else
            list_push_front(&removals->waiting, &removal->link);
    }
    removals->is_running = false;
    rest(removals);
}

static void begin_piece(struct removals *removals)
{
    struct list *node = NULL;
    int count = 0;

    invariant(!removals->is_running);
    while (count < AT_ONCE && (node = list_pop_front(&removals->waiting)) != NULL) {
        list_push_back(&removals->away, node);
        count++;
    }
    removals->is_running = true;
    removals->began_us = loop_now_us(removals->loop);
    removals->work = (struct work){.run = run_piece, .done = piece_done};
    worker_submit(removals->loop, WORKER_SLOW, &removals->work);
}

static void on_rested(struct timer *timer)
{
    begin_piece(container_of(timer, struct removals, rest));
}

static bool is_idle(const struct removals *removals)
{
    return !removals->is_running && !timer_is_armed(&removals->rest);
}

void removals_add(struct removals *removals, struct removal *removal)
{
    removal->err = ERR_OK;
    removal->is_gone = false;
    list_push_back(&removals->waiting, &removal->link);
    if (is_idle(removals))
        begin_piece(removals);
}

void removals_hurry(struct removals *removals)
{
    removals->is_hurried = true;
    if (!timer_is_armed(&removals->rest))
        return;
    timer_stop(removals->loop, &removals->rest);
    begin_piece(removals);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/published.h"

#include <stddef.h>

#include "common/base/list.h"

/* A trip wakes every loop, so it leaves when it is worth it, or after a while. */
#define RETIRED_PER_TRIP 32
#define TRIP_AFTER_US 20000

struct published_node *published_replace(struct published *published, struct published_node *node)
{
    return atomic_exchange_explicit(&published->current, node, memory_order_acq_rel);
}

struct published_node *published_load(const struct published *published)
{
    return atomic_load_explicit(&published->current, memory_order_acquire);
}

void published_pin(struct published_node *node)
{
    atomic_fetch_add_explicit(&node->pins, 1, memory_order_acq_rel);
}

void published_unpin(struct published_node *node)
{
    atomic_fetch_sub_explicit(&node->pins, 1, memory_order_acq_rel);
}

static void keep(struct reclaim *reclaim, struct published_node *node)
{
    node->next = reclaim->retired;
    reclaim->retired = node;
    reclaim->retired_count++;
}

static void free_travelled(struct reclaim *reclaim)
{
    struct published_node *node = NULL;

    while ((node = reclaim->travelled) != NULL) {
        reclaim->travelled = node->next;
        if (atomic_load_explicit(&node->pins, memory_order_acquire) == 0)
            reclaim->free_node(node);
        else
            keep(reclaim, node);
    }
}

static void wait_for_more(struct reclaim *reclaim)
{
    if (!timer_is_armed(&reclaim->timer))
        timer_start_in(reclaim->owner, &reclaim->timer, TRIP_AFTER_US);
}

static void come_home(struct mail *mail)
{
    struct reclaim *reclaim = container_of(mail, struct reclaim, mail);

    reclaim->is_away = false;
    free_travelled(reclaim);
    if (reclaim->is_closing)
        reclaim->on_home(reclaim);
    else if (reclaim->retired != NULL)
        wait_for_more(reclaim);
}

/* Delivered on each other loop in turn, then on the owner's. */
static void visit(struct mail *mail)
{
    struct reclaim *reclaim = container_of(mail, struct reclaim, mail);
    struct executor *executor = reclaim->owner->executor;

    reclaim->stop++;
    if (reclaim->stop == reclaim->owner->index)
        reclaim->stop++;
    if (reclaim->stop < executor->loop_count) {
        loop_post(executor->loops[reclaim->stop], mail);
        return;
    }
    mail->deliver = come_home;
    loop_post(reclaim->owner, mail);
}

static void leave(struct reclaim *reclaim)
{
    timer_stop(reclaim->owner, &reclaim->timer);
    reclaim->travelled = reclaim->retired;
    reclaim->retired = NULL;
    reclaim->retired_count = 0;
    reclaim->is_away = true;
    reclaim->stop = -1;
    reclaim->mail.deliver = visit;
    visit(&reclaim->mail);
}

static void on_timer(struct timer *timer)
{
    leave(container_of(timer, struct reclaim, timer));
}

void reclaim_init(struct reclaim *reclaim, struct loop *owner,
                  void (*free_node)(struct published_node *node))
{
    *reclaim = (struct reclaim){.owner = owner, .free_node = free_node};
    reclaim->timer.fire = on_timer;
}

void reclaim_retire(struct reclaim *reclaim, struct published_node *node)
{
    keep(reclaim, node);
    if (reclaim->is_away || reclaim->is_closing)
        return;
    if (reclaim->retired_count >= RETIRED_PER_TRIP)
        leave(reclaim);
    else
        wait_for_more(reclaim);
}

void reclaim_close(struct reclaim *reclaim, void (*on_home)(struct reclaim *reclaim))
{
    reclaim->is_closing = true;
    reclaim->on_home = on_home;
    timer_stop(reclaim->owner, &reclaim->timer);
    if (!reclaim->is_away)
        on_home(reclaim);
}

void reclaim_done(struct reclaim *reclaim)
{
    struct published_node *node = NULL;

    free_travelled(reclaim);
    while ((node = reclaim->retired) != NULL) {
        reclaim->retired = node->next;
        reclaim->free_node(node);
    }
}

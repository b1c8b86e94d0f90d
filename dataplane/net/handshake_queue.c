/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/handshake_queue.h"

/* After the sockets of this turn. */
static void begin_turn_soon(struct handshake_queue *queue)
{
    if (!timer_is_armed(&queue->next_turn) && !queue->is_stopped)
        timer_start_in(queue->loop, &queue->next_turn, 0);
}

static void on_next_turn(struct timer *timer)
{
    struct handshake_queue *queue = container_of(timer, struct handshake_queue, next_turn);

    queue->taken = 0;
    while (queue->taken < HANDSHAKE_STEPS_A_TURN && !list_is_empty(&queue->waiting)) {
        struct list *link = list_pop_front(&queue->waiting);
        struct handshake_step *step = container_of(link, struct handshake_step, link);

        queue->taken++;
        step->is_granted = true;
        step->go(step);
    }
    if (queue->taken > 0)
        begin_turn_soon(queue);
}

void handshake_queue_init(struct handshake_queue *queue, struct loop *loop)
{
    *queue = (struct handshake_queue){.loop = loop, .next_turn = {.fire = on_next_turn}};
    list_init(&queue->waiting);
}

void handshake_queue_stop(struct handshake_queue *queue)
{
    queue->is_stopped = true;
    timer_stop(queue->loop, &queue->next_turn);
}

void handshake_step_init(struct handshake_step *step, void (*go)(struct handshake_step *step))
{
    *step = (struct handshake_step){.go = go};
    list_init(&step->link);
}

bool handshake_step_take(struct handshake_queue *queue, struct handshake_step *step)
{
    if (step->is_granted) {
        step->is_granted = false;
        return true;
    }
    begin_turn_soon(queue);
    if (list_is_empty(&queue->waiting) && queue->taken < HANDSHAKE_STEPS_A_TURN) {
        queue->taken++;
        return true;
    }
    if (!list_is_linked(&step->link))
        list_push_back(&queue->waiting, &step->link);
    return false;
}

void handshake_step_give_up(struct handshake_step *step)
{
    list_remove(&step->link);
    step->is_granted = false;
}

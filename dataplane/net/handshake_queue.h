/* SPDX-License-Identifier: Apache-2.0 */
/* TLS handshakes of a loop, a few steps in each turn: a step costs a third of a millisecond of CPU, and when many
 * clients come at once, as after a restart, all others on the loop would wait for all of theirs.
 *
 *   socket is readable ─▶ take ─┬─▶ true: read, and do the step
 *                               └─▶ false: reading is off ─▶ a later turn ─▶ go: reading is on ─▶ take: true
 *
 * What a client sent stays in its socket meanwhile, so those who wait cost no memory. They wait in their order, and
 * those who come later wait behind them. On the loop. */
#ifndef DATAPLANE_NET_HANDSHAKE_QUEUE_H
#define DATAPLANE_NET_HANDSHAKE_QUEUE_H

#include "common/base/list.h"
#include "common/port/executor.h"

enum { HANDSHAKE_STEPS_A_TURN = 2 };

struct handshake_queue {
    struct loop *loop;
    struct list waiting; /* struct handshake_step */
    int taken;           /* in this turn */
    struct timer next_turn;
    bool is_stopped;
};

/* Of one connection; embedded there. */
struct handshake_step {
    void (*go)(struct handshake_step *step);
    struct list link; /* in `waiting` */
    bool is_granted;  /* go was called, and it was not taken yet */
};

void handshake_queue_init(struct handshake_queue *queue, struct loop *loop);
/* Nobody is let go any more. */
void handshake_queue_stop(struct handshake_queue *queue);

void handshake_step_init(struct handshake_step *step, void (*go)(struct handshake_step *step));
/* May the step be done now? False: go is called in a later turn, unless the step is given up. */
bool handshake_step_take(struct handshake_queue *queue, struct handshake_step *step) WARN_UNUSED;
void handshake_step_give_up(struct handshake_step *step);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Many senders, one loop. Posting is one compare-and-swap; taking is one exchange and a reversal, so
 * that the mail of one sender is delivered in the order it was posted. One of the two files with
 * lock-free code (the other is dataplane/storage/published.c).
 *
 * A wake-up costs more than all else here, so only a loop that waits is woken, and by one sender:
 *
 *   loop    says that it waits, then looks whether there is mail after all      (mailbox_begin_wait)
 *   sender  leaves the mail, then looks whether the loop waits                  (mailbox_post)
 *
 * Each does the one before the other, in one order for all (sequentially consistent), so one of them sees the other. */
#ifndef COMMON_PORT_MAILBOX_H
#define COMMON_PORT_MAILBOX_H

#include "common/base/error.h"
#include "common/port/executor.h"

#include <stdatomic.h>

struct mailbox {
    struct mail *_Atomic newest;
    atomic_bool
        is_waiting; /* the loop, for mail among other things; false as soon as somebody wakes it */
};

void mailbox_init(struct mailbox *mailbox);
/* Any thread. True = the loop waits: wake it. */
bool mailbox_post(struct mailbox *mailbox, struct mail *mail);
/* The loop only, before it waits. False = there is mail: it must not. */
bool mailbox_begin_wait(struct mailbox *mailbox) WARN_UNUSED;
/* The loop only, as soon as it is awake. */
void mailbox_end_wait(struct mailbox *mailbox);
/* The loop only: all mail, oldest first, linked by next; NULL = none. */
struct mail *mailbox_take(struct mailbox *mailbox);
/* The loop only: delivers all that is there, and what arrives meanwhile is left. False = none was. */
bool mailbox_deliver(struct mailbox *mailbox);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Many senders, one loop. Posting is one compare-and-swap; taking is one exchange and a reversal, so
 * that the mail of one sender is delivered in the order it was posted. One of the two files with
 * lock-free code (the other is dataplane/storage/published.c). */
#ifndef COMMON_PORT_MAILBOX_H
#define COMMON_PORT_MAILBOX_H

#include "common/port/executor.h"

struct mailbox {
    struct mail *_Atomic newest;
};

void mailbox_init(struct mailbox *mailbox);
/* Any thread. True = it was empty: wake the loop. */
bool mailbox_post(struct mailbox *mailbox, struct mail *mail);
/* The loop only: all mail, oldest first, linked by next; NULL = none. */
struct mail *mailbox_take(struct mailbox *mailbox);
/* The loop only: delivers all that is there, and what arrives meanwhile is left. False = none was. */
bool mailbox_deliver(struct mailbox *mailbox);

#endif

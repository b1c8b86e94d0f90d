/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/mailbox.h"

#include <stdatomic.h>

void mailbox_init(struct mailbox *mailbox)
{
    atomic_init(&mailbox->newest, NULL);
}

bool mailbox_post(struct mailbox *mailbox, struct mail *mail)
{
    struct mail *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);

    do {
        atomic_store_explicit(&mail->next, newest, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, mail,
                                                    memory_order_release, memory_order_relaxed));
    return newest == NULL;
}

struct mail *mailbox_take(struct mailbox *mailbox)
{
    struct mail *mail = atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
    struct mail *oldest = NULL;

    while (mail != NULL) {
        struct mail *older = atomic_load_explicit(&mail->next, memory_order_relaxed);

        atomic_store_explicit(&mail->next, oldest, memory_order_relaxed);
        oldest = mail;
        mail = older;
    }
    return oldest;
}

bool mailbox_deliver(struct mailbox *mailbox)
{
    struct mail *mail = mailbox_take(mailbox);
    bool had_mail = mail != NULL;

    while (mail != NULL) {
        /* deliver() may post the node again: read the link before. */
        struct mail *next = atomic_load_explicit(&mail->next, memory_order_relaxed);

        mail->deliver(mail);
        mail = next;
    }
    return had_mail;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/mailbox.h"

void mailbox_init(struct mailbox *mailbox)
{
    atomic_init(&mailbox->newest, NULL);
    atomic_init(&mailbox->is_waiting, false);
}

bool mailbox_post(struct mailbox *mailbox, struct mail *mail)
{
    struct mail *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);

    do {
        atomic_store_explicit(&mail->next, newest, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, mail,
                                                    memory_order_seq_cst, memory_order_relaxed));
    return atomic_load(&mailbox->is_waiting) && atomic_exchange(&mailbox->is_waiting, false);
}

bool mailbox_begin_wait(struct mailbox *mailbox)
{
    atomic_store(&mailbox->is_waiting, true);
    if (atomic_load(&mailbox->newest) == NULL)
        return true;
    mailbox_end_wait(mailbox);
    return false;
}

void mailbox_end_wait(struct mailbox *mailbox)
{
    atomic_store_explicit(&mailbox->is_waiting, false, memory_order_relaxed);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* Many things to bring about at once, none of which may hold up another.
 *
 * An item is one cell, instance or credential; it is in the queue at most once, so one thing is never worked
 * on by two threads. A step does what can be done now, takes milliseconds, and says when to come back:
 *
 *     (push) ──▶ due ──▶ running ──▶ due again after its delay ──▶ … ──▶ done, forgotten
 *                 ▲          │ pushed meanwhile
 *                 └──────────┘
 *
 * What a step remembers in the item is a cache: after a crash the next process starts from the rows. */
#ifndef CONTROLPLANE_PROVISIONING_WORK_QUEUE_H
#define CONTROLPLANE_PROVISIONING_WORK_QUEUE_H

#include "common/base/error.h"
#include "common/base/uuid.h"
#include "controlplane/store/provision_rows.h"

#include <stdint.h>

struct work_queue;

#define WORK_DONE_MS (-1) /* a delay that means: nothing is left to do */

/* The part of an item that steps read and write; zero when the item is new. */
struct work_item {
    enum provision_kind kind;
    struct uuid id;
    int64_t published_version;  /* what brokers have to acknowledge; 0 = not published */
    int64_t published_revision; /* of the row it was published from */
    int64_t instance_no;
    int64_t since_ms;    /* monotonic; when the present wait began; 0 = no wait */
    int failures;        /* in a row */
    int64_t lease_epoch; /* 0 = not held */
    int64_t renew_at_ms; /* monotonic; from then on the lease is in doubt */
};

struct work_queue_events {
    /* One step, on worker thread `worker` (0 … worker_count-1). Returns the delay until the next one in
     * milliseconds, or WORK_DONE_MS. */
    int64_t (*step)(void *context, int worker, struct work_item *item);
    void *context;
};

enum err work_queue_new(int worker_count, const struct work_queue_events *events,
                        struct work_queue **ret_queue, struct error *error) WARN_UNUSED;
/* Lets running steps end, forgets the rest, joins the threads. Takes NULL. */
void work_queue_free(struct work_queue *queue);

/* Any thread, also from within a step. is_urgent: an item that waits is due now; else it keeps its time.
 * Out of memory the item is not taken: whoever lists the work comes again. */
void work_queue_push(struct work_queue *queue, enum provision_kind kind, struct uuid id,
                     bool is_urgent);
size_t work_queue_count(struct work_queue *queue);

#endif

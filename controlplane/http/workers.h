/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that run handlers, and the parking place of requests that wait.
 *
 * A parked request holds no thread. It runs again when woken for its key, at growing intervals (a wake-up is a
 * hint that may be lost), and when its wait is over. The queue is bounded: beyond it requests are refused,
 * not collected. */
#ifndef CONTROLPLANE_HTTP_WORKERS_H
#define CONTROLPLANE_HTTP_WORKERS_H

#include "controlplane/http/request.h"

struct workers;

struct workers_config {
    int thread_count;
    int queue_max;
    int64_t wait_max_ms;                                            /* of one request, in all */
    void (*run)(struct http_request *request, bool *ret_is_parked); /* on a worker */
};

enum err workers_start(const struct workers_config *config, struct workers **ret_workers,
                       struct error *error) WARN_UNUSED;
/* False: the queue is full, or stopping. Any thread. */
bool workers_submit(struct workers *workers, struct http_request *request);
/* Requests parked under this key run now; the zero key wakes all. Any thread. */
void workers_wake(struct workers *workers, struct uuid key);
/* Ends all waits, runs what is queued, joins the threads; from now on workers_submit refuses. Takes NULL. */
void workers_stop(struct workers *workers);
/* After workers_stop. Takes NULL. */
void workers_free(struct workers *workers);

#endif

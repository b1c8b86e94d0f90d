/* SPDX-License-Identifier: Apache-2.0 */
/* Takes renewed certificates while the broker serves, so that nobody has to restart it.
 *
 *   a minute later, or asked ──▶ a SLOW worker: are the files others? ──▶ taken for handshakes to come, or refused ─┐
 *        ▲                                                                                                          │
 *        └──────────────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Files are others however they came: written in place, renamed over, behind a symbolic link that moved. What cannot be taken
 * (one of the two was written and the other not yet) is said, the old certificate stays, and a minute later it is tried again.
 * Twice a day the files are taken even if they are the same: keys of session tickets end with that. Connections keep
 * what they began with. The loop only. */
#ifndef DATAPLANE_NET_CERTIFICATE_WATCH_H
#define DATAPLANE_NET_CERTIFICATE_WATCH_H

#include "common/base/error.h"
#include "common/port/executor.h"

struct tls_context;

struct certificate_watch {
    struct tls_context *tls;
    struct loop *loop;
    struct timer timer;
    struct work work;
    int64_t taken_us;
    bool is_looking; /* the worker is */
    bool is_asked;   /* to take them, whatever they look like */
    bool is_ended;
    /* the worker's while it looks */
    bool must_take;
    bool is_tried;      /* to take them */
    struct error error; /* of that */
};

/* The context is borrowed until the loops and workers have ended. */
void certificate_watch_begin(struct certificate_watch *watch, struct tls_context *tls,
                             struct loop *loop);
/* Somebody says that the files are new ones: they are taken at once. */
void certificate_watch_ask(struct certificate_watch *watch);
/* No look begins any more. */
void certificate_watch_end(struct certificate_watch *watch);

#endif

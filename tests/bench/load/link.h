/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of a load, without blocking: TCP, TLS, login, then frames out and answers in.
 *
 *   CONNECTING ──▶ TLS ──▶ MECHANISM ──▶ PASSWORD ──▶ READY      a step is left out when it is not asked for
 *
 * Frames are borrowed, not copied: they stay as they are until their answer is there. Any failure ends the process:
 * a load with a hole in it measures nothing. */
#ifndef TESTS_BENCH_LOAD_LINK_H
#define TESTS_BENCH_LOAD_LINK_H

#include <openssl/ssl.h>

#include "common/base/slice.h"
#include "tests/bench/load/load_options.h"

enum { LINK_QUEUE = 1024 };

enum link_state { LINK_CONNECTING, LINK_TLS, LINK_MECHANISM, LINK_PASSWORD, LINK_READY };

struct link {
    int index;
    int fd;
    SSL *ssl; /* NULL = plain */
    enum link_state state;
    struct slice *queue; /* frames that are not written yet: a ring of LINK_QUEUE */
    unsigned head, tail;
    size_t written; /* of the first of them */
    uint8_t *bytes; /* received */
    size_t room, len;
    struct slice login; /* the frame under way, owned */
};

struct link_set {
    const struct load_options *options;
    SSL_CTX *tls;
    int epoll;
    int count;
    int ready;
    struct link *links;
    void (*on_answer)(void *context, struct link *link, struct slice answer);
    void *context;
};

/* Opens all of them, `at_once` at a time, and returns when all have logged in. */
void link_set_open(struct link_set *set, const struct load_options *options, int count,
                   int at_once);
void link_set_close(struct link_set *set);
/* Waits for at most timeout_ns (less than 0 = for ever); each whole answer goes to on_answer, without its length. */
void link_set_wait(struct link_set *set, int64_t timeout_ns);
/* Queues the frame and writes what the socket takes. */
void link_send(struct link *link, struct slice frame);

int64_t now_ns(void);
void *allocate(size_t count, size_t size); /* zeros, never NULL */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of this broker, kept equal to its listener rows: what is new is opened, what is gone or
 * changed is closed. Listeners without TLS are opened on loopback addresses only. Loop 0. */
#ifndef DATAPLANE_BROKER_LISTENERS_H
#define DATAPLANE_BROKER_LISTENERS_H

#include "common/base/error.h"
#include "common/port/network.h"

struct broker_listeners;
struct broker_loop;
struct cluster;
struct tls_context;

struct broker_listeners_options {
    struct network *network;
    struct cluster *cluster;
    struct loop *loop0;
    struct tls_context *tls;
    const char *const *bind_addresses; /* borrowed; NULL ends */
    struct broker_loop *(*loop_of)(void *context, const struct loop *loop);
    void *context;
};

struct broker_listeners *broker_listeners_new(const struct broker_listeners_options *options);
/* False: of a row that is to be served here no socket could be opened, on any address; try again later. */
bool broker_listeners_update(struct broker_listeners *listeners) WARN_UNUSED;
void broker_listeners_close(struct broker_listeners *listeners);
void broker_listeners_free(struct broker_listeners *listeners);
int broker_listeners_port(const struct broker_listeners *listeners,
                          const char *name); /* 0 = none */

/* dataplane/broker.c: which of its loops. */
struct broker_loop *broker_loop_of(void *context, const struct loop *loop);

#endif

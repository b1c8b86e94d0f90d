/* SPDX-License-Identifier: Apache-2.0 */
/* The broker: everything between the ports, put together. main.c brings the real edges (libuv, POSIX,
 * PostgreSQL), the simulator its own.
 *
 *   broker_new ──▶ broker_start (loop 0) ──▶ serving ──▶ broker_stop (loop 0) ──done──▶ broker_free */
#ifndef DATAPLANE_BROKER_H
#define DATAPLANE_BROKER_H

#include "common/base/hash_table.h"
#include "common/port/disk.h"
#include "common/port/executor.h"
#include "common/port/network.h"
#include "common/port/random.h"
#include "dataplane/dispatch/broker_limits.h"
#include "dataplane/port/meta_store.h"
#include "dataplane/storage/log_directory.h"

struct broker;
struct tls_context;

enum { BROKER_MAX_BIND_ADDRESSES = 8 };

struct broker_options {
    /* all borrowed for the broker's life */
    struct executor *executor;
    struct disk *disk;
    struct network *network;
    struct meta_store *store;
    struct random *random;
    struct log_directory *directory;
    struct tls_context *tls; /* NULL: SASL_SSL listeners are not opened */
    const char *bind_addresses[BROKER_MAX_BIND_ADDRESSES]; /* NULL ends */
    int32_t broker_id;
    const char *metrics_addresses[BROKER_MAX_BIND_ADDRESSES]; /* loopback only; NULL ends */
    int metrics_port;                                         /* 0 = any; only with addresses */
    const char *software;
    bool has_process; /* a process of its own: its memory and time are metrics, too */
    int32_t group_initial_rebalance_delay_ms;
    struct broker_limits limits;
};

/* Before the loops run. Serves from the cached image when there is one. */
enum err broker_new(const struct broker_options *options, struct broker **ret_broker,
                    struct error *error) WARN_UNUSED;
/* Loop 0. */
void broker_start(struct broker *broker);
/* Loop 0: no new connections, live ones closed, coordinators resigned, logs flushed and closed cleanly;
 * then done on loop 0. */
void broker_stop(struct broker *broker, void (*done)(void *context), void *context);
/* After the loops have ended. */
void broker_free(struct broker *broker);
/* Loop 0. Where metrics are served; 0 = they are not. */
int broker_metrics_port(const struct broker *broker);
/* Any thread: what requests and answers hold now, for metrics. */
const struct memory_budget *broker_memory(const struct broker *broker);
/* Loop 0. The port that a listener of that name is bound to; 0 = not open. */
int broker_listener_port(const struct broker *broker, const char *name);

#endif

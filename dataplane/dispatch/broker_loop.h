/* SPDX-License-Identifier: Apache-2.0 */
/* What a request may use on the loop it runs on. One a loop, made by the composition root; everything
 * in it is touched on that loop only, apart from what says otherwise. */
#ifndef DATAPLANE_DISPATCH_BROKER_LOOP_H
#define DATAPLANE_DISPATCH_BROKER_LOOP_H

#include <stdatomic.h>

#include "common/base/hash_table.h"
#include "common/base/list.h"
#include "common/kafka/kafka_api.h"
#include "common/port/executor.h"
#include "common/port/random.h"
#include "dataplane/cluster/image.h"
#include "dataplane/dispatch/broker_limits.h"
#include "dataplane/dispatch/loop_metrics.h"
#include "dataplane/dispatch/scheduler.h"
#include "dataplane/net/connection.h"

struct cluster;
struct group_coordinator;
struct log_directory;
struct fetch_sessions;
struct request;
struct session;

/* One served API. A table of these, ascending by key, ends with handle NULL. */
struct api_handler {
    enum kafka_api_key key;
    bool is_sasl; /* legal before login: SaslHandshake, SaslAuthenticate, ApiVersions */
    void (*handle)(struct request *request);
};

struct broker_loop {
    struct loop *loop;
    struct image *image;
    struct cluster *cluster;               /* any loop may submit */
    struct group_coordinator *coordinator; /* any loop may submit */
    struct log_directory *directory;       /* loop 0 only */
    struct loop *loop0;
    struct fetch_sessions *fetch_sessions;
    struct random *random;
    const uint8_t *pepper; /* 32 bytes of this process */
    struct hash_seed seed;
    int32_t broker_id;
    const struct api_handler *handlers;
    void (*handle_raw_sasl)(struct session *session, struct frame frame);
    const struct broker_limits *limits;

    struct connection_scratch scratch;
    struct handshake_queue handshakes;
    struct scheduler scheduler;
    struct login_guard guard;
    struct memory_budget *memory; /* of the broker; any loop */
    struct list starved;          /* sessions that wait for memory */
    struct timer memory_retry;
    struct list sessions; /* all of this loop */
    struct timer sweep;   /* login deadlines, idle connections */
    struct image_observer observer;
    atomic_bool *is_listening; /* of the broker: its listeners are open; any loop */
    bool is_stopping;
    struct loop_metrics *metrics; /* owned by the composition root */
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A replica whose log is memory, with the few things about it that a coordinator can notice under the
 * test's control: whether appends are answered, with what, and how far the log is committed. */
#ifndef TESTS_UNIT_DATAPLANE_COORDINATOR_FAKE_REPLICA_H
#define TESTS_UNIT_DATAPLANE_COORDINATOR_FAKE_REPLICA_H

#include "common/base/buffer.h"
#include "dataplane/storage/replica.h"

struct replica {
    struct loop *loop;
    struct buffer log;
    struct log_snapshot snapshot;
    int references;
    bool holds_appends;
    struct replica_append *held[64];
    size_t held_count;
    enum kafka_error append_error;
    enum kafka_error read_error;
    int reads;
    struct replica_waiter *waiter;
};

void fake_replica_init(struct replica *replica, struct loop *loop);
void fake_replica_done(struct replica *replica);
/* On the replica's loop. */
void fake_replica_release_appends(struct replica *replica);
void fake_replica_commit(struct replica *replica, log_offset high_watermark);

#endif

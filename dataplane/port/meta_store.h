/* SPDX-License-Identifier: Apache-2.0 */
/* Where a cell agrees, as a request / delta / acknowledge protocol. Nothing of PostgreSQL is in it:
 * a relay or another store can stand behind it, and the simulator does.
 *
 *   broker ── start ─────────────▶ store      registers this incarnation
 *   broker ◀─ on_registered ────── store      cell, broker epoch, producer registration
 *   broker ◀─ on_changes ───────── store      one snapshot first, then deltas, in version order
 *   broker ── acknowledge(v) ────▶ store      "I serve version v"
 *   broker ── submit(request) ───▶ store      create topics and the like; compare-and-set inside
 *   broker ◀─ request->done ────── store      result, and the version that shows it
 *
 * Objects travel as JSON with a kind and a key (migrations/README.md lists them); the image in
 * dataplane/cluster parses them. All calls and callbacks are on loop 0. A store that cannot be
 * reached fails requests at once with ERR_UNAVAILABLE and keeps trying by itself. */
#ifndef DATAPLANE_PORT_META_STORE_H
#define DATAPLANE_PORT_META_STORE_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/base/uuid.h"
#include "common/port/executor.h"

struct meta_store;

struct meta_change {
    int64_t version;
    struct slice kind;    /* "tenant", "credential", "topic", "listener", "broker" */
    struct slice key;     /* unique within kind */
    struct slice payload; /* JSON object; null = removed */
};

struct meta_registration {
    struct uuid cell_id;
    int32_t cell_no;
    int64_t broker_epoch;
    int64_t producer_registration; /* 31 bits, unique in the fleet: high half of producer ids */
    int64_t lease_ms;              /* 0 = this cell has no leases (one broker) */
};

struct meta_store_events {
    void (*on_registered)(void *context, const struct meta_registration *registration);
    /* is_snapshot: first part of a whole image, replaces all that is known once the last part came;
     * is_last: `version` is complete. Changes are borrowed for the call. */
    void (*on_changes)(void *context, const struct meta_change *changes, size_t count,
                       bool is_snapshot, bool is_last, int64_t version);
    void (*on_reachable)(void *context, bool is_reachable);
};

enum meta_request_kind {
    META_CREATE_TOPICS,
    META_DELETE_TOPICS,
    META_CREATE_PARTITIONS,
    META_ALTER_CONFIGS,
    META_DELETE_RECORDS /* reserved for log starts kept in the store; unused with one broker */
};

struct meta_request {
    enum meta_request_kind kind;
    struct slice body; /* JSON, see migrations/README.md; borrowed until done */
    /* Exactly once, on loop 0, never before submit returns. reply is borrowed for the call. */
    void (*done)(struct meta_request *request, enum err err, struct slice reply, int64_t version);
    struct meta_request *next; /* the store's queue */
    struct mail mail;          /* the store's */
};

struct meta_store_ops {
    /* have_version: what the cached image has, 0 = nothing (a snapshot will come). */
    void (*start)(struct meta_store *store, const struct meta_store_events *events, void *context,
                  int64_t have_version);
    void (*submit)(struct meta_store *store, struct meta_request *request);
    void (*acknowledge)(struct meta_store *store, int64_t version);
    /* No callbacks after it returns; requests under way are done with ERR_CANCELLED first. */
    void (*stop)(struct meta_store *store);
};

struct meta_store {
    const struct meta_store_ops *ops;
};

#endif

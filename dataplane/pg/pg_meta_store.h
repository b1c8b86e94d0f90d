/* SPDX-License-Identifier: Apache-2.0 */
/* meta_store on PostgreSQL: the functions cell.v1_* (migrations/README.md) behind the port.
 *
 * One thread of its own holds one connection; loop 0 and it exchange work through two locked lists,
 * so that no loop ever waits for the store. It reconnects by itself (back-off with jitter), is
 * woken by NOTIFY and asks every 500 ms, renews the lease, and fails requests at once while there
 * is no connection. */
#ifndef DATAPLANE_PG_PG_META_STORE_H
#define DATAPLANE_PG_PG_META_STORE_H

#include "common/port/random.h"
#include "dataplane/port/meta_store.h"

struct pg_meta_store;

struct pg_meta_store_options {
    struct loop *loop;         /* loop 0: where all calls and callbacks are */
    const char *conninfo;      /* libpq keywords or URI, without the password */
    const char *password_file; /* read again at each connect; NULL = no password */
    struct random *random;     /* jitter and the incarnation */
    int32_t broker_id;
    struct uuid directory; /* of the data directory */
    bool was_clean;        /* the directory was closed cleanly */
    const char *software;  /* "millrace 0.1.0" */
};

/* Nothing connects before meta_store start. Strings are copied. ERR_INVALID (conninfo),
 * ERR_NO_MEMORY, ERR_IO. */
enum err pg_meta_store_new(const struct pg_meta_store_options *options,
                           struct pg_meta_store **ret_store, struct error *error) WARN_UNUSED;
struct meta_store *pg_meta_store_port(struct pg_meta_store *store);
/* After stop and after loop 0 has ended. */
void pg_meta_store_free(struct pg_meta_store *store);

#endif

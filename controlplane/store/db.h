/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to PostgreSQL, and a pool of them.
 *
 * Statements are constants (`static const struct db_statement`), prepared once per connection and always
 * run with parameters; text never becomes SQL. Every wait has a deadline: a statement that takes longer
 * than statement_timeout_ms costs the connection, not the thread. A broken connection is opened again
 * at the next use. SQLSTATE becomes enum err in db.c and nowhere else:
 *
 *   ERR_EXISTS       unique violation          ERR_UNAVAILABLE  no connection, shutting down, too many
 *   ERR_CONFLICT     serialization, deadlock   ERR_TIMEOUT      statement or lock took too long
 *   ERR_INVALID      check, not null, range    ERR_NOT_FOUND    foreign key, no data found
 *   ERR_INTERNAL     all else: our mistake
 *
 * Transactions: store/transaction.h. A struct db is used by one thread at a time; db_pool by any. */
#ifndef CONTROLPLANE_STORE_DB_H
#define CONTROLPLANE_STORE_DB_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/base/uuid.h"

#include <stddef.h>
#include <stdint.h>

struct db;
struct db_pool;
struct db_result;

struct db_config {
    const char *conninfo; /* libpq: "host=/run/pg port=5433 dbname=fleet user=millrace_serve" */
    const char *password_file;    /* first line; NULL or "" = none */
    const char *application_name; /* seen in pg_stat_activity */
    int64_t connect_timeout_ms;
    int64_t statement_timeout_ms; /* on the server; here one second is added */
};

/* ---- one connection ---- */

/* Connects. config's strings are borrowed until db_close. */
enum err db_open(const struct db_config *config, struct db **ret_db,
                 struct error *error) WARN_UNUSED;
void db_close(struct db *db); /* takes NULL */
/* Connects again if the connection was lost; cheap when it was not. */
enum err db_ensure(struct db *db, struct error *error) WARN_UNUSED;
/* SQLSTATE of the last failed statement, "" when there was none: for the few who care (MR001). */
const char *db_sqlstate(const struct db *db);

/* ---- statements ---- */

struct db_statement {
    const char *sql; /* one statement, $1 … $n */
};

#define DB_MAX_PARAMS 40

/* Parameters of one call, in order. Texts are borrowed until the call returns; numbers are kept inside. */
struct db_params {
    const char *values[DB_MAX_PARAMS];
    int lengths[DB_MAX_PARAMS];
    int formats[DB_MAX_PARAMS];
    int count;
    char scratch[DB_MAX_PARAMS][40];
};

#define DB_PARAMS_NONE ((const struct db_params *)NULL)

void db_params_init(struct db_params *params);
void db_param_text(struct db_params *params, const char *text); /* NULL = SQL null */
void db_param_i64(struct db_params *params, int64_t number);
void db_param_bool(struct db_params *params, bool is_true);
void db_param_uuid(struct db_params *params, struct uuid uuid);    /* zero = SQL null */
void db_param_bytes(struct db_params *params, struct slice bytes); /* null slice = SQL null */

/* Runs a statement and returns its rows; free with db_result_free. */
enum err db_query(struct db *db, const struct db_statement *statement,
                  const struct db_params *params, struct db_result **ret_result,
                  struct error *error) WARN_UNUSED;
/* Runs a statement for its effect. ret_row_count (may be NULL): rows touched. */
enum err db_execute(struct db *db, const struct db_statement *statement,
                    const struct db_params *params, int64_t *ret_row_count,
                    struct error *error) WARN_UNUSED;
/* A whole script, without parameters, in one go: migrations only. */
enum err db_run_script(struct db *db, const char *sql, struct error *error) WARN_UNUSED;

int db_result_row_count(const struct db_result *result);
bool db_result_is_null(const struct db_result *result, int row, int column);
/* "" for SQL null; valid until db_result_free. */
const char *db_result_text(const struct db_result *result, int row, int column);
int64_t db_result_i64(const struct db_result *result, int row, int column); /* 0 for null */
bool db_result_bool(const struct db_result *result, int row, int column);
struct uuid db_result_uuid(const struct db_result *result, int row, int column); /* zero for null */
/* A bytea, decoded into the arena; null slice for null or when memory is out. */
struct slice db_result_bytes(const struct db_result *result, int row, int column,
                             struct arena *arena);
/* Copy in the arena; NULL when memory is out. */
const char *db_result_copy(const struct db_result *result, int row, int column,
                           struct arena *arena);
void db_result_free(struct db_result *result); /* takes NULL */

/* ---- wake-ups; never inside a transaction that changes rows ---- */

enum err db_notify(struct db *db, const char *channel, const char *payload,
                   struct error *error) WARN_UNUSED;
/* Listens from now on, also after a reconnect. channel is a constant identifier of ours. At most 4. */
enum err db_listen(struct db *db, const char *channel, struct error *error) WARN_UNUSED;
/* Waits for a notification or wake_fd (-1 = none) or the time. ERR_TIMEOUT when nothing came; payload is cut
 * to its room. */
enum err db_wait_notification(struct db *db, int64_t timeout_ms, int wake_fd, char *ret_payload,
                              size_t payload_room, struct error *error) WARN_UNUSED;

/* ---- pool ---- */

/* Opens nothing yet. config's strings are borrowed until db_pool_free. */
enum err db_pool_new(const struct db_config *config, int connection_count,
                     struct db_pool **ret_pool, struct error *error) WARN_UNUSED;
/* All connections must have been released. Takes NULL. */
void db_pool_free(struct db_pool *pool);
/* A connection that works, as far as can be known; waits up to timeout_ms for a free one.
 * ERR_UNAVAILABLE when the store cannot be reached: at once while a recent attempt has failed. */
enum err db_pool_acquire(struct db_pool *pool, int64_t timeout_ms, struct db **ret_db,
                         struct error *error) WARN_UNUSED;
void db_pool_release(struct db_pool *pool, struct db *db);
/* For metrics: how many there may be, how many are in use. */
int db_pool_size(const struct db_pool *pool);
int db_pool_busy(struct db_pool *pool);

#endif

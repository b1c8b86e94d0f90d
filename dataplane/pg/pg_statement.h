/* SPDX-License-Identifier: Apache-2.0 */
/* The statements a broker may run: calls of cell.v1_* and nothing else. All arguments and results
 * are text. */
#ifndef DATAPLANE_PG_PG_STATEMENT_H
#define DATAPLANE_PG_PG_STATEMENT_H

#include "dataplane/port/meta_store.h"

#include <libpq-fe.h>

enum pg_statement {
    PG_REGISTER,
    PG_SNAPSHOT,
    PG_CHANGES,
    PG_ACKNOWLEDGE,
    PG_RENEW_LEASE,
    PG_CREATE_TOPICS,
    PG_DELETE_TOPICS,
    PG_CREATE_PARTITIONS,
    PG_ALTER_CONFIGS,
    PG_NOTIFY,
    PG_STATEMENT_COUNT
};

#define PG_MAX_ARGUMENTS 5
#define PG_CHANGES_PER_CALL "1000"

const char *pg_statement_name(enum pg_statement statement);
const char *pg_statement_sql(enum pg_statement statement);
int pg_statement_argument_count(enum pg_statement statement);
/* False: this store has no function for that kind. */
bool pg_statement_of_request(enum meta_request_kind kind, enum pg_statement *ret_statement);

/* Values of results; false when the shape is not what the contract says. */
bool pg_value_i64(const PGresult *result, int row, int column, int64_t *ret_value);
bool pg_value_uuid(const PGresult *result, int row, int column, struct uuid *ret_uuid);
struct slice pg_value_text(const PGresult *result, int row, int column); /* null stays null */

/* libpq's messages have several lines; the first one says it. */
struct slice pg_first_line(const char *message);

/* What a failed statement means: ERR_UNAVAILABLE (was not executed, may be tried again),
 * ERR_FENCED, ERR_CONFLICT (a snapshot is needed), ERR_DENIED (not of any cell, no rights),
 * ERR_INTERNAL. */
enum err pg_error_of(const PGresult *result);

#endif

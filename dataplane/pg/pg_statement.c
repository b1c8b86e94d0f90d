/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pg/pg_statement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *sql;
    int argument_count;
} statements[PG_STATEMENT_COUNT] = {
    [PG_REGISTER] =
        {"register",
         "SELECT cell_id, cell_no, broker_epoch, producer_registration, version, "
         "lease_ms FROM cell.v1_register($1::int, $2::uuid, $3::uuid, $4::boolean, $5::text)",
         5},
    [PG_SNAPSHOT] = {"snapshot", "SELECT version, kind, key, payload FROM cell.v1_snapshot()", 0},
    [PG_CHANGES] = {"changes",
                    "SELECT v, kind, key, payload FROM cell.v1_changes($1::bigint, $2::int)", 2},
    [PG_ACKNOWLEDGE] = {"acknowledge", "SELECT cell.v1_acknowledge($1::int, $2::uuid, $3::bigint)",
                        3},
    [PG_RENEW_LEASE] = {"renew_lease",
                        "SELECT lease_ms, version FROM cell.v1_renew_lease($1::int, $2::uuid)", 2},
    [PG_CREATE_TOPICS] = {"create_topics", "SELECT cell.v2_create_topics($1::jsonb)", 1},
    [PG_DELETE_TOPICS] = {"delete_topics", "SELECT cell.v1_delete_topics($1::jsonb)", 1},
    [PG_CREATE_PARTITIONS] = {"create_partitions", "SELECT cell.v2_create_partitions($1::jsonb)",
                              1},
    [PG_ALTER_CONFIGS] = {"alter_configs", "SELECT cell.v2_alter_configs($1::jsonb)", 1},
    [PG_NOTIFY] = {"notify", "SELECT cell.v1_notify()", 0},
};

const char *pg_statement_name(enum pg_statement statement)
{
    return statements[statement].name;
}

const char *pg_statement_sql(enum pg_statement statement)
{
    return statements[statement].sql;
}

int pg_statement_argument_count(enum pg_statement statement)
{
    return statements[statement].argument_count;
}

bool pg_statement_of_request(enum meta_request_kind kind, enum pg_statement *ret_statement)
{
    switch (kind) {
    case META_CREATE_TOPICS:
        *ret_statement = PG_CREATE_TOPICS;
        return true;
    case META_DELETE_TOPICS:
        *ret_statement = PG_DELETE_TOPICS;
        return true;
    case META_CREATE_PARTITIONS:
        *ret_statement = PG_CREATE_PARTITIONS;
        return true;
    case META_ALTER_CONFIGS:
        *ret_statement = PG_ALTER_CONFIGS;
        return true;
    case META_DELETE_RECORDS:
        break;
    }
    return false;
}

static bool has_value(const PGresult *result, int row, int column)
{
    return row < PQntuples(result) && column < PQnfields(result) &&
           !PQgetisnull(result, row, column);
}

bool pg_value_i64(const PGresult *result, int row, int column, int64_t *ret_value)
{
    const char *text = NULL;
    char *end = NULL;
    long long value = 0;

    if (!has_value(result, row, column))
        return false;
    text = PQgetvalue(result, row, column);
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return false;
    *ret_value = value;
    return true;
}

struct slice pg_value_text(const PGresult *result, int row, int column)
{
    if (!has_value(result, row, column))
        return SLICE_NULL;
    return slice_of(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

bool pg_value_uuid(const PGresult *result, int row, int column, struct uuid *ret_uuid)
{
    struct slice text = pg_value_text(result, row, column);

    return !slice_is_null(text) && uuid_parse(text, ret_uuid) == ERR_OK;
}

struct slice pg_first_line(const char *message)
{
    return slice_of(message, strcspn(message, "\n"));
}

/* Classes that say "not now": the transaction was rolled back. */
static bool is_passing(const char *state)
{
    static const char *const classes[] = {"08", "40", "53", "55", "57"};

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strncmp(state, classes[i], 2) == 0)
            return true;
    }
    return false;
}

enum err pg_error_of(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (state == NULL || is_passing(state))
        return ERR_UNAVAILABLE;
    if (strcmp(state, "MR001") == 0)
        return ERR_CONFLICT;
    if (strcmp(state, "MR002") == 0)
        return ERR_FENCED;
    if (strcmp(state, "MR003") == 0 || strcmp(state, "42501") == 0)
        return ERR_DENIED;
    return ERR_INTERNAL;
}

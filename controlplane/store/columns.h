/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the columns of one row in order, so that a SELECT list and the struct it fills stand side by side. */
#ifndef CONTROLPLANE_STORE_COLUMNS_H
#define CONTROLPLANE_STORE_COLUMNS_H

#include "controlplane/store/db.h"

/* RFC 3339 in UTC with milliseconds; SQL null stays null. */
#define TIME_TEXT(column)                                                                          \
    "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

struct columns {
    const struct db_result *result;
    int row;
    int next;
    struct arena *arena;
    bool is_out_of_memory; /* sticky */
};

static inline struct columns columns_of(const struct db_result *result, int row,
                                        struct arena *arena)
{
    return (struct columns){.result = result, .row = row, .arena = arena};
}

/* NULL for SQL null. */
static inline const char *column_text(struct columns *columns)
{
    int column = columns->next++;

    if (db_result_is_null(columns->result, columns->row, column))
        return NULL;
    const char *text = db_result_copy(columns->result, columns->row, column, columns->arena);
    columns->is_out_of_memory |= text == NULL;
    return text;
}

static inline int64_t column_i64(struct columns *columns)
{
    return db_result_i64(columns->result, columns->row, columns->next++);
}

static inline bool column_bool(struct columns *columns)
{
    return db_result_bool(columns->result, columns->row, columns->next++);
}

static inline struct uuid column_uuid(struct columns *columns)
{
    return db_result_uuid(columns->result, columns->row, columns->next++);
}

static inline struct slice column_bytes(struct columns *columns)
{
    int column = columns->next++;

    if (db_result_is_null(columns->result, columns->row, column))
        return SLICE_NULL;
    struct slice bytes = db_result_bytes(columns->result, columns->row, column, columns->arena);
    columns->is_out_of_memory |= slice_is_null(bytes);
    return bytes;
}

static inline WARN_UNUSED enum err columns_end(const struct columns *columns, struct error *error)
{
    return columns->is_out_of_memory ? error_set(error, ERR_NO_MEMORY, "row: no memory") : ERR_OK;
}

#endif

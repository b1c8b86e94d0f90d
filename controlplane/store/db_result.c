/* SPDX-License-Identifier: Apache-2.0 */
/* Values in and out: parameters of a statement, columns of its rows. All travel as text but bytea
 * parameters; what a column holds is known to the function that wrote the SQL beside it. */
#include "controlplane/store/db.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/encoding.h"
#include "controlplane/store/db_internal.h"

void db_params_init(struct db_params *params)
{
    params->count = 0;
}

static void add(struct db_params *params, const char *value, int length, int format)
{
    invariant(params->count < DB_MAX_PARAMS);
    params->values[params->count] = value;
    params->lengths[params->count] = length;
    params->formats[params->count] = format;
    params->count++;
}

void db_param_text(struct db_params *params, const char *text)
{
    add(params, text, 0, 0);
}

void db_param_i64(struct db_params *params, int64_t number)
{
    invariant(params->count < DB_MAX_PARAMS);
    char *scratch = params->scratch[params->count];

    snprintf(scratch, sizeof(params->scratch[0]), "%" PRId64, number);
    add(params, scratch, 0, 0);
}

void db_param_bool(struct db_params *params, bool is_true)
{
    add(params, is_true ? "t" : "f", 0, 0);
}

void db_param_uuid(struct db_params *params, struct uuid uuid)
{
    invariant(params->count < DB_MAX_PARAMS);
    char *scratch = params->scratch[params->count];

    if (uuid_is_zero(uuid)) {
        add(params, NULL, 0, 0);
        return;
    }
    uuid_format(uuid, scratch);
    add(params, scratch, 0, 0);
}

void db_param_bytes(struct db_params *params, struct slice bytes)
{
    invariant(bytes.len < INT32_MAX);
    add(params, (const char *)bytes.data, (int)bytes.len, 1);
}

int db_result_row_count(const struct db_result *result)
{
    return PQntuples(db_result_unwrap(result));
}

bool db_result_is_null(const struct db_result *result, int row, int column)
{
    return PQgetisnull(db_result_unwrap(result), row, column) == 1;
}

const char *db_result_text(const struct db_result *result, int row, int column)
{
    return PQgetvalue(db_result_unwrap(result), row, column);
}

int64_t db_result_i64(const struct db_result *result, int row, int column)
{
    return strtoll(db_result_text(result, row, column), NULL, 10);
}

bool db_result_bool(const struct db_result *result, int row, int column)
{
    return db_result_text(result, row, column)[0] == 't';
}

struct uuid db_result_uuid(const struct db_result *result, int row, int column)
{
    struct uuid uuid = {{0}};

    if (uuid_parse(slice_from_cstring(db_result_text(result, row, column)), &uuid) != ERR_OK)
        return (struct uuid){{0}};
    return uuid;
}

struct slice db_result_bytes(const struct db_result *result, int row, int column,
                             struct arena *arena)
{
    const char *text = db_result_text(result, row, column);
    size_t hex_len = strlen(text);

    /* bytea as text is \x and two digits a byte. */
    if (hex_len < 2 || db_result_is_null(result, row, column))
        return SLICE_NULL;
    size_t len = (hex_len - 2) / 2;
    uint8_t *bytes = arena_alloc(arena, len);
    if (!bytes || hex_decode(slice_of(text + 2, hex_len - 2), bytes, len) != ERR_OK)
        return SLICE_NULL;
    return slice_of(bytes, len);
}

const char *db_result_copy(const struct db_result *result, int row, int column, struct arena *arena)
{
    const char *copy = NULL;

    if (arena_cstring(arena, slice_from_cstring(db_result_text(result, row, column)), &copy) !=
        ERR_OK)
        return NULL;
    return copy;
}

void db_result_free(struct db_result *result)
{
    PQclear(db_result_unwrap(result));
}

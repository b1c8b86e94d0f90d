/* SPDX-License-Identifier: Apache-2.0 */
/* One table per program: name, type, bounds, unit, default, sentence. The parser, --help and the
 * reference text come from it. Files are `name = value` lines, `#` starts a comment; the same names
 * work as `--name=value`. An unknown key is an error. */
#ifndef COMMON_CONFIG_OPTION_TABLE_H
#define COMMON_CONFIG_OPTION_TABLE_H

#include "common/base/error.h"

#include <stdint.h>
#include <stdio.h>

enum option_type { OPTION_STRING, OPTION_I64, OPTION_BOOL, OPTION_ENUM };

struct option {
    const char *name; /* NULL ends the table */
    enum option_type type;
    size_t offset;             /* of the field: const char *, int64_t, bool, int */
    const char *default_value; /* text, parsed like any other; NULL = required */
    int64_t minimum, maximum;  /* OPTION_I64 */
    const char *unit;          /* "ms", "bytes", … or "" */
    const char *const *values; /* OPTION_ENUM: NULL-terminated, field = index */
    bool is_secret_path;       /* dumps print *** */
    const char *sentence;
};

/* Fills config (caller's struct, strings owned by it until option_table_done). file may be NULL.
 * args:
 * "--name=value" or "--name value" after the file's, NULL-terminated; they win. */
enum err option_table_load(const struct option *table, void *config, const char *file,
                           char *const *args, struct error *error) WARN_UNUSED;
void option_table_done(const struct option *table, void *config);
void option_table_help(const struct option *table, FILE *out);
/* name=value lines, secrets as ***. */
void option_table_dump(const struct option *table, const void *config, FILE *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Values are applied in order: defaults, file, arguments; the last one wins. */
#include "common/config/option_table.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 128, MAX_LINE = 4096 };

static void *field_of(const struct option *option, void *config)
{
    return (char *)config + option->offset;
}

static const struct option *find(const struct option *table, const char *name, size_t len)
{
    for (; table->name != NULL; table++) {
        if (strlen(table->name) == len && strncmp(table->name, name, len) == 0)
            return table;
    }
    return NULL;
}

static enum err set_i64(const struct option *option, void *config, const char *text,
                        struct error *error)
{
    char *end = NULL;
    long long value = 0;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return error_set(error, ERR_INVALID, "%s: \"%s\" is not a number", option->name, text);
    if (value < option->minimum || value > option->maximum)
        return error_set(error, ERR_INVALID, "%s: %lld is outside %" PRId64 " … %" PRId64 " %s",
                         option->name, value, option->minimum, option->maximum, option->unit);
    *(int64_t *)field_of(option, config) = value;
    return ERR_OK;
}

static enum err set_bool(const struct option *option, void *config, const char *text,
                         struct error *error)
{
    bool value = strcmp(text, "true") == 0;

    if (!value && strcmp(text, "false") != 0)
        return error_set(error, ERR_INVALID, "%s: \"%s\" is neither true nor false", option->name,
                         text);
    *(bool *)field_of(option, config) = value;
    return ERR_OK;
}

static enum err set_enum(const struct option *option, void *config, const char *text,
                         struct error *error)
{
    for (int i = 0; option->values[i] != NULL; i++) {
        if (strcmp(option->values[i], text) == 0) {
            *(int *)field_of(option, config) = i;
            return ERR_OK;
        }
    }
    return error_set(error, ERR_INVALID, "%s: \"%s\" is not one of its values; see --help",
                     option->name, text);
}

static enum err set_value(const struct option *option, void *config, const char *text,
                          struct error *error)
{
    char **string = NULL;

    switch (option->type) {
    case OPTION_STRING:
        string = field_of(option, config);
        free(*string);
        *string = strdup(text);
        return *string ? ERR_OK : error_set(error, ERR_NO_MEMORY, "%s", option->name);
    case OPTION_I64:
        return set_i64(option, config, text, error);
    case OPTION_BOOL:
        return set_bool(option, config, text, error);
    case OPTION_ENUM:
        return set_enum(option, config, text, error);
    }
    return ERR_INTERNAL;
}

static char *trim(char *text)
{
    char *end = text + strlen(text);

    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static enum err set_named(const struct option *table, void *config, bool *is_set, const char *name,
                          size_t name_len, const char *value, struct error *error)
{
    const struct option *option = find(table, name, name_len);

    if (option == NULL)
        return error_set(error, ERR_INVALID, "unknown option \"%.*s\"; see --help", (int)name_len,
                         name);
    is_set[option - table] = true;
    return set_value(option, config, value, error);
}

static enum err load_file(const struct option *table, void *config, bool *is_set, const char *path,
                          struct error *error)
{
    FILE *file = fopen(path, "re");
    char line[MAX_LINE];
    int number = 0;
    enum err rc = ERR_OK;

    if (file == NULL)
        return error_set(error, err_from_errno(errno), "%s: %s", path, strerror(errno));
    while (rc == ERR_OK && fgets(line, sizeof(line), file) != NULL) {
        char *text = trim(line);
        char *equals = strchr(text, '=');

        number++;
        if (*text == '\0' || *text == '#')
            continue;
        if (equals == NULL) {
            rc = error_set(error, ERR_INVALID, "%s:%d: expected name = value", path, number);
            break;
        }
        *equals = '\0';
        text = trim(text);
        rc = set_named(table, config, is_set, text, strlen(text), trim(equals + 1), error);
        if (rc != ERR_OK)
            error_wrap(error, rc, "%s:%d", path, number);
    }
    fclose(file);
    return rc;
}

static enum err load_args(const struct option *table, void *config, bool *is_set, char *const *args,
                          struct error *error)
{
    for (; args != NULL && *args != NULL; args++) {
        const char *name = *args;
        const char *equals = NULL;
        enum err rc = ERR_OK;

        if (strncmp(name, "--", 2) != 0)
            return error_set(error, ERR_INVALID, "\"%s\": expected --name=value; see --help", name);
        name += 2;
        equals = strchr(name, '=');
        if (equals != NULL) {
            rc = set_named(table, config, is_set, name, (size_t)(equals - name), equals + 1, error);
        } else if (args[1] != NULL) {
            rc = set_named(table, config, is_set, name, strlen(name), args[1], error);
            args++;
        } else {
            rc = error_set(error, ERR_INVALID, "--%s: value is missing", name);
        }
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err load_defaults(const struct option *table, void *config, struct error *error)
{
    for (const struct option *option = table; option->name != NULL; option++) {
        enum err rc = ERR_OK;

        invariant(option - table < MAX_OPTIONS);
        if (option->type == OPTION_STRING)
            *(char **)field_of(option, config) = NULL;
        if (option->default_value != NULL)
            rc = set_value(option, config, option->default_value, error);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

enum err option_table_load(const struct option *table, void *config, const char *file,
                           char *const *args, struct error *error)
{
    bool is_set[MAX_OPTIONS] = {false};
    enum err rc = load_defaults(table, config, error);

    if (rc == ERR_OK && file != NULL)
        rc = load_file(table, config, is_set, file, error);
    if (rc == ERR_OK)
        rc = load_args(table, config, is_set, args, error);
    for (const struct option *option = table; rc == ERR_OK && option->name != NULL; option++) {
        if (option->default_value == NULL && !is_set[option - table])
            rc = error_set(error, ERR_INVALID, "option \"%s\" is required: %s", option->name,
                           option->sentence);
    }
    if (rc != ERR_OK)
        option_table_done(table, config);
    return rc;
}

void option_table_done(const struct option *table, void *config)
{
    for (; table->name != NULL; table++) {
        if (table->type == OPTION_STRING) {
            char **string = field_of(table, config);

            free(*string);
            *string = NULL;
        }
    }
}

void option_table_help(const struct option *table, FILE *out)
{
    for (; table->name != NULL; table++) {
        fprintf(out, "  --%s", table->name);
        if (table->type == OPTION_ENUM) {
            for (int i = 0; table->values[i] != NULL; i++)
                fprintf(out, "%s%s", i == 0 ? "=" : "|", table->values[i]);
        } else {
            fprintf(out, "=%s",
                    table->type == OPTION_BOOL  ? "true|false"
                    : table->type == OPTION_I64 ? "N"
                                                : "TEXT");
        }
        fprintf(out, "\n        %s", table->sentence);
        if (table->type == OPTION_I64)
            fprintf(out, " [%" PRId64 " … %" PRId64 "%s%s]", table->minimum, table->maximum,
                    table->unit[0] ? " " : "", table->unit);
        if (table->default_value == NULL)
            fprintf(out, " (required)\n");
        else if (table->default_value[0] != '\0')
            fprintf(out, " (default %s)\n", table->default_value);
        else
            fprintf(out, "\n");
    }
}

void option_table_dump(const struct option *table, const void *config, FILE *out)
{
    for (; table->name != NULL; table++) {
        const char *field = (const char *)config + table->offset;

        fprintf(out, "%s = ", table->name);
        if (table->is_secret_path)
            fprintf(out, "***\n");
        else if (table->type == OPTION_STRING)
            fprintf(out, "%s\n", *(char *const *)(const void *)field);
        else if (table->type == OPTION_I64)
            fprintf(out, "%" PRId64 "\n", *(const int64_t *)(const void *)field);
        else if (table->type == OPTION_BOOL)
            fprintf(out, "%s\n", *(const bool *)(const void *)field ? "true" : "false");
        else
            fprintf(out, "%s\n", table->values[*(const int *)(const void *)field]);
    }
}

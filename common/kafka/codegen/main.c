/* SPDX-License-Identifier: Apache-2.0 */
/* kafka_codegen: writes the C of the Kafka messages. README.md beside it tells what comes out.
 *
 *   kafka_codegen header FILE SCHEMA        <message>.h
 *   kafka_codegen source FILE SCHEMA        <message>.c
 *   kafka_codegen api-list FILE SCHEMA…     kafka_api_list.h
 *   kafka_codegen umbrella FILE SCHEMA…     kafka_messages.h
 *   kafka_codegen fill FILE SCHEMA…         kafka_message_fill.c, for tests
 *
 * The file appears whole or not at all; a wrong schema is an error that names it and the field. */
#include "common/kafka/codegen/emit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void emit_one(FILE *out, struct pool *pool, const char *what, const struct message *message)
{
    const struct emit emit = {out, pool, message};

    if (strcmp(what, "header") == 0) {
        emit_header(&emit);
        return;
    }
    fprintf(out,
            "/* SPDX-License-Identifier: Apache-2.0 */\n"
            "/* Generated from api/kafka/%s.json by common/kafka/codegen. */\n"
            "#include \"common/kafka/%s.h\"\n\n",
            message->name, message->snake);
    emit_defaults(&emit);
    emit_read(&emit);
    emit_write(&emit);
}

static void emit_all(FILE *out, struct pool *pool, const char *what, char **schemas, size_t count)
{
    struct message **messages = pool_alloc(pool, (count + 1) * sizeof(struct message *));

    for (size_t i = 0; i < count; i++)
        messages[i] = schema_load(pool, schemas[i]);
    if (strcmp(what, "api-list") == 0)
        emit_api_list(out, messages, count);
    else if (strcmp(what, "umbrella") == 0)
        emit_umbrella(out, messages, count);
    else if (strcmp(what, "fill") == 0)
        emit_fill(out, pool, messages, count);
    else
        fail("\"%s\": say header, source, api-list, umbrella or fill", what);
}

/* The output replaces FILE. A device or link of that name is somebody else's and stays. */
static void refuse_special_file(const char *path)
{
    struct stat found;

    if (lstat(path, &found) == 0 && !S_ISREG(found.st_mode))
        fail("%s: not a plain file: name one that may be replaced", path);
}

int main(int argc, char **argv)
{
    struct pool pool = {NULL};
    FILE *out = NULL;

    if (argc < 4)
        fail("usage: kafka_codegen header|source|api-list|umbrella|fill FILE SCHEMA…");
    refuse_special_file(argv[2]);
    const char *temporary = pool_printf(&pool, "%s.tmp", argv[2]);
    out = fopen(temporary, "w");
    if (out == NULL)
        fail("%s: %s", temporary, strerror(errno));

    if (strcmp(argv[1], "header") == 0 || strcmp(argv[1], "source") == 0)
        emit_one(out, &pool, argv[1], schema_load(&pool, argv[3]));
    else
        emit_all(out, &pool, argv[1], argv + 3, (size_t)argc - 3);

    if (ferror(out) != 0 || fclose(out) != 0)
        fail("%s: cannot write", temporary);
    if (rename(temporary, argv[2]) != 0)
        fail("%s: %s", argv[2], strerror(errno));
    pool_done(&pool);
    return EXIT_SUCCESS;
}

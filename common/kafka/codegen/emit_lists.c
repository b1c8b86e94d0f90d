/* SPDX-License-Identifier: Apache-2.0 */
/* What is made from all messages together: the API table and the header that includes them all. */
#include "common/kafka/codegen/emit.h"
#include "common/kafka/codegen/naming.h"

#include <stdlib.h>
#include <string.h>

static int by_api_key(const void *a, const void *b)
{
    const struct message *first = *(struct message *const *)a;
    const struct message *second = *(struct message *const *)b;

    return first->api_key - second->api_key;
}

static void emit_api(FILE *out, struct pool *pool, const struct message *request)
{
    const size_t len = strlen(request->name) - strlen("Request");
    const char *name = pool_printf(pool, "%.*s", (int)len, request->name);

    if (versions_is_empty(request->flexible))
        fprintf(out, " \\\n    X(%s, %d, \"%s\", %d, %d, %d, INT16_MAX)", naming_upper(pool, name),
                request->api_key, name, request->minimum_advertised, request->valid.highest,
                request->valid.lowest);
    else
        fprintf(out, " \\\n    X(%s, %d, \"%s\", %d, %d, %d, %d)", naming_upper(pool, name),
                request->api_key, name, request->minimum_advertised, request->valid.highest,
                request->valid.lowest, request->flexible.lowest);
}

void emit_api_list(FILE *out, struct message *const *messages, size_t count)
{
    struct pool pool = {NULL};
    struct message **requests = pool_alloc(&pool, (count + 1) * sizeof(struct message *));
    size_t request_count = 0;

    for (size_t i = 0; i < count; i++)
        if (messages[i]->kind == MESSAGE_REQUEST)
            requests[request_count++] = messages[i];
    qsort(requests, request_count, sizeof(struct message *), by_api_key);

    fprintf(out,
            "/* SPDX-License-Identifier: Apache-2.0 */\n"
            "/* Generated from api/kafka/ by common/kafka/codegen. */\n"
            "#ifndef COMMON_KAFKA_KAFKA_API_LIST_H\n#define COMMON_KAFKA_KAFKA_API_LIST_H\n\n"
            "/* NAME, key, \"Name\", advertised from, to, read from, first flexible version */\n"
            "#define KAFKA_API_LIST(X)");
    for (size_t i = 0; i < request_count; i++) {
        if (i > 0 && requests[i]->api_key == requests[i - 1]->api_key)
            fail("%s and %s have the same apiKey", requests[i - 1]->name, requests[i]->name);
        emit_api(out, &pool, requests[i]);
    }
    fprintf(out, "\n\n#endif\n");
    pool_done(&pool);
}

void emit_umbrella(FILE *out, struct message *const *messages, size_t count)
{
    fprintf(out,
            "/* SPDX-License-Identifier: Apache-2.0 */\n"
            "/* Generated from api/kafka/ by common/kafka/codegen: every message. */\n"
            "#ifndef COMMON_KAFKA_KAFKA_MESSAGES_H\n#define COMMON_KAFKA_KAFKA_MESSAGES_H\n\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "#include \"common/kafka/%s.h\"\n", messages[i]->snake);
    fprintf(out, "\n#endif\n");
}

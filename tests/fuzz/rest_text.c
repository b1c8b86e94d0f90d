/* SPDX-License-Identifier: Apache-2.0 */
/* Everything the control plane reads from outside before it knows the caller: the first byte chooses the parser. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/buffer.h"
#include "controlplane/domain/crn.h"
#include "controlplane/domain/cursor.h"
#include "controlplane/domain/names.h"
#include "controlplane/http/inflate.h"
#include "controlplane/http/request.h"
#include "controlplane/identity/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct signing_key *signing_key;

static void read_token(const char *text, struct arena *arena)
{
    struct token_claims claims;

    if (!signing_key && signing_key_generate(&signing_key, NULL) != ERR_OK)
        abort();
    (void)token_key_id(text, arena);
    if (token_verify(signing_key, TOKEN_ACCESS, text, "x", 0, arena, &claims, NULL) == ERR_OK)
        abort(); /* nobody forges a signature */
}

static void read_cursor(const char *text)
{
    json_t *filters = NULL;
    int64_t after = 0;

    if (cursor_decode(SLICE_LITERAL("a key of thirty-two bytes, quite"), "x", text, &after,
                      &filters, NULL) == ERR_OK)
        abort();
}

static void read_body(struct slice input)
{
    json_t *root = NULL;
    struct buffer plain;

    if (http_json_parse(input, &root, NULL) == ERR_OK)
        json_decref(root);
    buffer_init(&plain, 1 << 16);
    if (inflate_gzip(input, &plain, NULL) == ERR_OK && plain.len > 1 << 16)
        abort();
    buffer_done(&plain);
}

static void read_text(uint8_t choice, const char *text, struct slice input, struct arena *arena)
{
    struct target target;
    struct uuid uuid;

    switch (choice % 6) {
    case 0:
        (void)!target_parse(input, arena, &target, NULL);
        break;
    case 1:
        (void)!target_parse_form(input, arena, target.pairs, TARGET_MAX_PAIRS, &target.pair_count,
                                 NULL);
        break;
    case 2:
        read_body(input);
        break;
    case 3:
        (void)!crn_parse_instance(text, "0123456789abcdef0123456789abcdef", &uuid);
        (void)!crn_parse_key(text, "0123456789abcdef0123456789abcdef", &uuid);
        (void)!name_check("name", input, NULL);
        break;
    case 4:
        read_cursor(text);
        break;
    default:
        read_token(text, arena);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    char *text = size > 0 ? calloc(1, size) : NULL; /* one byte less than data, and a NUL */

    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    arena_init(&arena, 1 << 20);
    read_text(data[0], text, slice_of(data + 1, size - 1), &arena);
    arena_done(&arena);
    free(text);
    return 0;
}

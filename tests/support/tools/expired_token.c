/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that were good until an hour ago: expired_token SEALING_KEY_FILE ISSUER IAM_ID ACCOUNT_ID
 *
 * Makes a token-signing key, and prints one line of JSON: the row that makes a service believe in it ("kid", "modulus",
 * "exponent", "sealed" in hex) and what was signed with it ("access", "refresh", both expired, and "live"). */
#include "common/base/hex.h"
#include "common/crypto/encoding.h"
#include "controlplane/identity/seal.h"
#include "controlplane/identity/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ARENA_BYTES (1 << 20)
#define HOUR_S 3600

static enum err make(struct signing_key *key, char **args, struct arena *arena, json_t **ret_out,
                     struct error *error)
{
    const struct token_subject subject = {.iam_id = args[3], .account_id = args[4], .name = "test"};
    int64_t now_s = (int64_t)time(NULL);
    const char *access = NULL, *refresh = NULL, *live = NULL;
    const char *purpose = arena_printf(arena, "signing_key:%s", signing_key_id(key));
    struct seal_key seal_key;
    struct slice der = SLICE_NULL, sealed = SLICE_NULL;
    enum err rc = seal_key_load(args[1], &seal_key, error);

    if (rc == ERR_OK)
        rc = signing_key_to_der(key, arena, &der, error);
    if (rc == ERR_OK)
        rc = seal(&seal_key, purpose, der, arena, &sealed, error);
    if (rc == ERR_OK)
        rc = token_issue(key, TOKEN_ACCESS, &subject, args[2], "test", "test", now_s - 2 * HOUR_S,
                         arena, &access, error);
    if (rc == ERR_OK)
        rc = token_issue(key, TOKEN_REFRESH, &subject, args[2], "test", "test",
                         now_s - TOKEN_REFRESH_LIFE_S - HOUR_S, arena, &refresh, error);
    if (rc == ERR_OK)
        rc = token_issue(key, TOKEN_ACCESS, &subject, args[2], "test", "test", now_s, arena, &live,
                         error);
    if (rc != ERR_OK)
        return rc;
    char *hex = arena_alloc(arena, 2 * sealed.len + 1);
    if (!hex)
        return error_set(error, ERR_NO_MEMORY, "no memory");
    hex_encode(sealed.data, sealed.len, hex);
    *ret_out =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kid", signing_key_id(key), "modulus",
                  signing_key_modulus(key, arena), "exponent", signing_key_exponent(key, arena),
                  "sealed", hex, "access", access, "refresh", refresh, "live", live);
    return *ret_out ? ERR_OK : error_set(error, ERR_NO_MEMORY, "no memory");
}

int main(int count, char **args)
{
    struct error error = {.code = ERR_OK};
    struct signing_key *key = NULL;
    struct arena arena;
    json_t *out = NULL;

    if (count != 5) {
        fprintf(stderr, "usage: expired_token SEALING_KEY_FILE ISSUER IAM_ID ACCOUNT_ID\n");
        return EXIT_FAILURE;
    }
    arena_init(&arena, ARENA_BYTES);
    enum err rc = signing_key_generate(&key, &error);
    if (rc == ERR_OK)
        rc = make(key, args, &arena, &out, &error);
    if (rc == ERR_OK)
        json_dumpf(out, stdout, JSON_COMPACT);
    else
        fprintf(stderr, "expired_token: %s\n", error.message);
    json_decref(out);
    signing_key_free(key);
    arena_done(&arena);
    return rc == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

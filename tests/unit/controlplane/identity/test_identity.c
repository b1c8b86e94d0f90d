/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/encoding.h"
#include "controlplane/identity/seal.h"
#include "controlplane/identity/token.h"
#include "tests/support/check_main.h"

#define ISSUER "https://localhost:1/identity"
#define NOW 1800000000

static struct arena arena;
static struct signing_key *key;
static struct seal_key seal_key;
static const struct token_subject subject = {"iam-ServiceId-7", "0123456789abcdef0123456789abcdef",
                                             "operator"};

static void set_up(void)
{
    arena_init(&arena, 1 << 20);
    ck_assert_int_eq(signing_key_generate(&key, NULL), ERR_OK);
    memset(seal_key.bytes, 7, sizeof(seal_key.bytes));
}

static void tear_down(void)
{
    signing_key_free(key);
    arena_done(&arena);
}

static const char *issue(enum token_kind kind)
{
    const char *text = NULL;

    ck_assert_int_eq(
        token_issue(key, kind, &subject, ISSUER, "grant", "bx", NOW, &arena, &text, NULL), ERR_OK);
    return text;
}

static enum err verify(enum token_kind kind, const char *text, int64_t now_s)
{
    struct token_claims claims;

    return token_verify(key, kind, text, ISSUER, now_s, &arena, &claims, NULL);
}

static json_t *part_of(const char *text, int index)
{
    uint8_t bytes[TOKEN_MAX_LEN];
    size_t len = 0;

    for (int i = 0; i < index; i++)
        text = strchr(text, '.') + 1;
    ck_assert_int_eq(base64_decode(slice_of(text, strcspn(text, ".")), bytes, sizeof(bytes), &len),
                     ERR_OK);
    return json_loadb((const char *)bytes, len, 0, NULL);
}

START_TEST(an_access_token_has_every_claim_that_clients_read)
{
    static const char *const names[] = {"iam_id",     "id",         "realmid",  "jti",
                                        "identifier", "sub",        "sub_type", "name",
                                        "iss",        "grant_type", "scope",    "client_id"};
    json_t *claims = part_of(issue(TOKEN_ACCESS), 1);
    json_t *head = part_of(issue(TOKEN_ACCESS), 0);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_msg(json_is_string(json_object_get(claims, names[i])), "%s", names[i]);
    ck_assert_str_eq(json_string_value(json_object_get(claims, "sub")), "ServiceId-7");
    ck_assert_int_eq(json_integer_value(json_object_get(claims, "exp")) -
                         json_integer_value(json_object_get(claims, "iat")),
                     3600);
    const json_t *account = json_object_get(claims, "account");
    ck_assert(json_is_true(json_object_get(account, "valid")));
    ck_assert_str_eq(json_string_value(json_object_get(account, "bss")), subject.account_id);
    ck_assert(json_is_array(json_object_get(claims, "amr")));
    ck_assert_int_eq(json_integer_value(json_object_get(claims, "acr")), 1);
    ck_assert_ptr_null(json_object_get(claims, "aud"));
    ck_assert_str_eq(json_string_value(json_object_get(head, "alg")), "RS256");
    ck_assert_str_eq(json_string_value(json_object_get(head, "kid")), signing_key_id(key));
    json_decref(claims);
    json_decref(head);
}
END_TEST

START_TEST(a_token_is_good_until_it_expires)
{
    const char *text = issue(TOKEN_ACCESS);
    struct token_claims claims;

    ck_assert_int_eq(
        token_verify(key, TOKEN_ACCESS, text, ISSUER, NOW + 3599, &arena, &claims, NULL), ERR_OK);
    ck_assert_str_eq(claims.subject.iam_id, subject.iam_id);
    ck_assert_str_eq(claims.subject.account_id, subject.account_id);
    ck_assert_int_eq(verify(TOKEN_ACCESS, text, NOW + 3600), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(verify(TOKEN_ACCESS, text, NOW - 9), ERR_OK);
    ck_assert_int_eq(verify(TOKEN_ACCESS, text, NOW - 11), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(
        token_verify(key, TOKEN_ACCESS, text, "https://else/identity", NOW, &arena, &claims, NULL),
        ERR_UNAUTHENTICATED);
}
END_TEST

START_TEST(a_refresh_token_lives_longer_and_is_no_access_token)
{
    const char *text = issue(TOKEN_REFRESH);

    ck_assert_int_eq(verify(TOKEN_REFRESH, text, NOW + 71 * 3600), ERR_OK);
    ck_assert_int_eq(verify(TOKEN_REFRESH, text, NOW + 72 * 3600), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(verify(TOKEN_ACCESS, text, NOW), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(verify(TOKEN_REFRESH, issue(TOKEN_ACCESS), NOW), ERR_UNAUTHENTICATED);
}
END_TEST

START_TEST(a_token_changed_anywhere_is_refused)
{
    char text[TOKEN_MAX_LEN + 1];

    snprintf(text, sizeof(text), "%s", issue(TOKEN_ACCESS));
    for (size_t i = 0; i + 1 < strlen(text); i += 3) {
        char kept = text[i];

        text[i] = kept == 'A' ? 'B' : 'A';
        ck_assert_int_eq(verify(TOKEN_ACCESS, text, NOW), ERR_UNAUTHENTICATED);
        text[i] = kept;
    }
    ck_assert_int_eq(verify(TOKEN_ACCESS, text, NOW), ERR_OK);
}
END_TEST

static const char *with_head(const char *head, const char *token)
{
    char encoded[200];

    base64url_encode(head, strlen(head), encoded);
    return arena_printf(&arena, "%s%s", encoded, strchr(token, '.'));
}

START_TEST(the_algorithm_is_not_the_tokens_to_choose)
{
    const char *token = issue(TOKEN_ACCESS);
    const char *kid = signing_key_id(key);
    static const char *const algorithms[] = {"none", "HS256", "rs256", "PS256", ""};

    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        const char *head = arena_printf(&arena, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
                                        algorithms[i], kid);
        ck_assert_int_eq(verify(TOKEN_ACCESS, with_head(head, token), NOW), ERR_UNAUTHENTICATED);
    }
    ck_assert_int_eq(verify(TOKEN_ACCESS, with_head("{}", token), NOW), ERR_UNAUTHENTICATED);
}
END_TEST

static const char *const not_tokens[] = {"",        ".",   "..",       "a.b",      "a.b.c",
                                         "a.b.c.d", "...", "!!.!!.!!", "e30.e30.", "e30.e30.e30"};

START_TEST(what_is_no_token_is_refused)
{
    ck_assert_int_eq(verify(TOKEN_ACCESS, not_tokens[_i], NOW), ERR_UNAUTHENTICATED);
    ck_assert_ptr_null(token_key_id(not_tokens[_i], &arena));
}
END_TEST

START_TEST(an_endless_token_is_refused)
{
    char *text = malloc(3 * TOKEN_MAX_LEN);

    memset(text, 'A', 3 * TOKEN_MAX_LEN);
    text[10] = text[TOKEN_MAX_LEN] = '.';
    text[3 * TOKEN_MAX_LEN - 1] = '\0';
    ck_assert_int_eq(verify(TOKEN_ACCESS, text, NOW), ERR_UNAUTHENTICATED);
    free(text);
}
END_TEST

START_TEST(another_key_does_not_verify)
{
    const char *text = issue(TOKEN_ACCESS);
    struct signing_key *other = NULL;
    struct token_claims claims;

    ck_assert_int_eq(signing_key_generate(&other, NULL), ERR_OK);
    ck_assert_int_eq(token_verify(other, TOKEN_ACCESS, text, ISSUER, NOW, &arena, &claims, NULL),
                     ERR_UNAUTHENTICATED);
    signing_key_free(other);
}
END_TEST

START_TEST(a_signing_key_survives_being_sealed)
{
    const char *text = issue(TOKEN_ACCESS);
    struct slice der, sealed, opened;
    struct signing_key *again = NULL;
    struct token_claims claims;

    ck_assert_int_eq(signing_key_to_der(key, &arena, &der, NULL), ERR_OK);
    ck_assert_int_eq(seal(&seal_key, "signing_key:x", der, &arena, &sealed, NULL), ERR_OK);
    ck_assert_int_eq(unseal(&seal_key, "signing_key:x", sealed, &arena, &opened, NULL), ERR_OK);
    ck_assert(slice_equal(der, opened));
    ck_assert_int_eq(signing_key_from_der(signing_key_id(key), opened, &again, NULL), ERR_OK);
    ck_assert_int_eq(token_verify(again, TOKEN_ACCESS, text, ISSUER, NOW, &arena, &claims, NULL),
                     ERR_OK);
    ck_assert_str_eq(signing_key_exponent(again, &arena), "AQAB");
    ck_assert_uint_eq(strlen(signing_key_modulus(again, &arena)), 342);
    signing_key_free(again);
    ck_assert_int_eq(signing_key_from_der("x", sealed, &again, NULL), ERR_CORRUPT);
}
END_TEST

START_TEST(a_sealed_value_opens_only_whole_with_its_key_and_purpose)
{
    struct slice sealed, opened;
    struct seal_key other = seal_key;

    other.bytes[0] ^= 1;
    ck_assert_int_eq(
        seal(&seal_key, "credential:1", SLICE_LITERAL("secret"), &arena, &sealed, NULL), ERR_OK);
    ck_assert_int_eq(unseal(&seal_key, "credential:1", sealed, &arena, &opened, NULL), ERR_OK);
    ck_assert(slice_equal_cstring(opened, "secret"));
    ck_assert_uint_eq(opened.data[opened.len], 0);
    ck_assert_int_eq(unseal(&seal_key, "credential:2", sealed, &arena, &opened, NULL), ERR_CORRUPT);
    ck_assert_int_eq(unseal(&other, "credential:1", sealed, &arena, &opened, NULL), ERR_CORRUPT);
    uint8_t bytes[64];
    for (size_t i = 0; i < sealed.len; i++) {
        memcpy(bytes, sealed.data, sealed.len);
        bytes[i] ^= 0x80;
        ck_assert_int_eq(
            unseal(&seal_key, "credential:1", slice_of(bytes, sealed.len), &arena, &opened, NULL),
            ERR_CORRUPT);
    }
    for (size_t len = 0; len < sealed.len; len++)
        ck_assert_int_eq(
            unseal(&seal_key, "credential:1", slice_of(sealed.data, len), &arena, &opened, NULL),
            ERR_CORRUPT);
}
END_TEST

START_TEST(the_sealing_key_file_is_made_once_and_must_be_private)
{
    char directory[] = "/tmp/millrace-seal-XXXXXX", path[64];
    struct seal_key first, second;
    struct stat status;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/key", directory);
    ck_assert_int_eq(seal_key_ensure(path, NULL), ERR_OK);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(seal_key_load(path, &first, NULL), ERR_OK);
    ck_assert_int_eq(seal_key_ensure(path, NULL), ERR_OK);
    ck_assert_int_eq(seal_key_load(path, &second, NULL), ERR_OK);
    ck_assert_mem_eq(first.bytes, second.bytes, SEAL_KEY_LEN);
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_int_eq(seal_key_load(path, &second, NULL), ERR_DENIED);
    unlink(path);
    rmdir(directory);
}
END_TEST

START_TEST(a_derived_key_is_another_key)
{
    uint8_t a[SEAL_KEY_LEN], b[SEAL_KEY_LEN];

    seal_key_derive(&seal_key, "a", a);
    seal_key_derive(&seal_key, "b", b);
    ck_assert_mem_ne(a, b, SEAL_KEY_LEN);
    ck_assert_mem_ne(a, seal_key.bytes, SEAL_KEY_LEN);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("controlplane/identity");
    TCase *tc = tcase_create("identity");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, an_access_token_has_every_claim_that_clients_read);
    tcase_add_test(tc, a_token_is_good_until_it_expires);
    tcase_add_test(tc, a_refresh_token_lives_longer_and_is_no_access_token);
    tcase_add_test(tc, a_token_changed_anywhere_is_refused);
    tcase_add_test(tc, the_algorithm_is_not_the_tokens_to_choose);
    tcase_add_loop_test(tc, what_is_no_token_is_refused, 0,
                        sizeof(not_tokens) / sizeof(not_tokens[0]));
    tcase_add_test(tc, an_endless_token_is_refused);
    tcase_add_test(tc, another_key_does_not_verify);
    tcase_add_test(tc, a_signing_key_survives_being_sealed);
    tcase_add_test(tc, a_sealed_value_opens_only_whole_with_its_key_and_purpose);
    tcase_add_test(tc, the_sealing_key_file_is_made_once_and_must_be_private);
    tcase_add_test(tc, a_derived_key_is_another_key);
    suite_add_tcase(suite, tc);
    return suite;
}

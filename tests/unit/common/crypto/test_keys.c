/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/encoding.h"
#include "common/crypto/scram.h"
#include "common/crypto/secret.h"
#include "common/crypto/service_key.h"
#include "tests/support/check_main.h"

START_TEST(a_generated_key_parses_to_the_same_id_and_verifier)
{
    struct seeded_random random;
    struct service_key made, parsed;

    seeded_random_init(&random, 1);
    ck_assert_int_eq(service_key_generate(&random.base, KEY_SERVICE, &made), ERR_OK);
    ck_assert_uint_eq(strlen(made.text), KEY_TEXT_LEN);
    ck_assert_int_eq(service_key_parse(slice_from_cstring(made.text), &parsed), ERR_OK);
    ck_assert_str_eq(made.id, parsed.id);
    ck_assert_mem_eq(made.verifier, parsed.verifier, KEY_VERIFIER_LEN);
    ck_assert_int_eq(parsed.kind, KEY_SERVICE);
}
END_TEST

START_TEST(a_key_with_any_changed_character_is_refused)
{
    struct seeded_random random;
    struct service_key made, parsed;

    seeded_random_init(&random, 2);
    ck_assert_int_eq(service_key_generate(&random.base, KEY_ACCOUNT, &made), ERR_OK);
    for (size_t i = 0; i < KEY_TEXT_LEN; i++) {
        char kept = made.text[i];

        made.text[i] = kept == 'a' ? 'b' : 'a';
        ck_assert_int_eq(service_key_parse(slice_from_cstring(made.text), &parsed), ERR_INVALID);
        made.text[i] = kept;
    }
}
END_TEST

START_TEST(generated_uuids_are_v4_and_never_begin_with_a_dash)
{
    struct seeded_random random;

    seeded_random_init(&random, 3);
    for (int i = 0; i < 2000; i++) {
        struct uuid uuid;
        char text[UUID_BASE64_LEN + 1];

        ck_assert_int_eq(uuid_generate(&random.base, &uuid), ERR_OK);
        uuid_format_base64(uuid, text);
        ck_assert_int_ne(text[0], '-');
        ck_assert_uint_eq(uuid.bytes[6] >> 4, 4);
    }
}
END_TEST

static const struct {
    const char *plain;
    const char *standard;
} base64s[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"}};

START_TEST(base64_matches_rfc_4648)
{
    char text[32];
    uint8_t back[32];
    size_t len = 0;

    base64_encode(base64s[_i].plain, strlen(base64s[_i].plain), text);
    ck_assert_str_eq(text, base64s[_i].standard);
    ck_assert_int_eq(base64_decode(slice_from_cstring(text), back, sizeof(back), &len), ERR_OK);
    ck_assert_uint_eq(len, strlen(base64s[_i].plain));
    ck_assert_mem_eq(back, base64s[_i].plain, len);
}
END_TEST

START_TEST(two_scram_verifiers_of_one_password_differ_by_salt)
{
    struct seeded_random random;
    struct scram_verifier a, b;

    seeded_random_init(&random, 4);
    ck_assert_int_eq(
        scram_verifier_make(SCRAM_SHA_512, SLICE_LITERAL("pencil"), 4096, &random.base, &a),
        ERR_OK);
    ck_assert_int_eq(
        scram_verifier_make(SCRAM_SHA_512, SLICE_LITERAL("pencil"), 4096, &random.base, &b),
        ERR_OK);
    ck_assert_mem_ne(a.stored_key, b.stored_key, 64);
}
END_TEST

START_TEST(secrets_of_different_length_are_not_equal)
{
    ck_assert(secret_equal(SLICE_LITERAL("abc"), SLICE_LITERAL("abc")));
    ck_assert(!secret_equal(SLICE_LITERAL("abc"), SLICE_LITERAL("abd")));
    ck_assert(!secret_equal(SLICE_LITERAL("abc"), SLICE_LITERAL("ab")));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/crypto");
    TCase *tc = tcase_create("keys");

    tcase_add_test(tc, a_generated_key_parses_to_the_same_id_and_verifier);
    tcase_add_test(tc, a_key_with_any_changed_character_is_refused);
    tcase_add_test(tc, generated_uuids_are_v4_and_never_begin_with_a_dash);
    tcase_add_loop_test(tc, base64_matches_rfc_4648, 0, 7);
    tcase_add_test(tc, two_scram_verifiers_of_one_password_differ_by_salt);
    tcase_add_test(tc, secrets_of_different_length_are_not_equal);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates are judged by OpenSSL's own verifier, as a client would. */
#include "common/crypto/certificate.h"
#include "tests/support/check_main.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

static char *ca_certificate, *ca_key, *leaf_certificate, *leaf_key;
static struct error error;

static const char *const dns_names[] = {"localhost", "*.pool.example", NULL};
static const char *const addresses[] = {"127.0.0.1", "::1", NULL};
static const struct certificate_request request = {
    .common_name = "a broker", .dns_names = dns_names, .addresses = addresses, .days = 90};

static void set_up(void)
{
    ck_assert_int_eq(certificate_make_ca("Fleet CA", 3650, &ca_certificate, &ca_key, &error),
                     ERR_OK);
    ck_assert_int_eq(
        certificate_issue(ca_certificate, ca_key, &request, &leaf_certificate, &leaf_key, &error),
        ERR_OK);
}

static void tear_down(void)
{
    free(ca_certificate);
    free(ca_key);
    free(leaf_certificate);
    free(leaf_key);
}

static X509 *parse(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    ck_assert_ptr_nonnull(certificate);
    return certificate;
}

/* Verifies leaf against root for a TLS server; returns OpenSSL's code. */
static int verify(const char *leaf_pem, const char *root_pem)
{
    X509 *leaf = parse(leaf_pem);
    X509 *root = parse(root_pem);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();

    X509_STORE_add_cert(store, root);
    X509_STORE_CTX_init(context, store, leaf, NULL);
    X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_X509_STRICT);
    X509_verify_cert(context);
    int code = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(leaf);
    X509_free(root);
    return code;
}

START_TEST(a_leaf_verifies_against_its_ca_under_strict_rules)
{
    ck_assert_int_eq(verify(leaf_certificate, ca_certificate), X509_V_OK);
}
END_TEST

START_TEST(a_leaf_does_not_verify_against_another_ca)
{
    char *other_certificate, *other_key;

    ck_assert_int_eq(certificate_make_ca("Fleet CA", 1, &other_certificate, &other_key, &error),
                     ERR_OK);
    ck_assert_int_ne(verify(leaf_certificate, other_certificate), X509_V_OK);
    free(other_certificate);
    free(other_key);
}
END_TEST

START_TEST(a_leaf_cannot_sign_another_leaf)
{
    char *certificate, *key;

    ck_assert_int_eq(
        certificate_issue(leaf_certificate, leaf_key, &request, &certificate, &key, &error),
        ERR_OK);
    ck_assert_int_ne(verify(certificate, leaf_certificate), X509_V_OK);
    free(certificate);
    free(key);
}
END_TEST

START_TEST(host_names_wildcards_and_addresses_match)
{
    X509 *leaf = parse(leaf_certificate);

    ck_assert_int_eq(X509_check_host(leaf, "localhost", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(leaf, "b0-k3x.pool.example", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(leaf, "a.b.pool.example", 0, 0, NULL), 0);
    ck_assert_int_eq(X509_check_host(leaf, "pool.example", 0, 0, NULL), 0);
    ck_assert_int_eq(X509_check_host(leaf, "a broker", 0, 0, NULL), 0);
    ck_assert_int_eq(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(leaf, "::1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(leaf, "127.0.0.2", 0), 0);
    X509_free(leaf);
}
END_TEST

START_TEST(keys_are_p256_and_belong_to_their_certificates)
{
    X509 *leaf = parse(leaf_certificate);
    BIO *bio = BIO_new_mem_buf(leaf_key, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    char group[32];

    BIO_free(bio);
    ck_assert_int_eq(X509_check_private_key(leaf, key), 1);
    ck_assert_int_eq(EVP_PKEY_get_group_name(key, group, sizeof(group), NULL), 1);
    ck_assert_str_eq(group, "prime256v1");
    EVP_PKEY_free(key);
    X509_free(leaf);
}
END_TEST

START_TEST(a_certificate_is_valid_now_and_for_its_days)
{
    X509 *leaf = parse(leaf_certificate);
    int days = 0, seconds = 0;

    ck_assert_int_lt(X509_cmp_current_time(X509_get0_notBefore(leaf)), 0);
    ck_assert_int_eq(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(leaf)), 1);
    ck_assert_int_ge(days, 89);
    ck_assert_int_le(days, 90);
    X509_free(leaf);
}
END_TEST

START_TEST(wrong_requests_are_refused_with_a_reason)
{
    static const char *const with_comma[] = {"a.example,DNS:evil.example", NULL};
    static const char *const inner_star[] = {"a.*.example", NULL};
    static const char *const no_name[] = {NULL};
    static const char *const no_address[] = {"localhost", NULL};
    const struct certificate_request wrong[] = {
        {"x", with_comma, NULL, 1},      {"x", inner_star, NULL, 1}, {"x", no_name, NULL, 1},
        {"x", dns_names, no_address, 1}, {"", dns_names, NULL, 1},   {"x", dns_names, NULL, 0},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *certificate = NULL, *key = NULL;

        ck_assert_int_eq(
            certificate_issue(ca_certificate, ca_key, &wrong[i], &certificate, &key, &error),
            ERR_INVALID);
        ck_assert_ptr_null(certificate);
        ck_assert_ptr_null(key);
    }
}
END_TEST

START_TEST(a_ca_that_is_no_pem_pair_is_refused)
{
    char *certificate = NULL, *key = NULL;

    ck_assert_int_eq(
        certificate_issue(ca_certificate, leaf_key, &request, &certificate, &key, &error),
        ERR_INVALID);
    ck_assert_int_eq(certificate_issue("", "nonsense", &request, &certificate, &key, &error),
                     ERR_INVALID);
    ck_assert_ptr_null(certificate);
}
END_TEST

START_TEST(a_pair_is_known_by_its_first_certificate_and_its_end_is_told)
{
    size_t leaf_len = strlen(leaf_certificate);
    char *chain = malloc(leaf_len + strlen(ca_certificate) + 1);
    int64_t ends_s = 0;
    X509 *leaf = parse(leaf_certificate);
    time_t end = 0;

    ck_assert_ptr_nonnull(chain);
    memcpy(chain, leaf_certificate, leaf_len);
    memcpy(chain + leaf_len, ca_certificate, strlen(ca_certificate) + 1);
    ck_assert(certificate_is_pair(chain, leaf_key, &ends_s));
    end = (time_t)ends_s;
    ck_assert_int_lt(X509_cmp_time(X509_get0_notAfter(leaf), &(time_t){end + 1}), 0);
    ck_assert_int_gt(X509_cmp_time(X509_get0_notAfter(leaf), &(time_t){end - 1}), 0);
    ck_assert(!certificate_is_pair(chain, ca_key, &ends_s));
    ck_assert(!certificate_is_pair("", leaf_key, &ends_s));
    ck_assert(!certificate_is_pair(chain, chain, &ends_s));
    X509_free(leaf);
    free(chain);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("certificate");
    TCase *tcase = tcase_create("certificate");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_leaf_verifies_against_its_ca_under_strict_rules);
    tcase_add_test(tcase, a_leaf_does_not_verify_against_another_ca);
    tcase_add_test(tcase, a_leaf_cannot_sign_another_leaf);
    tcase_add_test(tcase, host_names_wildcards_and_addresses_match);
    tcase_add_test(tcase, keys_are_p256_and_belong_to_their_certificates);
    tcase_add_test(tcase, a_certificate_is_valid_now_and_for_its_days);
    tcase_add_test(tcase, wrong_requests_are_refused_with_a_reason);
    tcase_add_test(tcase, a_ca_that_is_no_pem_pair_is_refused);
    tcase_add_test(tcase, a_pair_is_known_by_its_first_certificate_and_its_end_is_told);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* PLAIN, SCRAM (with the vector of RFC 7677) and the rules of a session. The SCRAM client here is
 * written from the RFC with OpenSSL's primitives, not with our server's code. */
#include "common/crypto/encoding.h"
#include "common/crypto/secret.h"
#include "dataplane/auth/auth_session.h"
#include "dataplane/auth/sasl_internal.h"
#include "tests/support/check_main.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

static struct seeded_random seeded;
static struct service_key key;
static struct scram_verifier verifiers[2];
static const uint8_t pepper[SASL_PEPPER_LEN] = "pepper";

static bool find_key(void *context, struct slice key_id, struct sasl_credential *ret_credential)
{
    (void)context;
    if (!slice_equal_cstring(key_id, key.id))
        return false;
    *ret_credential =
        (struct sasl_credential){.verifier = key.verifier, .scram = {&verifiers[0], &verifiers[1]}};
    return true;
}

static const struct sasl_directory directory = {
    .find = find_key, .random = &seeded.base, .pepper = pepper};

static void setup(void)
{
    seeded_random_init(&seeded, 42);
    ck_assert_int_eq(service_key_generate(&seeded.base, KEY_SERVICE, &key), ERR_OK);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(scram_verifier_make((enum scram_mechanism)i, slice_from_cstring(key.text),
                                             4096, &seeded.base, &verifiers[i]),
                         ERR_OK);
}

static enum sasl_status plain(const char *authzid, const char *user, const char *password,
                              struct sasl_exchange *exchange)
{
    char token[1024], reply[SASL_REPLY_MAX];
    int len = snprintf(token, sizeof(token), "%s%c%s%c%s", authzid, 0, user, 0, password);
    size_t reply_len = 9;
    enum sasl_status status = SASL_FAILED;

    sasl_start(exchange, SASL_PLAIN);
    status = sasl_step(exchange, &directory, slice_of(token, (size_t)len), reply, &reply_len);
    ck_assert_uint_eq(reply_len, 0);
    return status;
}

START_TEST(plain_takes_token_or_the_key_id_as_user)
{
    struct sasl_exchange exchange;

    ck_assert_int_eq(plain("", "token", key.text, &exchange), SASL_SUCCEEDED);
    ck_assert_str_eq(exchange.key_id, key.id);
    ck_assert_str_eq(exchange.authzid, "");
    ck_assert_int_eq(plain("some-instance", key.id, key.text, &exchange), SASL_SUCCEEDED);
    ck_assert_str_eq(exchange.authzid, "some-instance");
}
END_TEST

START_TEST(plain_refuses_wrong_users_wrong_keys_and_noise)
{
    struct sasl_exchange exchange;
    struct service_key other;
    char altered[KEY_TEXT_LEN + 1], reply[SASL_REPLY_MAX];
    size_t len = 0;

    ck_assert_int_eq(plain("", "alice", key.text, &exchange), SASL_FAILED);
    ck_assert_int_eq(plain("", "token", "", &exchange), SASL_FAILED);
    ck_assert_int_eq(plain("", "token", "secret", &exchange), SASL_FAILED);
    memcpy(altered, key.text, sizeof(altered));
    altered[40] = altered[40] == 'a' ? 'b' : 'a';
    ck_assert_int_eq(plain("", "token", altered, &exchange), SASL_FAILED);
    ck_assert_int_eq(service_key_generate(&seeded.base, KEY_SERVICE, &other), ERR_OK);
    ck_assert_int_eq(plain("", "token", other.text, &exchange), SASL_FAILED);
    ck_assert_str_eq(exchange.key_id, "");
    ck_assert_int_eq(service_key_generate(&seeded.base, KEY_ACCOUNT, &other), ERR_OK);
    ck_assert_int_eq(plain("", "token", other.text, &exchange), SASL_FAILED);

    sasl_start(&exchange, SASL_PLAIN);
    ck_assert_int_eq(sasl_step(&exchange, &directory, SLICE_LITERAL("no nul at all"), reply, &len),
                     SASL_FAILED);
    ck_assert_int_eq(sasl_step(&exchange, &directory, SLICE_LITERAL("\0token\0x"), reply, &len),
                     SASL_FAILED);
    sasl_start(&exchange, SASL_PLAIN);
    ck_assert_int_eq(sasl_step(&exchange, &directory, SLICE_NULL, reply, &len), SASL_FAILED);
}
END_TEST

/* RFC 7677 section 3: everything is given, the server's nonce too. */
START_TEST(the_vector_of_rfc_7677_is_accepted)
{
    struct sasl_exchange exchange;
    char reply[SASL_REPLY_MAX];
    size_t len = 0;
    uint8_t salted[32], client_key[32];
    unsigned int got = 0;
    struct scram_verifier *verifier = &exchange.scram.verifier;
    static const char auth[] =
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    sasl_start(&exchange, SASL_SCRAM_SHA_256);
    exchange.state = SASL_CHALLENGED;
    *verifier = (struct scram_verifier){.mechanism = SCRAM_SHA_256, .iterations = 4096};
    ck_assert_int_eq(base64_decode(SLICE_LITERAL("W22ZaJ0SNY7soEsUEjb6gQ=="), verifier->salt,
                                   SCRAM_SALT_LEN, &len),
                     ERR_OK);
    ck_assert(PKCS5_PBKDF2_HMAC("pencil", 6, verifier->salt, 16, 4096, EVP_sha256(), 32, salted));
    HMAC(EVP_sha256(), salted, 32, (const uint8_t *)"Client Key", 10, client_key, &got);
    HMAC(EVP_sha256(), salted, 32, (const uint8_t *)"Server Key", 10, verifier->server_key, &got);
    sha256(client_key, 32, verifier->stored_key);
    exchange.scram.is_known = true;
    sasl_copy_text(SLICE_LITERAL("rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"),
                   exchange.scram.nonce, sizeof(exchange.scram.nonce));
    sasl_copy_text(SLICE_LITERAL("n,,"), exchange.scram.gs2_header,
                   sizeof(exchange.scram.gs2_header));
    memcpy(exchange.scram.auth_message, auth, sizeof(auth) - 1);
    exchange.scram.auth_message_len = sizeof(auth) - 1;
    ck_assert_int_eq(
        sasl_step(&exchange, &directory,
                  SLICE_LITERAL("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
                  reply, &len),
        SASL_SUCCEEDED);
    ck_assert(slice_equal(slice_of(reply, len),
                          SLICE_LITERAL("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
}
END_TEST

/* A client for one login; returns the status of the last step. first/final: the messages sent. */
struct scram_client {
    enum sasl_mechanism mechanism;
    const char *header; /* "n,," */
    const char *user;
    const char *password;
    const char *extensions;    /* after the nonce, with the comma */
    const char *final_binding; /* NULL = the right one */
    bool spoil_nonce;
    char server_first[SASL_REPLY_MAX];
};

static void client_final(const struct scram_client *client, const char *bare,
                         const char *server_first, char *ret_final, size_t room)
{
    bool is_256 = client->mechanism == SASL_SCRAM_SHA_256;
    const EVP_MD *digest = is_256 ? EVP_sha256() : EVP_sha512();
    int key_len = is_256 ? 32 : 64;
    uint8_t salt[16], salted[64], client_key[64], stored[64], signature[64];
    char nonce[200], salt_text[64], binding[512], without_proof[1024], message[3000], proof[128];
    int iterations = 0;
    size_t len = 0;
    unsigned int got = 0;

    ck_assert_int_eq(
        sscanf(server_first, "r=%199[^,],s=%63[^,],i=%d", nonce, salt_text, &iterations), 3);
    ck_assert_int_eq(base64_decode(slice_from_cstring(salt_text), salt, 16, &len), ERR_OK);
    PKCS5_PBKDF2_HMAC(client->password, (int)strlen(client->password), salt, 16, iterations, digest,
                      key_len, salted);
    HMAC(digest, salted, key_len, (const uint8_t *)"Client Key", 10, client_key, &got);
    EVP_Digest(client_key, (size_t)key_len, stored, NULL, digest, NULL);
    base64_encode(client->header, strlen(client->header), binding);
    snprintf(without_proof, sizeof(without_proof), "c=%s,r=%s%s",
             client->final_binding ? client->final_binding : binding, nonce,
             client->spoil_nonce ? "x" : "");
    snprintf(message, sizeof(message), "%s,%s,%s", bare, server_first, without_proof);
    HMAC(digest, stored, key_len, (const uint8_t *)message, strlen(message), signature, &got);
    for (int i = 0; i < key_len; i++)
        client_key[i] ^= signature[i];
    base64_encode(client_key, (size_t)key_len, proof);
    snprintf(ret_final, room, "%s,p=%s", without_proof, proof);
}

static enum sasl_status scram_login(struct scram_client *client, struct sasl_exchange *exchange)
{
    char bare[512], first[1024], final[2048], reply[SASL_REPLY_MAX];
    size_t len = 0;
    enum sasl_status status = SASL_FAILED;

    snprintf(bare, sizeof(bare), "n=%s,r=clientnonce%s", client->user,
             client->extensions ? client->extensions : "");
    snprintf(first, sizeof(first), "%s%s", client->header, bare);
    sasl_start(exchange, client->mechanism);
    status = sasl_step(exchange, &directory, slice_from_cstring(first), reply, &len);
    if (status != SASL_CONTINUE)
        return status;
    memcpy(client->server_first, reply, len);
    client->server_first[len] = '\0';
    client_final(client, bare, client->server_first, final, sizeof(final));
    return sasl_step(exchange, &directory, slice_from_cstring(final), reply, &len);
}

START_TEST(scram_takes_the_key_id_and_the_key_with_both_digests)
{
    struct sasl_exchange exchange;

    for (int i = SASL_SCRAM_SHA_256; i <= SASL_SCRAM_SHA_512; i++) {
        struct scram_client client = {.mechanism = (enum sasl_mechanism)i,
                                      .header = "n,,",
                                      .user = key.id,
                                      .password = key.text};

        ck_assert_int_eq(scram_login(&client, &exchange), SASL_SUCCEEDED);
        ck_assert_str_eq(exchange.key_id, key.id);
        client.header = "n,a=guid=2Cwith=3Dsigns,";
        client.extensions = ",tokenauth=true";
        ck_assert_int_eq(scram_login(&client, &exchange), SASL_SUCCEEDED);
        ck_assert_str_eq(exchange.authzid, "guid,with=signs");
        client.password = "wrong";
        ck_assert_int_eq(scram_login(&client, &exchange), SASL_FAILED);
    }
}
END_TEST

START_TEST(an_unknown_name_gets_a_challenge_that_stays_the_same_and_then_fails)
{
    struct sasl_exchange exchange;
    char nonce[200], first_salt[64], second_salt[64];
    struct scram_client client = {.mechanism = SASL_SCRAM_SHA_256,
                                  .header = "n,,",
                                  .user = "0123456789abcdef",
                                  .password = key.text};

    ck_assert_int_eq(scram_login(&client, &exchange), SASL_FAILED);
    ck_assert_int_eq(sscanf(client.server_first, "r=%199[^,],s=%63[^,],i=4096", nonce, first_salt),
                     2);
    ck_assert_int_eq(scram_login(&client, &exchange), SASL_FAILED);
    ck_assert_int_eq(sscanf(client.server_first, "r=%199[^,],s=%63[^,],i=4096", nonce, second_salt),
                     2);
    ck_assert_str_eq(first_salt, second_salt);
    client.user = "another";
    ck_assert_int_eq(scram_login(&client, &exchange), SASL_FAILED);
    ck_assert_int_eq(sscanf(client.server_first, "r=%199[^,],s=%63[^,],i=4096", nonce, second_salt),
                     2);
    ck_assert_str_ne(first_salt, second_salt);
}
END_TEST

START_TEST(scram_refuses_another_nonce_another_header_and_channel_binding)
{
    struct sasl_exchange exchange;
    struct scram_client client = {
        .mechanism = SASL_SCRAM_SHA_512, .header = "n,,", .user = key.id, .password = key.text};

    client.spoil_nonce = true;
    ck_assert_int_eq(scram_login(&client, &exchange), SASL_FAILED);
    client.spoil_nonce = false;
    client.final_binding = "eSws"; /* y,, */
    ck_assert_int_eq(scram_login(&client, &exchange), SASL_FAILED);
    client.final_binding = NULL;
    client.header = "p=tls-unique,,";
    ck_assert_int_eq(scram_login(&client, &exchange), SASL_FAILED);
    client.header = "y,,";
    ck_assert_int_eq(scram_login(&client, &exchange), SASL_SUCCEEDED);
}
END_TEST

START_TEST(malformed_scram_messages_fail_and_never_crash)
{
    static const char *const bad[] = {"",
                                      "n",
                                      "n,",
                                      "n,,",
                                      "n,,n=",
                                      "n,,n=x",
                                      "n,,n=x,",
                                      "n,,n=x,r=",
                                      "n,a,n=x,r=y",
                                      "n,a=",
                                      "n,a=b",
                                      "n,,m=x,n=x,r=y",
                                      "n,,n=a=2,r=y",
                                      "n,,n=a=2D,r=y",
                                      "n,,r=y,n=x",
                                      "n,,n=x,r=\x01",
                                      "z,,n=x,r=y"};
    static const char *const bad_final[] = {
        "", "p=", ",p=", "c=biws,p=AAAA", "c=biws,r=,p=AAAA", "c=,r=x,p=!!", "c=biws,r=x"};
    struct sasl_exchange exchange;
    char reply[SASL_REPLY_MAX], long_first[4096];
    size_t len = 0;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sasl_start(&exchange, SASL_SCRAM_SHA_256);
        ck_assert_int_eq(sasl_step(&exchange, &directory, slice_from_cstring(bad[i]), reply, &len),
                         SASL_FAILED);
    }
    for (size_t i = 0; i < sizeof(bad_final) / sizeof(bad_final[0]); i++) {
        sasl_start(&exchange, SASL_SCRAM_SHA_256);
        ck_assert_int_eq(sasl_step(&exchange, &directory, SLICE_LITERAL("n,,n=x,r=y"), reply, &len),
                         SASL_CONTINUE);
        ck_assert_int_eq(
            sasl_step(&exchange, &directory, slice_from_cstring(bad_final[i]), reply, &len),
            SASL_FAILED);
    }
    snprintf(long_first, sizeof(long_first), "n,,n=%0*d,r=y", 3000, 1);
    sasl_start(&exchange, SASL_SCRAM_SHA_256);
    ck_assert_int_eq(sasl_step(&exchange, &directory, slice_from_cstring(long_first), reply, &len),
                     SASL_FAILED);
}
END_TEST

static enum kafka_error session_plain(struct auth_session *session, const char *user,
                                      const char *password, int64_t now_us)
{
    char token[1024], reply[SASL_REPLY_MAX];
    int len = snprintf(token, sizeof(token), "%c%s%c%s", 0, user, 0, password);
    size_t reply_len = 0;

    return auth_session_authenticate(session, &directory, slice_of(token, (size_t)len), now_us,
                                     reply, &reply_len);
}

START_TEST(only_api_versions_and_a_handshake_are_legal_before_login)
{
    struct auth_session session;

    auth_session_init(&session);
    ck_assert(auth_session_allows(&session, true));
    ck_assert(!auth_session_allows(&session, false));
    ck_assert_int_eq(auth_session_handshake(&session, 1, SLICE_LITERAL("PLAIN"), 0), KAFKA_NONE);
    ck_assert(!auth_session_allows(&session, true));
    ck_assert(!auth_session_awaits_raw_token(&session));
    ck_assert_int_eq(session_plain(&session, "token", key.text, 5), KAFKA_NONE);
    ck_assert_int_eq(session.state, AUTH_AUTHENTICATED);
    ck_assert_str_eq(session.key_id, key.id);
    ck_assert(auth_session_allows(&session, false));
    auth_session_done(&session);
}
END_TEST

START_TEST(a_token_without_a_handshake_and_a_second_handshake_are_illegal)
{
    struct auth_session session;

    auth_session_init(&session);
    ck_assert_int_eq(session_plain(&session, "token", key.text, 5), KAFKA_ILLEGAL_SASL_STATE);
    ck_assert_int_eq(session.state, AUTH_FAILED);
    ck_assert(!auth_session_allows(&session, true));

    auth_session_init(&session);
    ck_assert_int_eq(auth_session_handshake(&session, 1, SLICE_LITERAL("PLAIN"), 0), KAFKA_NONE);
    ck_assert_int_eq(auth_session_handshake(&session, 1, SLICE_LITERAL("PLAIN"), 0),
                     KAFKA_ILLEGAL_SASL_STATE);
    auth_session_done(&session);

    auth_session_init(&session);
    ck_assert_int_eq(auth_session_handshake(&session, 1, SLICE_LITERAL("GSSAPI"), 0),
                     KAFKA_UNSUPPORTED_SASL_MECHANISM);
    ck_assert_int_eq(session.state, AUTH_FAILED);
    ck_assert_str_eq(session.failure, "unknown SASL mechanism");
}
END_TEST

START_TEST(handshake_v0_is_followed_by_raw_tokens_until_success)
{
    struct auth_session session;

    auth_session_init(&session);
    ck_assert_int_eq(auth_session_handshake(&session, 0, SLICE_LITERAL("PLAIN"), 0), KAFKA_NONE);
    ck_assert(auth_session_awaits_raw_token(&session));
    ck_assert(!auth_session_allows(&session, true));
    ck_assert_int_eq(session_plain(&session, "token", key.text, 5), KAFKA_NONE);
    ck_assert(!auth_session_awaits_raw_token(&session));
    ck_assert(auth_session_allows(&session, false));
}
END_TEST

START_TEST(a_wrong_password_ends_the_session_with_a_reason_for_us_only)
{
    struct auth_session session;

    auth_session_init(&session);
    ck_assert_int_eq(auth_session_handshake(&session, 1, SLICE_LITERAL("PLAIN"), 0), KAFKA_NONE);
    ck_assert_int_eq(session_plain(&session, "token", "nonsense", 5),
                     KAFKA_SASL_AUTHENTICATION_FAILED);
    ck_assert_str_eq(session.failure, "password is not an API key");
    ck_assert_int_eq(session_plain(&session, "token", key.text, 5), KAFKA_ILLEGAL_SASL_STATE);
}
END_TEST

START_TEST(re_authentication_keeps_the_key_and_the_mechanism_and_waits_a_second)
{
    struct auth_session session;
    const int64_t second = AUTH_REAUTH_MIN_US;

    auth_session_init(&session);
    ck_assert_int_eq(auth_session_handshake(&session, 1, SLICE_LITERAL("PLAIN"), 0), KAFKA_NONE);
    ck_assert_int_eq(session_plain(&session, "token", key.text, 0), KAFKA_NONE);
    ck_assert_int_eq(auth_session_handshake(&session, 1, SLICE_LITERAL("PLAIN"), second),
                     KAFKA_NONE);
    ck_assert(auth_session_allows(&session, false));
    ck_assert_int_eq(session_plain(&session, key.id, key.text, second), KAFKA_NONE);
    ck_assert_int_eq(auth_session_handshake(&session, 1, SLICE_LITERAL("PLAIN"), 2 * second - 1),
                     KAFKA_ILLEGAL_SASL_STATE);

    auth_session_init(&session);
    ck_assert_int_eq(auth_session_handshake(&session, 1, SLICE_LITERAL("PLAIN"), 0), KAFKA_NONE);
    ck_assert_int_eq(session_plain(&session, "token", key.text, 0), KAFKA_NONE);
    session.mechanism = SASL_SCRAM_SHA_256; /* as if the first login had been another way */
    ck_assert_int_eq(auth_session_handshake(&session, 1, SLICE_LITERAL("PLAIN"), second),
                     KAFKA_NONE);
    ck_assert_int_eq(session_plain(&session, "token", key.text, second),
                     KAFKA_SASL_AUTHENTICATION_FAILED);
}
END_TEST

START_TEST(a_listener_without_sasl_refuses_handshakes)
{
    struct auth_session session;

    auth_session_init(&session);
    auth_session_skip(&session, 0);
    ck_assert(auth_session_allows(&session, false));
    ck_assert_int_eq(auth_session_handshake(&session, 1, SLICE_LITERAL("PLAIN"), 5000000),
                     KAFKA_ILLEGAL_SASL_STATE);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/auth");
    TCase *tc = tcase_create("sasl");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, plain_takes_token_or_the_key_id_as_user);
    tcase_add_test(tc, plain_refuses_wrong_users_wrong_keys_and_noise);
    tcase_add_test(tc, the_vector_of_rfc_7677_is_accepted);
    tcase_add_test(tc, scram_takes_the_key_id_and_the_key_with_both_digests);
    tcase_add_test(tc, an_unknown_name_gets_a_challenge_that_stays_the_same_and_then_fails);
    tcase_add_test(tc, scram_refuses_another_nonce_another_header_and_channel_binding);
    tcase_add_test(tc, malformed_scram_messages_fail_and_never_crash);
    tcase_add_test(tc, only_api_versions_and_a_handshake_are_legal_before_login);
    tcase_add_test(tc, a_token_without_a_handshake_and_a_second_handshake_are_illegal);
    tcase_add_test(tc, handshake_v0_is_followed_by_raw_tokens_until_success);
    tcase_add_test(tc, a_wrong_password_ends_the_session_with_a_reason_for_us_only);
    tcase_add_test(tc, re_authentication_keeps_the_key_and_the_mechanism_and_waits_a_second);
    tcase_add_test(tc, a_listener_without_sasl_refuses_handshakes);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* PLAIN (RFC 4616) and the way into SCRAM, which has its own file. */
#include "dataplane/auth/sasl_exchange.h"

#include "common/crypto/secret.h"
#include "dataplane/auth/sasl_internal.h"

#include <openssl/crypto.h>

static const char *const names[] = {
    [SASL_PLAIN] = "PLAIN",
    [SASL_SCRAM_SHA_256] = "SCRAM-SHA-256",
    [SASL_SCRAM_SHA_512] = "SCRAM-SHA-512",
};

const char *sasl_mechanism_name(enum sasl_mechanism mechanism)
{
    return names[mechanism];
}

bool sasl_mechanism_find(struct slice name, enum sasl_mechanism *ret_mechanism)
{
    for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
        if (slice_equal_cstring(name, names[i])) {
            *ret_mechanism = (enum sasl_mechanism)i;
            return true;
        }
    }
    return false;
}

void sasl_start(struct sasl_exchange *exchange, enum sasl_mechanism mechanism)
{
    *exchange = (struct sasl_exchange){.mechanism = mechanism, .state = SASL_STARTED};
}

void sasl_done(struct sasl_exchange *exchange)
{
    OPENSSL_cleanse(exchange, sizeof(*exchange));
    exchange->state = SASL_ENDED;
}

enum sasl_status sasl_fail(struct sasl_exchange *exchange, const char *why)
{
    exchange->state = SASL_ENDED;
    exchange->failure = why;
    exchange->key_id[0] = '\0';
    exchange->authzid[0] = '\0';
    return SASL_FAILED;
}

bool sasl_copy_text(struct slice text, char *ret_text, size_t room)
{
    if (text.len >= room || (text.len > 0 && memchr(text.data, '\0', text.len) != NULL))
        return false;
    if (text.len > 0)
        memcpy(ret_text, text.data, text.len);
    ret_text[text.len] = '\0';
    return true;
}

/* Cuts the part before the next NUL off `rest`; false = there is none. */
static bool take_until_nul(struct slice *rest, struct slice *ret_part)
{
    const uint8_t *nul = rest->len > 0 ? memchr(rest->data, '\0', rest->len) : NULL;
    size_t len = 0;

    if (nul == NULL)
        return false;
    len = (size_t)(nul - rest->data);
    *ret_part = slice_of(rest->data, len);
    *rest = slice_of(nul + 1, rest->len - len - 1);
    return true;
}

static bool is_verified(const struct sasl_directory *directory, const struct service_key *key)
{
    static const uint8_t nobody[KEY_VERIFIER_LEN];
    struct sasl_credential credential = {.verifier = NULL};
    bool is_known = directory->find(directory->context, slice_from_cstring(key->id), &credential);
    const uint8_t *verifier = is_known ? credential.verifier : nobody;
    bool is_equal = secret_equal(slice_of(verifier, KEY_VERIFIER_LEN),
                                 slice_of(key->verifier, KEY_VERIFIER_LEN));

    return is_equal && is_known;
}

static enum sasl_status step_plain(struct sasl_exchange *exchange,
                                   const struct sasl_directory *directory, struct slice token)
{
    struct slice authzid, user, password = token;
    struct service_key key;
    bool is_right = false;

    if (!take_until_nul(&password, &authzid) || !take_until_nul(&password, &user) ||
        !sasl_copy_text(authzid, exchange->authzid, sizeof(exchange->authzid)))
        return sasl_fail(exchange, "malformed PLAIN token");
    if (service_key_parse(password, &key) != ERR_OK)
        return sasl_fail(exchange, "password is not an API key");

    is_right = is_verified(directory, &key) && key.kind == KEY_SERVICE &&
               (slice_equal_cstring(user, "token") || slice_equal_cstring(user, key.id));
    memcpy(exchange->key_id, key.id, sizeof(exchange->key_id));
    service_key_done(&key);
    if (!is_right)
        return sasl_fail(exchange, "unknown API key, or wrong user name");
    exchange->state = SASL_ENDED;
    return SASL_SUCCEEDED;
}

enum sasl_status sasl_step(struct sasl_exchange *exchange, const struct sasl_directory *directory,
                           struct slice token, char reply[SASL_REPLY_MAX], size_t *ret_reply_len)
{
    *ret_reply_len = 0;
    if (exchange->state == SASL_ENDED)
        return sasl_fail(exchange, "token after the end of the exchange");
    if (slice_is_null(token) || token.len > SASL_MAX_TOKEN_BYTES)
        return sasl_fail(exchange, "token is missing or too long");
    if (exchange->mechanism == SASL_PLAIN)
        return step_plain(exchange, directory, token);
    if (exchange->state == SASL_STARTED)
        return scram_take_first(exchange, directory, token, reply, ret_reply_len);
    return scram_take_final(exchange, token, reply, ret_reply_len);
}

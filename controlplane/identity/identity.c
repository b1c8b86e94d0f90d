/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/identity/identity.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/crypto/secret.h"
#include "common/crypto/service_key.h"
#include "common/observe/log.h"
#include "common/port/clock.h"
#include "controlplane/store/catalog.h"

#define MAX_KEYS 8
#define RELOAD_PAUSE_US 1000000
#define KEY_ARENA_BYTES (256 << 10)

struct identity {
    const char *issuer;
    const struct seal_key *seal_key;
    pthread_rwlock_t lock; /* over what follows */
    struct signing_key
        *keys[MAX_KEYS]; /* the first one signs; only added to, so a key stays valid */
    int key_count;
    int64_t loaded_at_us;
};

enum err identity_new(const char *issuer, const struct seal_key *key,
                      struct identity **ret_identity, struct error *error)
{
    struct identity *identity = calloc(1, sizeof(*identity));

    if (!identity)
        return error_set(error, ERR_NO_MEMORY, "identity: no memory");
    identity->issuer = issuer;
    identity->seal_key = key;
    pthread_rwlock_init(&identity->lock, NULL);
    *ret_identity = identity;
    return ERR_OK;
}

void identity_free(struct identity *identity)
{
    if (!identity)
        return;
    for (int i = 0; i < identity->key_count; i++)
        signing_key_free(identity->keys[i]);
    pthread_rwlock_destroy(&identity->lock);
    free(identity);
}

/* ---- signing keys ---- */

static struct signing_key *find_key(struct identity *identity, const char *kid)
{
    for (int i = 0; i < identity->key_count; i++)
        if (strcmp(signing_key_id(identity->keys[i]), kid) == 0)
            return identity->keys[i];
    return NULL;
}

static const char *key_purpose(const char *kid, struct arena *arena)
{
    return arena_printf(arena, "signing_key:%s", kid);
}

/* Under the write lock. */
static enum err add_key(struct identity *identity, const struct signing_key_row *row,
                        struct arena *arena, struct error *error)
{
    const char *purpose = key_purpose(row->kid, arena);
    struct slice der = SLICE_NULL;
    struct signing_key *key = NULL;

    if (find_key(identity, row->kid))
        return ERR_OK;
    if (!purpose || identity->key_count == MAX_KEYS)
        return error_set(error, ERR_NO_MEMORY, "identity: too many signing keys");
    enum err rc = unseal(identity->seal_key, purpose, row->sealed_private, arena, &der, error);
    if (rc == ERR_OK)
        rc = signing_key_from_der(row->kid, der, &key, error);
    if (rc != ERR_OK)
        return rc;
    identity->keys[identity->key_count++] = key;
    if (!row->is_retired) {
        identity->keys[identity->key_count - 1] = identity->keys[0];
        identity->keys[0] = key;
    }
    return ERR_OK;
}

static enum err load_keys(struct identity *identity, struct db *db, struct arena *arena,
                          struct error *error)
{
    struct signing_key_row rows[MAX_KEYS];
    int count = 0;
    enum err rc = store_list_signing_keys(db, arena, rows, MAX_KEYS, &count, error);

    pthread_rwlock_wrlock(&identity->lock);
    for (int i = count - 1; rc == ERR_OK && i >= 0; i--)
        rc = add_key(identity, &rows[i], arena, error);
    identity->loaded_at_us = clock_monotonic_us(&system_clock);
    pthread_rwlock_unlock(&identity->lock);
    return rc;
}

static enum err make_first_key(struct identity *identity, struct db *db, struct arena *arena,
                               struct error *error)
{
    struct signing_key *key = NULL;
    struct signing_key_row row = {.is_retired = false};
    struct slice der = SLICE_NULL;
    enum err rc = signing_key_generate(&key, error);

    if (rc != ERR_OK)
        return rc;
    row.kid = signing_key_id(key);
    row.modulus = signing_key_modulus(key, arena);
    row.exponent = signing_key_exponent(key, arena);
    const char *purpose = key_purpose(row.kid, arena);
    if (!row.modulus || !row.exponent || !purpose)
        rc = error_set(error, ERR_NO_MEMORY, "identity: no memory");
    if (rc == ERR_OK)
        rc = signing_key_to_der(key, arena, &der, error);
    if (rc == ERR_OK)
        rc = seal(identity->seal_key, purpose, der, arena, &row.sealed_private, error);
    if (rc == ERR_OK)
        rc = store_insert_signing_key(db, &row, error);
    if (rc == ERR_OK)
        log_event(LOG_INFO, "signing_key_made", f_str("kid", row.kid));
    signing_key_free(key);
    explicit_bzero((void *)(uintptr_t)der.data, der.len);
    return rc == ERR_EXISTS ? ERR_OK : rc; /* another replica was first */
}

bool identity_is_ready(struct identity *identity)
{
    pthread_rwlock_rdlock(&identity->lock);
    bool is_ready = identity->key_count > 0;
    pthread_rwlock_unlock(&identity->lock);
    return is_ready;
}

enum err identity_load_keys(struct identity *identity, struct db *db, struct error *error)
{
    struct arena arena;

    arena_init(&arena, KEY_ARENA_BYTES);
    enum err rc = load_keys(identity, db, &arena, error);
    if (rc == ERR_OK && !identity_is_ready(identity)) {
        rc = make_first_key(identity, db, &arena, error);
        if (rc == ERR_OK)
            rc = load_keys(identity, db, &arena, error);
    }
    arena_done(&arena);
    return rc;
}

/* The named key, NULL for the one that signs. Stays valid: keys are only added. */
static struct signing_key *known_key(struct identity *identity, const char *kid,
                                     bool *ret_may_reload)
{
    pthread_rwlock_rdlock(&identity->lock);
    struct signing_key *key = kid                       ? find_key(identity, kid)
                              : identity->key_count > 0 ? identity->keys[0]
                                                        : NULL;
    *ret_may_reload = clock_monotonic_us(&system_clock) - identity->loaded_at_us > RELOAD_PAUSE_US;
    pthread_rwlock_unlock(&identity->lock);
    return key;
}

static enum err get_key(struct identity *identity, struct db *db, const char *kid,
                        struct signing_key **ret_key, struct error *error)
{
    bool may_reload = false;
    struct signing_key *key = known_key(identity, kid, &may_reload);

    if (!key && (may_reload || !kid)) {
        enum err rc = identity_load_keys(identity, db, error);

        if (rc != ERR_OK)
            return rc;
        key = known_key(identity, kid, &may_reload);
    }
    if (!key)
        return error_set(error, ERR_UNAUTHENTICATED, "The token names a key that is not ours.");
    *ret_key = key;
    return ERR_OK;
}

/* ---- tokens ---- */

static enum err issue(struct identity *identity, struct db *db, const struct account_key_row *row,
                      const char *grant_type, const char *client_id, int64_t now_s,
                      struct arena *arena, struct issued_token *ret_token, struct error *error)
{
    struct issued_token token = {
        .expires_in_s = TOKEN_ACCESS_LIFE_S,
        .expires_at_s = now_s + TOKEN_ACCESS_LIFE_S,
        .subject = {.iam_id = row->iam_id, .account_id = row->account_id, .name = row->name},
    };
    struct signing_key *key = NULL;
    enum err rc = get_key(identity, db, NULL, &key, error);

    if (rc == ERR_OK)
        rc = token_issue(key, TOKEN_ACCESS, &token.subject, identity->issuer, grant_type, client_id,
                         now_s, arena, &token.access_token, error);
    if (rc == ERR_OK)
        rc = token_issue(key, TOKEN_REFRESH, &token.subject, identity->issuer, grant_type,
                         client_id, now_s, arena, &token.refresh_token, error);
    if (rc == ERR_OK)
        *ret_token = token;
    return rc;
}

enum err identity_exchange_api_key(struct identity *identity, struct db *db, const char *api_key,
                                   const char *client_id, int64_t now_s, struct arena *arena,
                                   struct issued_token *ret_token, struct error *error)
{
    static const uint8_t nobody[KEY_VERIFIER_LEN];
    struct account_key_row row = {.verifier = slice_of(nobody, sizeof(nobody))};
    struct service_key key;
    enum err rc = service_key_parse(slice_from_cstring(api_key), &key);

    if (rc != ERR_OK || key.kind != KEY_ACCOUNT) {
        service_key_done(&key);
        return error_set(error, ERR_UNAUTHENTICATED, "Provided API key could not be found.");
    }
    rc = store_load_account_key(db, key.id, arena, &row, error);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        service_key_done(&key);
        return rc;
    }
    bool is_right = secret_equal(row.verifier, slice_of(key.verifier, KEY_VERIFIER_LEN));
    service_key_done(&key);
    if (rc != ERR_OK || !is_right || row.is_disabled)
        return error_set(error, ERR_UNAUTHENTICATED, "Provided API key could not be found.");
    return issue(identity, db, &row, "urn:ibm:params:oauth:grant-type:apikey", client_id, now_s,
                 arena, ret_token, error);
}

/* The row of a subject whose token we believe. */
static enum err load_subject(struct db *db, const struct token_claims *claims, struct arena *arena,
                             struct account_key_row *ret_row, struct error *error)
{
    enum err rc = store_load_account_key_of(db, claims->subject.iam_id, arena, ret_row, error);

    if (rc == ERR_NOT_FOUND ||
        (rc == ERR_OK &&
         (ret_row->is_disabled || strcmp(ret_row->account_id, claims->subject.account_id) != 0)))
        return error_set(error, ERR_UNAUTHENTICATED, "The token's API key is no longer valid.");
    return rc;
}

static enum err verify(struct identity *identity, struct db *db, enum token_kind kind,
                       const char *text, int64_t now_s, struct arena *arena,
                       struct account_key_row *ret_row, struct error *error)
{
    struct token_claims claims;
    struct signing_key *key = NULL;
    const char *kid = token_key_id(text, arena);

    if (!kid)
        return error_set(error, ERR_UNAUTHENTICATED, "The token is not one of this service.");
    enum err rc = get_key(identity, db, kid, &key, error);
    if (rc == ERR_OK)
        rc = token_verify(key, kind, text, identity->issuer, now_s, arena, &claims, error);
    if (rc == ERR_OK)
        rc = load_subject(db, &claims, arena, ret_row, error);
    return rc;
}

enum err identity_refresh(struct identity *identity, struct db *db, const char *refresh_token,
                          const char *client_id, int64_t now_s, struct arena *arena,
                          struct issued_token *ret_token, struct error *error)
{
    struct account_key_row row;
    enum err rc = verify(identity, db, TOKEN_REFRESH, refresh_token, now_s, arena, &row, error);

    if (rc != ERR_OK)
        return rc;
    return issue(identity, db, &row, "refresh_token", client_id, now_s, arena, ret_token, error);
}

static enum role role_of(const char *name)
{
    if (strcmp(name, "Manager") == 0)
        return ROLE_MANAGER;
    if (strcmp(name, "Writer") == 0)
        return ROLE_WRITER;
    return strcmp(name, "Reader") == 0 ? ROLE_READER : ROLE_NONE;
}

enum err identity_authenticate(struct identity *identity, struct db *db, const char *authorization,
                               int64_t now_s, struct arena *arena, struct principal *ret_principal,
                               struct error *error)
{
    struct account_key_row row;

    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return error_set(error, ERR_UNAUTHENTICATED, "Authorization must be a Bearer token.");
    authorization += 7;
    authorization += strspn(authorization, " ");
    enum err rc = verify(identity, db, TOKEN_ACCESS, authorization, now_s, arena, &row, error);
    if (rc != ERR_OK)
        return rc;
    *ret_principal = (struct principal){
        .iam_id = row.iam_id, .account_id = row.account_id, .role = role_of(row.role)};
    return ERR_OK;
}

json_t *identity_key_set(struct identity *identity)
{
    json_t *keys = json_array();
    struct arena arena;
    bool is_whole = keys != NULL;

    arena_init(&arena, KEY_ARENA_BYTES);
    pthread_rwlock_rdlock(&identity->lock);
    for (int i = 0; is_whole && i < identity->key_count; i++) {
        const struct signing_key *key = identity->keys[i];
        const char *modulus = signing_key_modulus(key, &arena);
        const char *exponent = signing_key_exponent(key, &arena);

        is_whole =
            modulus && exponent &&
            json_array_append_new(keys, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "RSA",
                                                  "n", modulus, "e", exponent, "alg", "RS256",
                                                  "use", "sig", "kid", signing_key_id(key))) == 0;
    }
    pthread_rwlock_unlock(&identity->lock);
    arena_done(&arena);
    json_t *set = is_whole ? json_pack("{s:O}", "keys", keys) : NULL;
    json_decref(keys);
    return set;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls, and may they: account keys become tokens, tokens become principals.
 *
 * Signing keys live sealed in the store, so that replicas share them; each process keeps the opened ones. A token that
 * names an unknown key makes us read the store again, at most once a second. What a principal may do is read from his
 * key's row at every request, so a disabled key is out at once, whatever tokens it still has. Any thread. */
#ifndef CONTROLPLANE_IDENTITY_IDENTITY_H
#define CONTROLPLANE_IDENTITY_IDENTITY_H

#include "controlplane/identity/seal.h"
#include "controlplane/identity/token.h"
#include "controlplane/store/db.h"

struct identity;

/* issuer ("https://localhost:8443/identity") and key are borrowed until identity_free. */
enum err identity_new(const char *issuer, const struct seal_key *key,
                      struct identity **ret_identity, struct error *error) WARN_UNUSED;
void identity_free(struct identity *identity); /* takes NULL */
/* Loads the signing keys; makes the first one. */
enum err identity_load_keys(struct identity *identity, struct db *db,
                            struct error *error) WARN_UNUSED;
bool identity_is_ready(struct identity *identity);

struct issued_token {
    const char *access_token;
    const char *refresh_token;
    int64_t expires_in_s;
    int64_t expires_at_s; /* Unix epoch */
    struct token_subject subject;
};

/* Errors: ERR_UNAUTHENTICATED: no such key, wrong secret, disabled: one answer for all, after the same work. */
enum err identity_exchange_api_key(struct identity *identity, struct db *db, const char *api_key,
                                   const char *client_id, int64_t now_s, struct arena *arena,
                                   struct issued_token *ret_token, struct error *error) WARN_UNUSED;
enum err identity_refresh(struct identity *identity, struct db *db, const char *refresh_token,
                          const char *client_id, int64_t now_s, struct arena *arena,
                          struct issued_token *ret_token, struct error *error) WARN_UNUSED;

enum role { ROLE_NONE, ROLE_READER, ROLE_WRITER, ROLE_MANAGER };

struct principal {
    const char *iam_id;
    const char *account_id;
    enum role role;
};

/* authorization: the header's value, may be NULL. ERR_UNAUTHENTICATED. */
enum err identity_authenticate(struct identity *identity, struct db *db, const char *authorization,
                               int64_t now_s, struct arena *arena, struct principal *ret_principal,
                               struct error *error) WARN_UNUSED;

/* {"keys": [JWK, …]}; NULL when memory is out. */
json_t *identity_key_set(struct identity *identity);

#endif

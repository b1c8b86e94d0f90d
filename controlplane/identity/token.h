/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Tokens, RS256 and nothing else: the algorithm is ours to know, never the token's to choose.
 *
 * Two kinds, told apart by `typ` in the signed header, so that neither passes for the other: access tokens (`JWT`) with
 * the claims that IAM's clients read, refresh tokens (`refresh+jwt`) with only what is needed to make the next one. */
#ifndef CONTROLPLANE_IDENTITY_TOKEN_H
#define CONTROLPLANE_IDENTITY_TOKEN_H

#include "controlplane/identity/signing_key.h"

#include <jansson.h>

#define TOKEN_MAX_LEN 8192
#define TOKEN_ACCESS_LIFE_S 3600
#define TOKEN_REFRESH_LIFE_S (72 * 3600)

enum token_kind { TOKEN_ACCESS, TOKEN_REFRESH };

/* Whom a token speaks for: a service id that holds an account key. */
struct token_subject {
    const char *iam_id; /* "iam-ServiceId-<uuid>" */
    const char *account_id;
    const char *name;
};

struct token_claims {
    struct token_subject subject;
    const char *jti;
    int64_t issued_at_s, expires_at_s;
};

/* Text in the arena. grant_type and client_id are echoed in the claims. */
enum err token_issue(const struct signing_key *key, enum token_kind kind,
                     const struct token_subject *subject, const char *issuer,
                     const char *grant_type, const char *client_id, int64_t now_s,
                     struct arena *arena, const char **ret_text, struct error *error) WARN_UNUSED;

/* The key id that the token names, without believing it; NULL when it is no token. */
const char *token_key_id(const char *text, struct arena *arena);

/* Form, algorithm, kind, signature, issuer, time; 10 s of clock difference are forgiven in `iat`, none in `exp`.
 * ERR_UNAUTHENTICATED for any fault. */
enum err token_verify(const struct signing_key *key, enum token_kind kind, const char *text,
                      const char *issuer, int64_t now_s, struct arena *arena,
                      struct token_claims *ret_claims, struct error *error) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/identity/token.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto/encoding.h"

#define CLOCK_DIFFERENCE_S 10

static const char *const types[] = {[TOKEN_ACCESS] = "JWT", [TOKEN_REFRESH] = "refresh+jwt"};
static const int lives_s[] = {
    [TOKEN_ACCESS] = TOKEN_ACCESS_LIFE_S, [TOKEN_REFRESH] = TOKEN_REFRESH_LIFE_S};

/* ---- issuing ---- */

/* "ServiceId-<uuid>" of "iam-ServiceId-<uuid>". */
static const char *identifier_of(const char *iam_id)
{
    return strncmp(iam_id, "iam-", 4) == 0 ? iam_id + 4 : iam_id;
}

static json_t *access_claims(const struct token_subject *subject, const char *issuer,
                             const char *grant_type, const char *client_id, const char *jti,
                             int64_t now_s)
{
    const char *identifier = identifier_of(subject->iam_id);

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s}, s:{s:b, "
                     "s:s, s:b}, s:I, s:I, "
                     "s:s, s:s, s:s, s:s, s:i, s:[s]}",
                     "iam_id", subject->iam_id, "id", subject->iam_id, "realmid", "iam", "jti", jti,
                     "identifier", identifier, "name", subject->name, "sub", identifier, "sub_type",
                     "ServiceId", "authn", "sub", identifier, "iam_id", subject->iam_id, "sub_type",
                     "ServiceId", "name", subject->name, "account", "valid", 1, "bss",
                     subject->account_id, "frozen", 0, "iat", (json_int_t)now_s, "exp",
                     (json_int_t)(now_s + TOKEN_ACCESS_LIFE_S), "iss", issuer, "grant_type",
                     grant_type, "scope", "ibm openid", "client_id", client_id, "acr", 1, "amr",
                     "pwd");
}

static json_t *refresh_claims(const struct token_subject *subject, const char *issuer,
                              const char *client_id, const char *jti, int64_t now_s)
{
    return json_pack("{s:s, s:s, s:s, s:{s:s}, s:I, s:I, s:s, s:s}", "iam_id", subject->iam_id,
                     "jti", jti, "name", subject->name, "account", "bss", subject->account_id,
                     "iat", (json_int_t)now_s, "exp", (json_int_t)(now_s + TOKEN_REFRESH_LIFE_S),
                     "iss", issuer, "client_id", client_id);
}

/* Base64url of a JSON object; moves the object. NULL when memory is out. */
static const char *encode_object(json_t *object, struct arena *arena)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    size_t len = text ? strlen(text) : 0;
    char *encoded = text ? arena_alloc(arena, 4 * ((len + 2) / 3) + 1) : NULL;

    if (encoded)
        base64url_encode(text, len, encoded);
    free(text);
    json_decref(object);
    return encoded;
}

static enum err sign(const struct signing_key *key, const char *head, const char *claims,
                     struct arena *arena, const char **ret_text, struct error *error)
{
    uint8_t signature[SIGNATURE_MAX_LEN];
    char signature_text[4 * ((SIGNATURE_MAX_LEN + 2) / 3) + 1];
    size_t len = 0;
    const char *signed_part = head && claims ? arena_printf(arena, "%s.%s", head, claims) : NULL;

    if (!signed_part)
        return error_set(error, ERR_NO_MEMORY, "token: no memory");
    enum err rc = signing_key_sign(key, slice_from_cstring(signed_part), signature, &len, error);
    if (rc != ERR_OK)
        return rc;
    base64url_encode(signature, len, signature_text);
    const char *text = arena_printf(arena, "%s.%s", signed_part, signature_text);
    if (!text)
        return error_set(error, ERR_NO_MEMORY, "token: no memory");
    *ret_text = text;
    return ERR_OK;
}

enum err token_issue(const struct signing_key *key, enum token_kind kind,
                     const struct token_subject *subject, const char *issuer,
                     const char *grant_type, const char *client_id, int64_t now_s,
                     struct arena *arena, const char **ret_text, struct error *error)
{
    char jti[UUID_TEXT_LEN + 1];
    struct uuid uuid;
    enum err rc = uuid_generate(&system_random, &uuid);

    if (rc != ERR_OK)
        return error_set(error, rc, "token: no randomness");
    uuid_format(uuid, jti);
    json_t *head = json_pack("{s:s, s:s, s:s}", "alg", "RS256", "kid", signing_key_id(key), "typ",
                             types[kind]);
    json_t *claims = kind == TOKEN_ACCESS
                         ? access_claims(subject, issuer, grant_type, client_id, jti, now_s)
                         : refresh_claims(subject, issuer, client_id, jti, now_s);
    const char *head_text = encode_object(head, arena);
    const char *claims_text = encode_object(claims, arena);
    return sign(key, head_text, claims_text, arena, ret_text, error);
}

/* ---- verifying ---- */

struct token_parts {
    struct slice head, claims, signature;
    struct slice signed_part; /* head.claims */
};

static bool split(const char *text, struct token_parts *parts)
{
    size_t len = strnlen(text, TOKEN_MAX_LEN + 1);
    const char *first = strchr(text, '.');
    const char *second = first ? strchr(first + 1, '.') : NULL;

    if (len > TOKEN_MAX_LEN || !second || strchr(second + 1, '.'))
        return false;
    parts->head = slice_of(text, (size_t)(first - text));
    parts->claims = slice_of(first + 1, (size_t)(second - first - 1));
    parts->signature = slice_from_cstring(second + 1);
    parts->signed_part = slice_of(text, (size_t)(second - text));
    return true;
}

static json_t *decode_object(struct slice part, struct arena *arena)
{
    uint8_t *bytes = arena_alloc(arena, part.len + 4);
    size_t len = 0;

    if (!bytes || base64_decode(part, bytes, part.len + 4, &len) != ERR_OK)
        return NULL;
    json_t *object = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

static const char *copy_member(const json_t *object, const char *name, struct arena *arena)
{
    const char *text = json_string_value(json_object_get(object, name));
    const char *copy = NULL;

    if (!text || arena_cstring(arena, slice_from_cstring(text), &copy) != ERR_OK)
        return NULL;
    return copy;
}

const char *token_key_id(const char *text, struct arena *arena)
{
    struct token_parts parts;

    if (!split(text, &parts))
        return NULL;
    json_t *head = decode_object(parts.head, arena);
    const char *kid = copy_member(head, "kid", arena);
    json_decref(head);
    return kid;
}

static bool is_head_right(const struct signing_key *key, enum token_kind kind,
                          const struct token_parts *parts, struct arena *arena)
{
    json_t *head = decode_object(parts->head, arena);
    const char *alg = json_string_value(json_object_get(head, "alg"));
    const char *kid = json_string_value(json_object_get(head, "kid"));
    const char *typ = json_string_value(json_object_get(head, "typ"));
    bool is_right = alg && strcmp(alg, "RS256") == 0 && kid &&
                    strcmp(kid, signing_key_id(key)) == 0 && typ && strcmp(typ, types[kind]) == 0;

    json_decref(head);
    return is_right;
}

static bool is_signature_right(const struct signing_key *key, const struct token_parts *parts)
{
    uint8_t signature[SIGNATURE_MAX_LEN + 4];
    size_t len = 0;

    return base64_decode(parts->signature, signature, sizeof(signature), &len) == ERR_OK &&
           signing_key_verifies(key, parts->signed_part, slice_of(signature, len));
}

static enum err read_claims(const json_t *object, enum token_kind kind, const char *issuer,
                            int64_t now_s, struct arena *arena, struct token_claims *ret_claims,
                            struct error *error)
{
    const json_t *issued = json_object_get(object, "iat"),
                 *expires = json_object_get(object, "exp");
    const char *found_issuer = json_string_value(json_object_get(object, "iss"));
    struct token_claims claims = {
        .subject = {.iam_id = copy_member(object, "iam_id", arena),
                    .account_id = copy_member(json_object_get(object, "account"), "bss", arena),
                    .name = copy_member(object, "name", arena)},
        .jti = copy_member(object, "jti", arena),
        .issued_at_s = json_integer_value(issued),
        .expires_at_s = json_integer_value(expires),
    };

    if (!claims.subject.iam_id || !claims.subject.account_id || !claims.jti ||
        !json_is_integer(issued) || !json_is_integer(expires) || !found_issuer)
        return error_set(error, ERR_UNAUTHENTICATED, "The token lacks a claim.");
    if (strcmp(found_issuer, issuer) != 0)
        return error_set(error, ERR_UNAUTHENTICATED, "The token was issued by somebody else.");
    if (claims.expires_at_s <= now_s || claims.expires_at_s - claims.issued_at_s > lives_s[kind])
        return error_set(error, ERR_UNAUTHENTICATED, "The token has expired.");
    if (claims.issued_at_s > now_s + CLOCK_DIFFERENCE_S)
        return error_set(error, ERR_UNAUTHENTICATED, "The token is from the future.");
    if (!claims.subject.name)
        claims.subject.name = "";
    *ret_claims = claims;
    return ERR_OK;
}

enum err token_verify(const struct signing_key *key, enum token_kind kind, const char *text,
                      const char *issuer, int64_t now_s, struct arena *arena,
                      struct token_claims *ret_claims, struct error *error)
{
    struct token_parts parts;

    if (!split(text, &parts) || !is_head_right(key, kind, &parts, arena) ||
        !is_signature_right(key, &parts))
        return error_set(error, ERR_UNAUTHENTICATED, "The token is not one of this service.");
    json_t *object = decode_object(parts.claims, arena);
    if (!object)
        return error_set(error, ERR_UNAUTHENTICATED, "The token has no claims.");
    enum err rc = read_claims(object, kind, issuer, now_s, arena, ret_claims, error);
    json_decref(object);
    return rc;
}

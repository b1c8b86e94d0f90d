/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/identity/signing_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/crypto/encoding.h"

#define KEY_BITS 2048
#define KID_MAX_LEN 64

struct signing_key {
    char kid[KID_MAX_LEN + 1];
    EVP_PKEY *pkey;
};

static enum err wrap(const char *kid, EVP_PKEY *pkey, struct signing_key **ret_key,
                     struct error *error)
{
    struct signing_key *key = calloc(1, sizeof(*key));

    if (!key) {
        EVP_PKEY_free(pkey);
        return error_set(error, ERR_NO_MEMORY, "signing key: no memory");
    }
    key->pkey = pkey;
    snprintf(key->kid, sizeof(key->kid), "%s", kid);
    *ret_key = key;
    return ERR_OK;
}

enum err signing_key_generate(struct signing_key **ret_key, struct error *error)
{
    char kid[UUID_TEXT_LEN + 1];
    struct uuid uuid;
    enum err rc = uuid_generate(&system_random, &uuid);

    if (rc != ERR_OK)
        return error_set(error, rc, "signing key: no randomness");
    uuid_format(uuid, kid);
    EVP_PKEY *pkey = EVP_RSA_gen(KEY_BITS);
    if (!pkey)
        return error_set(error, ERR_NO_MEMORY, "signing key: cannot make an RSA key");
    return wrap(kid, pkey, ret_key, error);
}

enum err signing_key_from_der(const char *kid, struct slice der, struct signing_key **ret_key,
                              struct error *error)
{
    const uint8_t *at = der.data;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)der.len);

    if (!pkey || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA ||
        EVP_PKEY_get_size(pkey) > SIGNATURE_MAX_LEN || strlen(kid) > KID_MAX_LEN) {
        EVP_PKEY_free(pkey);
        return error_set(error, ERR_CORRUPT, "signing key %s cannot be read", kid);
    }
    return wrap(kid, pkey, ret_key, error);
}

enum err signing_key_to_der(const struct signing_key *key, struct arena *arena,
                            struct slice *ret_der, struct error *error)
{
    uint8_t *der = NULL;
    int len = i2d_PrivateKey(key->pkey, &der);
    struct slice copy = SLICE_NULL;

    bool is_copied = len > 0 && arena_copy(arena, slice_of(der, (size_t)len), &copy);
    if (len > 0)
        OPENSSL_clear_free(der, (size_t)len);
    if (!is_copied)
        return error_set(error, ERR_NO_MEMORY, "signing key: no memory");
    *ret_der = copy;
    return ERR_OK;
}

void signing_key_free(struct signing_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

const char *signing_key_id(const struct signing_key *key)
{
    return key->kid;
}

static const char *number_text(const struct signing_key *key, const char *name, struct arena *arena)
{
    uint8_t bytes[SIGNATURE_MAX_LEN];
    BIGNUM *number = NULL;
    char *text = NULL;

    if (EVP_PKEY_get_bn_param(key->pkey, name, &number) != 1)
        return NULL;
    int len = BN_num_bytes(number);
    if (len > 0 && len <= SIGNATURE_MAX_LEN && BN_bn2bin(number, bytes) == len)
        text = arena_alloc(arena, 4 * (((size_t)len + 2) / 3) + 1);
    if (text)
        base64url_encode(bytes, (size_t)len, text);
    BN_free(number);
    return text;
}

const char *signing_key_modulus(const struct signing_key *key, struct arena *arena)
{
    return number_text(key, OSSL_PKEY_PARAM_RSA_N, arena);
}

const char *signing_key_exponent(const struct signing_key *key, struct arena *arena)
{
    return number_text(key, OSSL_PKEY_PARAM_RSA_E, arena);
}

enum err signing_key_sign(const struct signing_key *key, struct slice text,
                          uint8_t signature[SIGNATURE_MAX_LEN], size_t *ret_len,
                          struct error *error)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = SIGNATURE_MAX_LEN;

    bool is_signed = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
                     EVP_DigestSign(ctx, signature, &len, text.data, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!is_signed)
        return error_set(error, ERR_NO_MEMORY, "cannot sign with key %s", key->kid);
    *ret_len = len;
    return ERR_OK;
}

bool signing_key_verifies(const struct signing_key *key, struct slice text, struct slice signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    bool is_good = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
                   EVP_DigestVerify(ctx, signature.data, signature.len, text.data, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    return is_good;
}

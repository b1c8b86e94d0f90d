/* SPDX-License-Identifier: Apache-2.0 */
/* SaltedPassword = PBKDF2(password, salt, i); ClientKey = HMAC(SaltedPassword, "Client Key");
 * StoredKey = H(ClientKey); ServerKey = HMAC(SaltedPassword, "Server Key")  (RFC 5802 section 3).
 */
#include "common/crypto/scram.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

size_t scram_key_len(enum scram_mechanism mechanism)
{
    return mechanism == SCRAM_SHA_256 ? 32 : 64;
}

enum err scram_verifier_make(enum scram_mechanism mechanism, struct slice password,
                             int32_t iterations, struct random *random, struct scram_verifier *ret)
{
    const EVP_MD *digest = mechanism == SCRAM_SHA_256 ? EVP_sha256() : EVP_sha512();
    size_t len = scram_key_len(mechanism);
    struct scram_verifier verifier = {.mechanism = mechanism, .iterations = iterations};
    uint8_t salted[SCRAM_MAX_KEY_LEN];
    uint8_t client_key[SCRAM_MAX_KEY_LEN];
    unsigned int got = 0;
    enum err rc = random_fill(random, verifier.salt, sizeof(verifier.salt));
    bool is_made = false;

    if (rc != ERR_OK)
        return rc;
    if (password.len > INT_MAX || iterations < 1)
        return ERR_INVALID;
    is_made = PKCS5_PBKDF2_HMAC((const char *)password.data, (int)password.len, verifier.salt,
                                sizeof(verifier.salt), iterations, digest, (int)len, salted) == 1 &&
              HMAC(digest, salted, (int)len, (const uint8_t *)"Client Key", 10, client_key, &got) &&
              HMAC(digest, salted, (int)len, (const uint8_t *)"Server Key", 10, verifier.server_key,
                   &got) &&
              EVP_Digest(client_key, len, verifier.stored_key, NULL, digest, NULL) == 1;
    OPENSSL_cleanse(salted, sizeof(salted));
    OPENSSL_cleanse(client_key, sizeof(client_key));
    if (!is_made)
        return ERR_INTERNAL;
    *ret = verifier;
    return ERR_OK;
}

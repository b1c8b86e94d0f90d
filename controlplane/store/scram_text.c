/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/store/scram_text.h"

#include "common/crypto/encoding.h"
#include "common/crypto/scram.h"

#include <inttypes.h>
#include <stdio.h>

enum { ITERATIONS = 4096 };

enum err scram_text(struct slice password, char text[SCRAM_TEXT_ROOM], struct error *error)
{
    struct scram_verifier verifier;
    char salt[4 * ((SCRAM_SALT_LEN + 2) / 3) + 1];
    char stored_key[4 * ((SCRAM_MAX_KEY_LEN + 2) / 3) + 1];
    char server_key[4 * ((SCRAM_MAX_KEY_LEN + 2) / 3) + 1];
    size_t key_len = scram_key_len(SCRAM_SHA_256);

    for (size_t i = 0; i < password.len; i++) {
        if (password.data[i] < 0x21 || password.data[i] > 0x7e)
            return error_set(error, ERR_INVALID,
                             "a database password is printable ASCII without blanks");
    }
    enum err rc =
        scram_verifier_make(SCRAM_SHA_256, password, ITERATIONS, &system_random, &verifier);
    if (rc != ERR_OK)
        return error_set(error, rc, "make a password verifier");
    base64_encode(verifier.salt, SCRAM_SALT_LEN, salt);
    base64_encode(verifier.stored_key, key_len, stored_key);
    base64_encode(verifier.server_key, key_len, server_key);
    snprintf(text, SCRAM_TEXT_ROOM, "SCRAM-SHA-256$%" PRId32 ":%s$%s:%s", verifier.iterations, salt,
             stored_key, server_key);
    return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SCRAM verifiers (RFC 5802, RFC 7677) for SHA-256 and SHA-512. */
#ifndef COMMON_CRYPTO_SCRAM_H
#define COMMON_CRYPTO_SCRAM_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/port/random.h"

enum scram_mechanism { SCRAM_SHA_256, SCRAM_SHA_512 };

#define SCRAM_MAX_KEY_LEN 64
#define SCRAM_SALT_LEN 16

struct scram_verifier {
    enum scram_mechanism mechanism;
    int32_t iterations;
    uint8_t salt[SCRAM_SALT_LEN];
    uint8_t stored_key[SCRAM_MAX_KEY_LEN]; /* 32 or 64 bytes are used */
    uint8_t server_key[SCRAM_MAX_KEY_LEN];
};

size_t scram_key_len(enum scram_mechanism mechanism);
/* Slow by design (PBKDF2): on a worker, or in the control plane. */
enum err scram_verifier_make(enum scram_mechanism mechanism, struct slice password,
                             int32_t iterations, struct random *random,
                             struct scram_verifier *ret) WARN_UNUSED;

#endif

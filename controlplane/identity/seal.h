/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing what the store must keep but not read: AES-256-GCM under a key that lies in a file outside the database.
 *
 *   sealed = version (1) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
 *
 * The purpose ("signing_key:<kid>", "credential:<uuid>") is authenticated too, so a sealed value copied into another row
 * does not open. */
#ifndef CONTROLPLANE_IDENTITY_SEAL_H
#define CONTROLPLANE_IDENTITY_SEAL_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/slice.h"

#define SEAL_KEY_LEN 32

struct seal_key {
    uint8_t bytes[SEAL_KEY_LEN];
};

/* 64 hex digits, mode 0600. */
enum err seal_key_load(const char *path, struct seal_key *ret_key, struct error *error) WARN_UNUSED;
/* Makes the file if there is none; an existing one stays. */
enum err seal_key_ensure(const char *path, struct error *error) WARN_UNUSED;
void seal_key_done(struct seal_key *key);
/* A key for another use, from which this one cannot be found: HMAC-SHA-256(key, label). */
void seal_key_derive(const struct seal_key *key, const char *label, uint8_t ret_key[SEAL_KEY_LEN]);

enum err seal(const struct seal_key *key, const char *purpose, struct slice plain,
              struct arena *arena, struct slice *ret_sealed, struct error *error) WARN_UNUSED;
/* ERR_CORRUPT: another key, another purpose, or changed bytes. The plain bytes end with a NUL that is not counted. */
enum err unseal(const struct seal_key *key, const char *purpose, struct slice sealed,
                struct arena *arena, struct slice *ret_plain, struct error *error) WARN_UNUSED;

#endif

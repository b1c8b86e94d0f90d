/* SPDX-License-Identifier: Apache-2.0 */
/* RSA keys that sign tokens (RS256): made, sealed, published as a JWK. Not changed once made; any thread. */
#ifndef CONTROLPLANE_IDENTITY_SIGNING_KEY_H
#define CONTROLPLANE_IDENTITY_SIGNING_KEY_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/slice.h"

struct signing_key;

/* 2048 bits; takes a tenth of a second. */
enum err signing_key_generate(struct signing_key **ret_key, struct error *error) WARN_UNUSED;
/* From and to the DER form (PKCS #8), which is what gets sealed. */
enum err signing_key_from_der(const char *kid, struct slice der, struct signing_key **ret_key,
                              struct error *error) WARN_UNUSED;
enum err signing_key_to_der(const struct signing_key *key, struct arena *arena,
                            struct slice *ret_der, struct error *error) WARN_UNUSED;
void signing_key_free(struct signing_key *key); /* takes NULL */

const char *signing_key_id(const struct signing_key *key);
/* JWK members, base64url; in the arena, NULL when memory is out. */
const char *signing_key_modulus(const struct signing_key *key, struct arena *arena);
const char *signing_key_exponent(const struct signing_key *key, struct arena *arena);

#define SIGNATURE_MAX_LEN 512

enum err signing_key_sign(const struct signing_key *key, struct slice text,
                          uint8_t signature[SIGNATURE_MAX_LEN], size_t *ret_len,
                          struct error *error) WARN_UNUSED;
bool signing_key_verifies(const struct signing_key *key, struct slice text, struct slice signature);

#endif

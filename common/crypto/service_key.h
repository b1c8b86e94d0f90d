/* SPDX-License-Identifier: Apache-2.0 */
/* API keys that we issue.
 *
 *   mlr_<key id: 16 hex>_<secret: 64 hex><checksum: 8 hex>       service key (opens one instance)
 *   mlo_<key id: 16 hex>_<secret: 64 hex><checksum: 8 hex>       operator or account key (REST)
 *
 * The checksum is CRC-32C of all before it, so that a scanner knows a key from noise off line. We
 * keep the verifier: SHA-256("millrace key v1" ‖ key id ‖ secret), with key id and secret as the
 * text above; a random 256-bit secret needs neither salt nor pepper. */
#ifndef COMMON_CRYPTO_SERVICE_KEY_H
#define COMMON_CRYPTO_SERVICE_KEY_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/port/random.h"

#define KEY_ID_LEN 16
#define KEY_TEXT_LEN (4 + KEY_ID_LEN + 1 + 64 + 8)
#define KEY_VERIFIER_LEN 32

enum key_kind { KEY_SERVICE, KEY_ACCOUNT };

struct service_key {
    enum key_kind kind;
    char id[KEY_ID_LEN + 1];
    char text[KEY_TEXT_LEN + 1]; /* the whole key; wipe with service_key_done */
    uint8_t verifier[KEY_VERIFIER_LEN];
};

enum err service_key_generate(struct random *random, enum key_kind kind,
                              struct service_key *ret_key) WARN_UNUSED;
/* Checks form and checksum, computes the verifier. ERR_INVALID for anything else. */
enum err service_key_parse(struct slice text, struct service_key *ret_key) WARN_UNUSED;
void service_key_done(struct service_key *key);

#endif

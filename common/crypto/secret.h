/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that must not be logged, compared early or left in memory. Fixed room, wiped by
 * secret_done. */
#ifndef COMMON_CRYPTO_SECRET_H
#define COMMON_CRYPTO_SECRET_H

#include "common/base/error.h"
#include "common/base/slice.h"

#define SECRET_MAX_BYTES 256

struct secret {
    uint8_t bytes[SECRET_MAX_BYTES];
    size_t len;
};

enum err secret_set(struct secret *secret, struct slice bytes) WARN_UNUSED; /* ERR_TOO_LARGE */
void secret_done(struct secret *secret);
/* Constant time for equal lengths. */
bool secret_equal(struct slice a, struct slice b);
/* First line of a file, at most SECRET_MAX_BYTES, trailing newline dropped. Refuses a file that
 * others can read (ERR_DENIED). */
enum err secret_read_file(const char *path, struct secret *ret_secret,
                          struct error *error) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms of bytes, digests, and new uuids. */
#ifndef COMMON_CRYPTO_ENCODING_H
#define COMMON_CRYPTO_ENCODING_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/base/uuid.h"
#include "common/port/random.h"

/* Random v4; never a form that Kafka reserves, never one whose base64url begins with '-'. */
enum err uuid_generate(struct random *random, struct uuid *ret) WARN_UNUSED;

/* text must have room for 2 * len + 1. */
void hex_encode(const void *data, size_t len, char *text);
enum err hex_decode(struct slice text, void *data, size_t len) WARN_UNUSED; /* exactly len bytes */

/* Base64url without padding (RFC 4648 section 5); room for 4 * ((len + 2) / 3) + 1. Returns length.
 */
size_t base64url_encode(const void *data, size_t len, char *text);
/* Accepts both alphabets, padding optional. max = room; *ret_len = bytes. */
enum err base64_decode(struct slice text, void *data, size_t max, size_t *ret_len) WARN_UNUSED;
/* Standard alphabet with padding. */
size_t base64_encode(const void *data, size_t len, char *text);

void sha256(const void *data, size_t len, uint8_t digest[32]);

#endif

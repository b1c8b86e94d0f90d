/* SPDX-License-Identifier: Apache-2.0 */
/* 128-bit ids: of instances, topics, directories. All zero means "none", as on Kafka's wire. */
#ifndef COMMON_BASE_UUID_H
#define COMMON_BASE_UUID_H

#include "common/base/error.h"
#include "common/base/slice.h"

struct uuid {
    uint8_t bytes[16];
};

#define UUID_TEXT_LEN 36   /* 8-4-4-4-12 lower case hex */
#define UUID_BASE64_LEN 22 /* Kafka's text form: base64url without padding */

bool uuid_is_zero(struct uuid uuid);
bool uuid_equal(struct uuid a, struct uuid b);
/* Any case of hex; ERR_INVALID. */
enum err uuid_parse(struct slice text, struct uuid *ret) WARN_UNUSED;
void uuid_format(struct uuid uuid, char text[UUID_TEXT_LEN + 1]);
void uuid_format_base64(struct uuid uuid, char text[UUID_BASE64_LEN + 1]);

#endif

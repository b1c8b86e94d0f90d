/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/uuid.h"

#include "common/base/hex.h"

bool uuid_is_zero(struct uuid uuid)
{
    return uuid_equal(uuid, (struct uuid){{0}});
}

bool uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

static bool is_dash_position(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

enum err uuid_parse(struct slice text, struct uuid *ret)
{
    struct uuid uuid = {{0}};
    size_t nibble = 0;

    if (text.len != UUID_TEXT_LEN)
        return ERR_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        int digit = hex_digit_value(text.data[i]);

        if (is_dash_position(i)) {
            if (text.data[i] != '-')
                return ERR_INVALID;
            continue;
        }
        if (digit < 0)
            return ERR_INVALID;
        uuid.bytes[nibble / 2] = (uint8_t)(uuid.bytes[nibble / 2] << 4 | digit);
        nibble++;
    }
    *ret = uuid;
    return ERR_OK;
}

void uuid_format(struct uuid uuid, char text[UUID_TEXT_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    size_t nibble = 0;

    for (size_t i = 0; i < UUID_TEXT_LEN; i++) {
        if (is_dash_position(i)) {
            text[i] = '-';
            continue;
        }
        text[i] =
            digits[nibble % 2 == 0 ? uuid.bytes[nibble / 2] >> 4 : uuid.bytes[nibble / 2] & 15];
        nibble++;
    }
    text[UUID_TEXT_LEN] = '\0';
}

void uuid_format_base64(struct uuid uuid, char text[UUID_BASE64_LEN + 1])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    int held = 0;
    size_t out = 0;

    for (size_t i = 0; i < sizeof(uuid.bytes); i++) {
        bits = bits << 8 | uuid.bytes[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            text[out++] = digits[(bits >> held) & 63];
        }
    }
    text[out++] = digits[(bits << (6 - held)) & 63];
    text[out] = '\0';
}

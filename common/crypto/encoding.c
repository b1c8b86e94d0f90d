/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/encoding.h"

#include "common/base/hex.h"

#include <limits.h>
#include <openssl/evp.h>

enum err uuid_generate(struct random *random, struct uuid *ret)
{
    char text[UUID_BASE64_LEN + 1];
    struct uuid uuid;

    do {
        enum err rc = random_fill(random, uuid.bytes, sizeof(uuid.bytes));

        if (rc != ERR_OK)
            return rc;
        uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x40);
        uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
        uuid_format_base64(uuid, text);
    } while (text[0] == '-'); /* the version bits keep us off Kafka's reserved small numbers */
    *ret = uuid;
    return ERR_OK;
}

void hex_encode(const void *data, size_t len, char *text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *at = data;

    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[at[i] >> 4];
        text[2 * i + 1] = digits[at[i] & 15];
    }
    text[2 * len] = '\0';
}

enum err hex_decode(struct slice text, void *data, size_t len)
{
    uint8_t *out = data;

    if (text.len / 2 != len || text.len % 2 != 0)
        return ERR_INVALID;
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit_value(text.data[2 * i]);
        int low = hex_digit_value(text.data[2 * i + 1]);

        if (high < 0 || low < 0)
            return ERR_INVALID;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return ERR_OK;
}

static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char standard_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t encode(const char *digits, const uint8_t *at, size_t len, char *text)
{
    uint32_t bits = 0;
    int held = 0;
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        bits = (bits << 8 | at[i]) & 0xffffff;
        held += 8;
        while (held >= 6) {
            held -= 6;
            text[out++] = digits[(bits >> held) & 63];
        }
    }
    if (held > 0)
        text[out++] = digits[(bits << (6 - held)) & 63];
    return out;
}

size_t base64url_encode(const void *data, size_t len, char *text)
{
    size_t out = encode(url_digits, data, len, text);

    text[out] = '\0';
    return out;
}

size_t base64_encode(const void *data, size_t len, char *text)
{
    size_t out = encode(standard_digits, data, len, text);

    while (out % 4 != 0)
        text[out++] = '=';
    text[out] = '\0';
    return out;
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

enum err base64_decode(struct slice text, void *data, size_t max, size_t *ret_len)
{
    uint8_t *bytes = data;
    uint32_t bits = 0;
    int held = 0;
    size_t out = 0;

    for (int padding = 0; padding < 2 && text.len > 0 && text.data[text.len - 1] == '='; padding++)
        text.len--;
    if (text.len % 4 == 1)
        return ERR_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.data[i]);

        if (digit < 0)
            return ERR_INVALID;
        bits = (bits << 6 | (uint32_t)digit) & 0xffffff;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (out == max)
            return ERR_TOO_LARGE;
        bytes[out++] = (uint8_t)(bits >> held);
    }
    *ret_len = out;
    return ERR_OK;
}

void sha256(const void *data, size_t len, uint8_t digest[32])
{
    invariant(EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) == 1);
}

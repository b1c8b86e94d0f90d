/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/service_key.h"

#include "common/crypto/encoding.h"
#include "common/wire/crc32c.h"

#include <openssl/crypto.h>
#include <stdio.h>

enum {
    PREFIX_LEN = 4,
    SECRET_AT = PREFIX_LEN + KEY_ID_LEN + 1,
    SECRET_LEN = 64,
    CHECKSUM_AT = SECRET_AT + SECRET_LEN,
    CHECKSUM_LEN = 8
};

static const char *const prefixes[] = {[KEY_SERVICE] = "mlr_", [KEY_ACCOUNT] = "mlo_"};

static void make_verifier(struct service_key *key)
{
    static const char domain[] = "millrace key v1";
    uint8_t text[sizeof(domain) - 1 + KEY_ID_LEN + SECRET_LEN];

    memcpy(text, domain, sizeof(domain) - 1);
    memcpy(text + sizeof(domain) - 1, key->id, KEY_ID_LEN);
    memcpy(text + sizeof(domain) - 1 + KEY_ID_LEN, key->text + SECRET_AT, SECRET_LEN);
    sha256(text, sizeof(text), key->verifier);
    OPENSSL_cleanse(text, sizeof(text));
}

static void write_checksum(const char *text, char checksum[CHECKSUM_LEN + 1])
{
    snprintf(checksum, CHECKSUM_LEN + 1, "%08x", crc32c(text, CHECKSUM_AT));
}

enum err service_key_generate(struct random *random, enum key_kind kind,
                              struct service_key *ret_key)
{
    struct service_key key = {.kind = kind};
    uint8_t bytes[KEY_ID_LEN / 2 + SECRET_LEN / 2];
    enum err rc = random_fill(random, bytes, sizeof(bytes));

    if (rc != ERR_OK)
        return rc;
    hex_encode(bytes, KEY_ID_LEN / 2, key.id);
    memcpy(key.text, prefixes[kind], PREFIX_LEN);
    memcpy(key.text + PREFIX_LEN, key.id, KEY_ID_LEN);
    key.text[SECRET_AT - 1] = '_';
    hex_encode(bytes + KEY_ID_LEN / 2, SECRET_LEN / 2, key.text + SECRET_AT);
    write_checksum(key.text, key.text + CHECKSUM_AT);
    make_verifier(&key);
    *ret_key = key;
    OPENSSL_cleanse(bytes, sizeof(bytes));
    service_key_done(&key);
    return ERR_OK;
}

static bool is_lower_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    }
    return true;
}

enum err service_key_parse(struct slice text, struct service_key *ret_key)
{
    struct service_key key = {.kind = KEY_SERVICE};
    char checksum[CHECKSUM_LEN + 1];

    if (text.len != KEY_TEXT_LEN)
        return ERR_INVALID;
    memcpy(key.text, text.data, KEY_TEXT_LEN);
    if (memcmp(key.text, prefixes[KEY_ACCOUNT], PREFIX_LEN) == 0)
        key.kind = KEY_ACCOUNT;
    else if (memcmp(key.text, prefixes[KEY_SERVICE], PREFIX_LEN) != 0)
        return ERR_INVALID;
    memcpy(key.id, key.text + PREFIX_LEN, KEY_ID_LEN);
    write_checksum(key.text, checksum);
    if (key.text[SECRET_AT - 1] != '_' || !is_lower_hex(key.id, KEY_ID_LEN) ||
        !is_lower_hex(key.text + SECRET_AT, SECRET_LEN) ||
        memcmp(checksum, key.text + CHECKSUM_AT, CHECKSUM_LEN) != 0)
        return ERR_INVALID;
    make_verifier(&key);
    *ret_key = key;
    service_key_done(&key);
    return ERR_OK;
}

void service_key_done(struct service_key *key)
{
    OPENSSL_cleanse(key, sizeof(*key));
}

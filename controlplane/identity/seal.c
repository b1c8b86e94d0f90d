/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/identity/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <unistd.h>

#include "common/crypto/encoding.h"
#include "common/crypto/secret.h"

#define VERSION 1
#define NONCE_LEN 12
#define TAG_LEN 16
#define HEAD_LEN (1 + NONCE_LEN)

enum err seal_key_load(const char *path, struct seal_key *ret_key, struct error *error)
{
    struct secret text;
    enum err rc = secret_read_file(path, &text, error);

    if (rc != ERR_OK)
        return rc;
    if (hex_decode(slice_of(text.bytes, text.len), ret_key->bytes, SEAL_KEY_LEN) != ERR_OK)
        rc = error_set(error, ERR_INVALID, "%s must hold %d hex digits", path, 2 * SEAL_KEY_LEN);
    secret_done(&text);
    return rc;
}

static enum err write_new_file(const char *path, const char *text, size_t len, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return ERR_OK;
    if (fd < 0)
        return error_set(error, err_from_errno(errno), "create %s: %s", path, strerror(errno));
    bool is_written = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    close(fd);
    if (is_written)
        return ERR_OK;
    unlink(path);
    return error_set(error, ERR_IO, "write %s: %s", path, strerror(errno));
}

enum err seal_key_ensure(const char *path, struct error *error)
{
    uint8_t bytes[SEAL_KEY_LEN];
    char text[2 * SEAL_KEY_LEN + 2];
    enum err rc = random_fill(&system_random, bytes, sizeof(bytes));

    if (rc != ERR_OK)
        return error_set(error, rc, "no randomness for %s", path);
    hex_encode(bytes, sizeof(bytes), text);
    text[2 * SEAL_KEY_LEN] = '\n';
    rc = write_new_file(path, text, 2 * SEAL_KEY_LEN + 1, error);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(text, sizeof(text));
    return rc;
}

void seal_key_done(struct seal_key *key)
{
    OPENSSL_cleanse(key, sizeof(*key));
}

void seal_key_derive(const struct seal_key *key, const char *label, uint8_t ret_key[SEAL_KEY_LEN])
{
    unsigned len = 0;

    invariant(HMAC(EVP_sha256(), key->bytes, SEAL_KEY_LEN, (const uint8_t *)label, strlen(label),
                   ret_key, &len) != NULL);
}

enum err seal(const struct seal_key *key, const char *purpose, struct slice plain,
              struct arena *arena, struct slice *ret_sealed, struct error *error)
{
    size_t total = HEAD_LEN + plain.len + TAG_LEN;
    uint8_t *sealed = plain.len < INT32_MAX ? arena_alloc(arena, total) : NULL;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;

    bool is_sealed =
        sealed && ctx && random_fill(&system_random, sealed + 1, NONCE_LEN) == ERR_OK &&
        EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, sealed + 1) == 1 &&
        EVP_EncryptUpdate(ctx, NULL, &len, (const uint8_t *)purpose, (int)strlen(purpose)) == 1 &&
        EVP_EncryptUpdate(ctx, sealed + HEAD_LEN, &len, plain.data, (int)plain.len) == 1 &&
        EVP_EncryptFinal_ex(ctx, sealed + HEAD_LEN + len, &len) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, sealed + total - TAG_LEN) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!is_sealed)
        return error_set(error, ERR_NO_MEMORY, "cannot seal %s", purpose);
    sealed[0] = VERSION;
    *ret_sealed = slice_of(sealed, total);
    return ERR_OK;
}

enum err unseal(const struct seal_key *key, const char *purpose, struct slice sealed,
                struct arena *arena, struct slice *ret_plain, struct error *error)
{
    if (sealed.len < HEAD_LEN + TAG_LEN || sealed.data[0] != VERSION || sealed.len > INT32_MAX)
        return error_set(error, ERR_CORRUPT, "%s is not sealed as this version seals", purpose);
    size_t plain_len = sealed.len - HEAD_LEN - TAG_LEN;
    uint8_t *plain = arena_alloc(arena, plain_len + 1);
    uint8_t tag[TAG_LEN];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;

    memcpy(tag, sealed.data + sealed.len - TAG_LEN, TAG_LEN);
    bool is_open =
        plain && ctx &&
        EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, sealed.data + 1) == 1 &&
        EVP_DecryptUpdate(ctx, NULL, &len, (const uint8_t *)purpose, (int)strlen(purpose)) == 1 &&
        EVP_DecryptUpdate(ctx, plain, &len, sealed.data + HEAD_LEN, (int)plain_len) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag) == 1 &&
        EVP_DecryptFinal_ex(ctx, plain + len, &len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!is_open) {
        if (plain)
            OPENSSL_cleanse(plain, plain_len);
        return error_set(error, ERR_CORRUPT, "%s does not open with this sealing key", purpose);
    }
    *ret_plain = slice_of(plain, plain_len);
    return ERR_OK;
}

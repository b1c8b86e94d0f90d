/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

enum err secret_set(struct secret *secret, struct slice bytes)
{
    if (bytes.len > sizeof(secret->bytes))
        return ERR_TOO_LARGE;
    if (bytes.len > 0)
        memcpy(secret->bytes, bytes.data, bytes.len);
    secret->len = bytes.len;
    return ERR_OK;
}

void secret_done(struct secret *secret)
{
    OPENSSL_cleanse(secret, sizeof(*secret));
}

bool secret_equal(struct slice a, struct slice b)
{
    return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}

static enum err read_first_line(int fd, const char *path, struct secret *secret,
                                struct error *error)
{
    struct stat status;
    ssize_t got = 0;
    uint8_t *newline = NULL;

    if (fstat(fd, &status) != 0)
        return error_set(error, ERR_IO, "secret file %s: %s", path, strerror(errno));
    if ((status.st_mode & 07) != 0)
        return error_set(error, ERR_DENIED,
                         "secret file %s can be read by others; make it mode 0600", path);
    got = read(fd, secret->bytes, sizeof(secret->bytes));
    if (got < 0)
        return error_set(error, ERR_IO, "secret file %s: %s", path, strerror(errno));
    newline = memchr(secret->bytes, '\n', (size_t)got);
    secret->len = newline ? (size_t)(newline - secret->bytes) : (size_t)got;
    if (newline == NULL && (size_t)got == sizeof(secret->bytes))
        return error_set(error, ERR_TOO_LARGE, "secret file %s is longer than %d bytes", path,
                         SECRET_MAX_BYTES);
    return ERR_OK;
}

enum err secret_read_file(const char *path, struct secret *ret_secret, struct error *error)
{
    struct secret secret = {.len = 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum err rc = ERR_OK;

    if (fd < 0)
        return error_set(error, err_from_errno(errno), "secret file %s: %s", path, strerror(errno));
    rc = read_first_line(fd, path, &secret, error);
    close(fd);
    if (rc == ERR_OK)
        *ret_secret = secret;
    secret_done(&secret);
    return rc;
}

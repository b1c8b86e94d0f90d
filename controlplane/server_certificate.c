/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/server_certificate.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/certificate.h"
#include "common/observe/log.h"
#include "common/port/clock.h"
#include "controlplane/http/server.h"
#include "controlplane/provisioning/files.h"

#define PEM_MAX_BYTES (256 << 10)
#define SOON_S ((int64_t)21 * 24 * 3600)
#define WARN_EVERY_US ((int64_t)24 * 3600 * 1000 * 1000)

void server_certificate_forget(struct server_certificate *certificate)
{
    if (certificate->key_pem != NULL)
        OPENSSL_cleanse(certificate->key_pem, strlen(certificate->key_pem));
    free(certificate->key_pem);
    free(certificate->chain_pem);
    certificate->key_pem = certificate->chain_pem = NULL;
}

/* The files as they are now; their texts are owned, after an error too. */
static enum err read_files(struct server_certificate *certificate, struct error *error)
{
    int64_t ends_s = 0;
    enum err rc = ERR_OK;

    certificate->certificate_at = file_stamp_of(certificate->certificate_file);
    certificate->key_at = file_stamp_of(certificate->key_file);
    rc = file_read(certificate->certificate_file, PEM_MAX_BYTES, &certificate->chain_pem, error);
    if (rc == ERR_OK)
        rc = file_read(certificate->key_file, PEM_MAX_BYTES, &certificate->key_pem, error);
    if (rc == ERR_OK && !certificate_is_pair(certificate->chain_pem, certificate->key_pem, &ends_s))
        rc = error_set(error, ERR_INVALID, "%s and %s are not a certificate and its key, in PEM",
                       certificate->certificate_file, certificate->key_file);
    atomic_store(&certificate->ends_s, ends_s);
    return rc;
}

static void warn_of_the_end(struct server_certificate *certificate)
{
    int64_t left_s = atomic_load(&certificate->ends_s) - clock_wall_ms(&system_clock) / 1000;
    int64_t now_us = clock_monotonic_us(&system_clock);

    if (left_s >= SOON_S ||
        (certificate->warned_us != 0 && now_us - certificate->warned_us < WARN_EVERY_US))
        return;
    certificate->warned_us = now_us;
    log_event(LOG_WARN, "certificate_ends_soon", f_i64("seconds_left", left_s),
              f_str("what_to_do", "replace both files, or let `bootstrap` do it; they are taken "
                                  "within a minute"));
}

enum err server_certificate_open(struct server_certificate *certificate,
                                 const char *certificate_file, const char *key_file,
                                 struct error *error)
{
    *certificate =
        (struct server_certificate){.certificate_file = certificate_file, .key_file = key_file};
    enum err rc = read_files(certificate, error);

    if (rc == ERR_OK)
        warn_of_the_end(certificate);
    return rc;
}

static bool is_outdated(const struct server_certificate *certificate)
{
    struct file_stamp certificate_at = file_stamp_of(certificate->certificate_file);
    struct file_stamp key_at = file_stamp_of(certificate->key_file);

    return !file_stamp_is_same(&certificate_at, &certificate->certificate_at) ||
           !file_stamp_is_same(&key_at, &certificate->key_at);
}

static enum err take(struct server_certificate *certificate, struct http_server *server,
                     struct error *error)
{
    struct server_certificate taken = {.certificate_file = certificate->certificate_file,
                                       .key_file = certificate->key_file};
    enum err rc = read_files(&taken, error);

    if (rc == ERR_OK)
        rc = http_server_renew(server, &(struct http_certificate){taken.chain_pem, taken.key_pem},
                               error);
    server_certificate_forget(&taken);
    if (rc != ERR_OK)
        return rc;
    certificate->certificate_at = taken.certificate_at;
    certificate->key_at = taken.key_at;
    certificate->warned_us = 0;
    atomic_store(&certificate->ends_s, atomic_load(&taken.ends_s));
    return ERR_OK;
}

void server_certificate_look(struct server_certificate *certificate, struct http_server *server,
                             bool is_asked)
{
    struct error error;

    http_server_tidy(server);
    if (is_asked || is_outdated(certificate)) {
        if (take(certificate, server, &error) == ERR_OK)
            log_event(LOG_INFO, "certificate_taken",
                      f_i64("ends", atomic_load(&certificate->ends_s)));
        else
            log_event(
                LOG_ERROR, "certificate_refused", f_str("why", error.message),
                f_str("what_to_do", "put a certificate and its key in place; the old one serves"));
    }
    warn_of_the_end(certificate);
}

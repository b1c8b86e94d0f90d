/* SPDX-License-Identifier: Apache-2.0 */
/* The key file is written last, so a key that is there has its certificate; a lock file keeps two makers
 * apart. */
#include "controlplane/provisioning/fleet_ca.h"

#include "common/crypto/certificate.h"
#include "common/port/clock.h"
#include "controlplane/provisioning/files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CA_DAYS = 3650,
    LEAF_DAYS = 397,
    PEM_MAX_BYTES = 65536,
    MAX_NAMES = 16,
    SECONDS_PER_DAY = 86400
};

static void wipe_and_free(char *text)
{
    if (text != NULL)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

void fleet_ca_done(struct fleet_ca *ca)
{
    free(ca->certificate_pem);
    wipe_and_free(ca->key_pem);
    *ca = (struct fleet_ca){NULL, NULL};
}

static enum err load_or_make(const char *certificate_file, const char *key_file,
                             struct fleet_ca *ret_ca, struct error *error)
{
    struct fleet_ca ca = {NULL, NULL};
    enum err rc = ERR_OK;

    if (file_exists(key_file)) {
        rc = file_read(key_file, PEM_MAX_BYTES, &ca.key_pem, error);
        if (rc == ERR_OK)
            rc = file_read(certificate_file, PEM_MAX_BYTES, &ca.certificate_pem, error);
        if (rc == ERR_NOT_FOUND)
            rc = error_set(error, ERR_CORRUPT,
                           "the CA's certificate %s is gone but its key %s is there: restore it",
                           certificate_file, key_file);
    } else {
        rc = certificate_make_ca("Millrace fleet CA", CA_DAYS, &ca.certificate_pem, &ca.key_pem,
                                 error);
        if (rc == ERR_OK)
            rc =
                file_replace(certificate_file, slice_from_cstring(ca.certificate_pem), 0644, error);
        if (rc == ERR_OK)
            rc = file_replace(key_file, slice_from_cstring(ca.key_pem), 0600, error);
    }
    if (rc == ERR_OK)
        *ret_ca = ca;
    else
        fleet_ca_done(&ca);
    return rc;
}

enum err fleet_ca_open(const char *certificate_file, const char *key_file, struct fleet_ca *ret_ca,
                       struct error *error)
{
    char lock_file[PATH_ROOM];
    enum err rc = path_format(lock_file, error, "%s.lock", key_file);

    if (rc != ERR_OK)
        return rc;
    int lock = open(lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        rc = error_set(error, err_from_errno(errno), "lock %s: %s", lock_file, strerror(errno));
    else
        rc = load_or_make(certificate_file, key_file, ret_ca, error);
    if (lock >= 0)
        close(lock);
    return rc;
}

static bool is_ours(const struct fleet_ca *ca, const char *certificate_file)
{
    char *chain = NULL;
    struct error error;
    bool is_named = file_read(certificate_file, PEM_MAX_BYTES, &chain, &error) == ERR_OK &&
                    certificate_names_issuer(chain, ca->certificate_pem);

    free(chain);
    return is_named;
}

bool fleet_ca_is_leaf_fresh(const struct fleet_ca *ca, const char *certificate_file,
                            const char *key_file)
{
    struct stat status;
    int64_t now_s = clock_wall_ms(&system_clock) / 1000;

    if (!file_exists(key_file) || stat(certificate_file, &status) != 0)
        return false;
    return now_s - (int64_t)status.st_mtime < (int64_t)LEAF_DAYS * SECONDS_PER_DAY * 2 / 3 ||
           !is_ours(ca, certificate_file);
}

enum err fleet_ca_keep_leaf(const struct fleet_ca *ca, const char *common_name,
                            const char *const *names, const char *certificate_file,
                            const char *key_file, struct error *error)
{
    static const char *const addresses[] = {"127.0.0.1", "::1", NULL};
    const char *all[MAX_NAMES + 2] = {"localhost"};
    int count = 1;
    char *leaf = NULL;
    char *key = NULL;

    if (fleet_ca_is_leaf_fresh(ca, certificate_file, key_file))
        return ERR_OK;
    for (; *names != NULL && count < MAX_NAMES; names++) {
        if (strcmp(*names, "localhost") != 0)
            all[count++] = *names;
    }
    const struct certificate_request request = {
        .common_name = common_name, .dns_names = all, .addresses = addresses, .days = LEAF_DAYS};
    enum err rc = certificate_issue(ca->certificate_pem, ca->key_pem, &request, &leaf, &key, error);
    if (rc != ERR_OK)
        return rc;

    size_t leaf_len = strlen(leaf);
    size_t ca_len = strlen(ca->certificate_pem);
    char *chain = malloc(leaf_len + ca_len + 1);
    if (chain == NULL) {
        rc = error_set(error, ERR_NO_MEMORY, "issue a certificate");
    } else {
        memcpy(chain, leaf, leaf_len);
        memcpy(chain + leaf_len, ca->certificate_pem, ca_len + 1);
        /* The key first: a reader between the two fails on the pair and tries again, as at a start. */
        rc = file_replace(key_file, slice_from_cstring(key), 0600, error);
        if (rc == ERR_OK)
            rc = file_replace(certificate_file, slice_from_cstring(chain), 0644, error);
    }
    free(chain);
    free(leaf);
    wipe_and_free(key);
    return rc;
}

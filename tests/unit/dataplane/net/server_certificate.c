/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/net/server_certificate.h"

#include "common/crypto/certificate.h"
#include "tests/support/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_file(char *path, const char *text, const char *more)
{
    int fd = mkstemp(path);

    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(write(fd, more, strlen(more)), (ssize_t)strlen(more));
    close(fd);
}

void server_certificate_make(struct server_certificate *certificate)
{
    static const char *const names[] = {"localhost", NULL};
    struct certificate_request request = {"localhost", names, NULL, 1};
    char *ca = NULL, *ca_key = NULL, *leaf = NULL, *leaf_key = NULL;
    struct error error;

    *certificate = (struct server_certificate){
        .certificate_path = "/tmp/millrace-tls-cert-XXXXXX",
        .key_path = "/tmp/millrace-tls-key-XXXXXX",
    };
    ck_assert_int_eq(certificate_make_ca("test CA", 1, &ca, &ca_key, &error), ERR_OK);
    ck_assert_int_eq(certificate_issue(ca, ca_key, &request, &leaf, &leaf_key, &error), ERR_OK);
    write_file(certificate->certificate_path, leaf, ca);
    write_file(certificate->key_path, leaf_key, "");
    free(ca);
    free(ca_key);
    free(leaf);
    free(leaf_key);
}

void server_certificate_remove(struct server_certificate *certificate)
{
    unlink(certificate->certificate_path);
    unlink(certificate->key_path);
}

void server_certificate_replace(struct server_certificate *certificate,
                                struct server_certificate *next)
{
    ck_assert_int_eq(rename(next->key_path, certificate->key_path), 0);
    ck_assert_int_eq(rename(next->certificate_path, certificate->certificate_path), 0);
}

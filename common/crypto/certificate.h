/* SPDX-License-Identifier: Apache-2.0 */
/* The private CA: P-256 keys, X.509 v3, PEM. Used by `millrace-controlplane` to make the fleet's CA
 * and the certificates of REST and brokers. All PEM texts are owned by the caller (free; keys: wipe
 * first). */
#ifndef COMMON_CRYPTO_CERTIFICATE_H
#define COMMON_CRYPTO_CERTIFICATE_H

#include "common/base/error.h"

#include <stdint.h>

struct x509_st; /* OpenSSL's X509 */

struct certificate_request {
    const char *common_name;
    const char *const *dns_names; /* NULL-terminated; wildcard allowed in the first label */
    const char *const *addresses; /* NULL-terminated literal IP addresses; may be NULL */
    int days;
};

enum err certificate_make_ca(const char *common_name, int days, char **ret_certificate_pem,
                             char **ret_key_pem, struct error *error) WARN_UNUSED;
/* The result is the leaf only; chain = leaf + CA. */
enum err certificate_issue(const char *ca_certificate_pem, const char *ca_key_pem,
                           const struct certificate_request *request, char **ret_certificate_pem,
                           char **ret_key_pem, struct error *error) WARN_UNUSED;

/* May a server show this chain, whose first is its own, and sign with this key? False: one of them is no PEM, or they do not
 * belong together. *ret_ends_s: see below, of the first. */
bool certificate_is_pair(const char *chain_pem, const char *key_pem,
                         int64_t *ret_ends_s) WARN_UNUSED;
/* Does the first of the chain name the CA as who signed it? False too where one of them is no PEM. */
bool certificate_names_issuer(const char *chain_pem, const char *ca_certificate_pem);
/* Seconds since 1970; 0 = it does not say. */
int64_t certificate_ends_s(const struct x509_st *certificate);

#endif

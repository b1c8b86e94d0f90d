/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 v3 over OpenSSL 3.
 *
 * One level: the CA (pathlen 0) signs leaves for TLS servers. Host names are checked by clients against the
 * subject alternative names only, so a leaf always has at least one. Names become ASN.1 objects, never
 * OpenSSL's configuration text: a comma in a name cannot add another name.
 *
 * Certificates start an hour ago, so that a client whose clock is a little behind accepts a new one. */
#include "common/crypto/certificate.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BACKDATE_S = 3600, MAX_DAYS = 36500, SERIAL_BITS = 159 };

static enum err set_crypto_error(struct error *error, const char *what)
{
    char text[160];

    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    return error_set(error, ERR_INTERNAL, "%s: %s", what, text);
}

/* Owned copy of what a memory BIO holds; NULL when memory is out. */
static char *bio_text(BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    char *text = len > 0 ? malloc((size_t)len + 1) : NULL;

    if (text != NULL) {
        memcpy(text, data, (size_t)len);
        text[len] = '\0';
    }
    return text;
}

static enum err write_pem(X509 *certificate, EVP_PKEY *key, char **ret_certificate_pem,
                          char **ret_key_pem, struct error *error)
{
    BIO *certificate_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_secmem());
    char *certificate_pem = NULL;
    enum err rc = ERR_OK;

    if (certificate_bio == NULL || key_bio == NULL ||
        PEM_write_bio_X509(certificate_bio, certificate) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        rc = set_crypto_error(error, "write PEM");
        goto done;
    }
    certificate_pem = bio_text(certificate_bio);
    char *key_pem = bio_text(key_bio);
    if (certificate_pem == NULL || key_pem == NULL) {
        free(certificate_pem);
        free(key_pem);
        rc = error_set(error, ERR_NO_MEMORY, "write PEM");
        goto done;
    }
    *ret_certificate_pem = certificate_pem;
    *ret_key_pem = key_pem;

done:
    BIO_free(certificate_bio);
    BIO_free(key_bio);
    return rc;
}

static bool set_random_serial(X509 *certificate)
{
    BIGNUM *serial = BN_new();
    bool is_set = serial != NULL &&
                  BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                  BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != NULL;

    BN_free(serial);
    return is_set;
}

/* value is OpenSSL's own vocabulary, constant text of this file; names never come this way. */
static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return is_added;
}

/* A certificate with everything but its extensions and its signature. issuer NULL = self-signed. */
static X509 *new_certificate(const char *common_name, int days, EVP_PKEY *key, const X509 *issuer)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_NAME_new();

    if (certificate == NULL || subject == NULL)
        goto fail;
    if (X509_set_version(certificate, X509_VERSION_3) != 1 || !set_random_serial(certificate) ||
        X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATE_S) == NULL ||
        X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, NULL) == NULL ||
        X509_set_pubkey(certificate, key) != 1)
        goto fail;
    if (X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                   (const unsigned char *)common_name, -1, -1, 0) != 1 ||
        X509_set_subject_name(certificate, subject) != 1 ||
        X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject) != 1)
        goto fail;
    X509_NAME_free(subject);
    return certificate;

fail:
    X509_NAME_free(subject);
    X509_free(certificate);
    return NULL;
}

static bool push_name(GENERAL_NAMES *names, int type, ASN1_STRING *value)
{
    GENERAL_NAME *name = value ? GENERAL_NAME_new() : NULL;

    if (name == NULL) {
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, value);
    if (sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

static bool push_dns_name(GENERAL_NAMES *names, const char *text)
{
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();

    if (value == NULL || ASN1_STRING_set(value, text, (int)strlen(text)) != 1) {
        ASN1_IA5STRING_free(value);
        return false;
    }
    return push_name(names, GEN_DNS, value);
}

static bool add_alternative_names(X509 *certificate, const struct certificate_request *request)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool is_added = names != NULL;

    for (const char *const *name = request->dns_names; is_added && name && *name; name++)
        is_added = push_dns_name(names, *name);
    for (const char *const *address = request->addresses; is_added && address && *address;
         address++)
        is_added = push_name(names, GEN_IPADD, a2i_IPADDRESS(*address));
    is_added = is_added && sk_GENERAL_NAME_num(names) > 0 &&
               X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
    GENERAL_NAMES_free(names);
    return is_added;
}

/* Letters, digits, '-' and '.', with '*' as the whole first label only. */
static bool is_dns_name(const char *name)
{
    size_t len = strlen(name);

    if (strncmp(name, "*.", 2) == 0) {
        name += 2;
        len -= 2;
    }
    if (len == 0 || len > 253 || name[0] == '.' || name[len - 1] == '.')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
               len &&
           strstr(name, "..") == NULL;
}

static enum err check_subject(const char *common_name, int days, struct error *error)
{
    size_t len = strlen(common_name);

    if (len < 1 || len > 64)
        return error_set(error, ERR_INVALID, "a common name has 1 to 64 bytes, not %zu", len);
    if (days < 1 || days > MAX_DAYS)
        return error_set(error, ERR_INVALID, "a certificate is valid for 1 to %d days, not %d",
                         MAX_DAYS, days);
    return ERR_OK;
}

enum err certificate_make_ca(const char *common_name, int days, char **ret_certificate_pem,
                             char **ret_key_pem, struct error *error)
{
    enum err rc = check_subject(common_name, days, error);

    if (rc != ERR_OK)
        return rc;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key ? new_certificate(common_name, days, key, NULL) : NULL;
    if (certificate == NULL ||
        !add_extension(certificate, certificate, NID_basic_constraints,
                       "critical,CA:TRUE,pathlen:0") ||
        !add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(certificate, certificate, NID_subject_key_identifier, "hash") ||
        !add_extension(certificate, certificate, NID_authority_key_identifier, "keyid:always") ||
        X509_sign(certificate, key, EVP_sha256()) <= 0)
        rc = set_crypto_error(error, "make a CA");
    else
        rc = write_pem(certificate, key, ret_certificate_pem, ret_key_pem, error);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return rc;
}

/* The first in the text; NULL = it is no PEM. */
static X509 *read_certificate(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    ERR_clear_error();
    return certificate;
}

/* False: one of them is no PEM, or they do not belong together. */
static bool read_pair(const char *certificate_pem, const char *key_pem, X509 **ret_certificate,
                      EVP_PKEY **ret_key)
{
    BIO *key_bio = BIO_new_mem_buf(key_pem, -1);
    char no_password[] = "";
    X509 *certificate = read_certificate(certificate_pem);
    EVP_PKEY *key = key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, NULL, no_password) : NULL;
    bool is_pair =
        certificate != NULL && key != NULL && X509_check_private_key(certificate, key) == 1;

    BIO_free(key_bio);
    ERR_clear_error();
    if (!is_pair) {
        X509_free(certificate);
        EVP_PKEY_free(key);
        return false;
    }
    *ret_certificate = certificate;
    *ret_key = key;
    return true;
}

bool certificate_is_pair(const char *chain_pem, const char *key_pem, int64_t *ret_ends_s)
{
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;

    if (!read_pair(chain_pem, key_pem, &certificate, &key))
        return false;
    *ret_ends_s = certificate_ends_s(certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return true;
}

bool certificate_names_issuer(const char *chain_pem, const char *ca_certificate_pem)
{
    X509 *certificate = read_certificate(chain_pem);
    X509 *ca = read_certificate(ca_certificate_pem);
    bool is_named =
        certificate != NULL && ca != NULL &&
        X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(ca)) == 0;

    X509_free(certificate);
    X509_free(ca);
    return is_named;
}

int64_t certificate_ends_s(const X509 *certificate)
{
    struct tm end;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
        return 0;
    return (int64_t)timegm(&end);
}

enum err certificate_issue(const char *ca_certificate_pem, const char *ca_key_pem,
                           const struct certificate_request *request, char **ret_certificate_pem,
                           char **ret_key_pem, struct error *error)
{
    X509 *ca = NULL;
    EVP_PKEY *ca_key = NULL;
    enum err rc = check_subject(request->common_name, request->days, error);

    for (const char *const *name = request->dns_names; rc == ERR_OK && name && *name; name++) {
        if (!is_dns_name(*name))
            rc = error_set(error, ERR_INVALID, "\"%s\" is not a host name", *name);
    }
    if (rc == ERR_OK && !read_pair(ca_certificate_pem, ca_key_pem, &ca, &ca_key))
        rc = error_set(error, ERR_INVALID, "the CA's certificate and key are not a PEM pair");
    if (rc != ERR_OK)
        return rc;

    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = key ? new_certificate(request->common_name, request->days, key, ca) : NULL;
    if (leaf == NULL || !add_extension(leaf, ca, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(leaf, ca, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(leaf, ca, NID_ext_key_usage, "serverAuth") ||
        !add_extension(leaf, ca, NID_subject_key_identifier, "hash") ||
        !add_extension(leaf, ca, NID_authority_key_identifier, "keyid:always"))
        rc = set_crypto_error(error, "issue a certificate");
    else if (!add_alternative_names(leaf, request))
        rc = error_set(error, ERR_INVALID,
                       "a certificate needs a host name or address in proper form");
    else if (X509_sign(leaf, ca_key, EVP_sha256()) <= 0)
        rc = set_crypto_error(error, "sign a certificate");
    else
        rc = write_pem(leaf, key, ret_certificate_pem, ret_key_pem, error);
    ERR_clear_error();
    X509_free(leaf);
    EVP_PKEY_free(key);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of SCRAM (RFC 5802, RFC 7677) without channel binding.
 *
 *   C: n,[a=authzid],n=<key id>,r=<nonce>[,extensions]         client-first
 *   S: r=<nonce><ours>,s=<salt>,i=<iterations>                 server-first
 *   C: c=<base64 of the header>,r=<both nonces>[,…],p=<proof>  client-final
 *   S: v=<server signature>                                    server-final
 *
 * AuthMessage is client-first-bare "," server-first "," client-final without proof. The proof is
 * ClientKey xor HMAC(StoredKey, AuthMessage), and SHA(ClientKey) must be StoredKey. A name that
 * does not exist gets a salt derived from the name and this process's pepper, so that asking twice
 * tells nothing, and fails where a wrong proof fails. Extensions (tokenauth=true) are taken and
 * ignored. */
#include "common/crypto/encoding.h"
#include "common/crypto/secret.h"
#include "dataplane/auth/sasl_internal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#define SERVER_NONCE_BYTES 18

static const EVP_MD *digest_of(enum scram_mechanism mechanism)
{
    return mechanism == SCRAM_SHA_256 ? EVP_sha256() : EVP_sha512();
}

static enum scram_mechanism scram_of(enum sasl_mechanism mechanism)
{
    return mechanism == SASL_SCRAM_SHA_256 ? SCRAM_SHA_256 : SCRAM_SHA_512;
}

/* Cuts "<key>=<value>" up to the next comma off `rest`. */
static bool take_attribute(struct slice *rest, char key, struct slice *ret_value)
{
    const uint8_t *comma = NULL;
    size_t len = rest->len;

    if (rest->len < 2 || rest->data[0] != (uint8_t)key || rest->data[1] != '=')
        return false;
    comma = memchr(rest->data, ',', rest->len);
    if (comma != NULL)
        len = (size_t)(comma - rest->data);
    *ret_value = slice_of(rest->data + 2, len - 2);
    *rest = comma ? slice_of(comma + 1, rest->len - len - 1) : slice_of(rest->data + len, 0);
    return true;
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, any other "=" is an error. */
static bool decode_name(struct slice name, char *ret_text, size_t room)
{
    size_t len = 0;

    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];

        if (c == '=') {
            if (name.len - i < 3)
                return false;
            if (memcmp(name.data + i, "=2C", 3) == 0)
                c = ',';
            else if (memcmp(name.data + i, "=3D", 3) != 0)
                return false;
            i += 2;
        }
        if (c == '\0' || len + 1 >= room)
            return false;
        ret_text[len++] = (char)c;
    }
    ret_text[len] = '\0';
    return true;
}

/* printable, no comma (RFC 5802: %x21-2B / %x2D-7E) */
static bool is_nonce(struct slice nonce)
{
    if (nonce.len == 0 || nonce.len > SCRAM_NONCE_MAX - 4 * (SERVER_NONCE_BYTES + 2) / 3)
        return false;
    for (size_t i = 0; i < nonce.len; i++) {
        if (nonce.data[i] < 0x21 || nonce.data[i] > 0x7e || nonce.data[i] == ',')
            return false;
    }
    return true;
}

/* "n,[a=…]," : copies it, takes the authzid out; `rest` is client-first-bare after. */
static bool take_gs2_header(struct sasl_exchange *exchange, struct slice *rest)
{
    const uint8_t *start = rest->data;
    struct slice authzid = SLICE_LITERAL("");
    size_t header_len = 0;

    if (rest->len < 3 || (start[0] != 'n' && start[0] != 'y') || start[1] != ',')
        return false;
    *rest = slice_of(start + 2, rest->len - 2);
    if (rest->data[0] == ',')
        *rest = slice_of(rest->data + 1, rest->len - 1);
    else if (!take_attribute(rest, 'a', &authzid))
        return false;
    header_len = (size_t)(rest->data - start);
    return start[header_len - 1] == ',' &&
           decode_name(authzid, exchange->authzid, sizeof(exchange->authzid)) &&
           sasl_copy_text(slice_of(start, header_len), exchange->scram.gs2_header,
                          sizeof(exchange->scram.gs2_header));
}

/* A verifier for this name in any case; is_known says whether it is real. */
static bool look_up(struct sasl_exchange *exchange, const struct sasl_directory *directory,
                    const char *name)
{
    enum scram_mechanism mechanism = scram_of(exchange->mechanism);
    struct scram_verifier *verifier = &exchange->scram.verifier;
    struct sasl_credential credential = {.verifier = NULL};
    uint8_t made_up[EVP_MAX_MD_SIZE];
    unsigned int made_up_len = 0;

    if (HMAC(EVP_sha256(), directory->pepper, SASL_PEPPER_LEN, (const uint8_t *)name, strlen(name),
             made_up, &made_up_len) == NULL)
        return false;
    *verifier =
        (struct scram_verifier){.mechanism = mechanism, .iterations = SCRAM_UNKNOWN_ITERATIONS};
    memcpy(verifier->salt, made_up, SCRAM_SALT_LEN);
    if (directory->find(directory->context, slice_from_cstring(name), &credential) &&
        credential.scram[mechanism] != NULL) {
        *verifier = *credential.scram[mechanism];
        exchange->scram.is_known =
            sasl_copy_text(slice_from_cstring(name), exchange->key_id, sizeof(exchange->key_id));
    }
    return true;
}

static bool make_nonce(struct sasl_exchange *exchange, const struct sasl_directory *directory,
                       struct slice client_nonce)
{
    uint8_t ours[SERVER_NONCE_BYTES];

    if (random_fill(directory->random, ours, sizeof(ours)) != ERR_OK)
        return false;
    memcpy(exchange->scram.nonce, client_nonce.data, client_nonce.len);
    base64url_encode(ours, sizeof(ours), exchange->scram.nonce + client_nonce.len);
    return true;
}

enum sasl_status scram_take_first(struct sasl_exchange *exchange,
                                  const struct sasl_directory *directory, struct slice token,
                                  char reply[SASL_REPLY_MAX], size_t *ret_reply_len)
{
    struct scram_exchange *scram = &exchange->scram;
    struct slice bare = token, rest, name, nonce;
    char user[SASL_AUTHZID_MAX + 1];
    char salt[4 * ((SCRAM_SALT_LEN + 2) / 3) + 1];
    int len = 0;

    if (!take_gs2_header(exchange, &bare) || bare.len > SCRAM_MESSAGE_MAX)
        return sasl_fail(exchange, "malformed SCRAM client-first message");
    rest = bare;
    if (!take_attribute(&rest, 'n', &name) || !take_attribute(&rest, 'r', &nonce) ||
        !decode_name(name, user, sizeof(user)) || !is_nonce(nonce))
        return sasl_fail(exchange, "malformed SCRAM client-first message");
    if (!look_up(exchange, directory, user) || !make_nonce(exchange, directory, nonce))
        return sasl_fail(exchange, "no randomness");

    base64_encode(scram->verifier.salt, SCRAM_SALT_LEN, salt);
    len = snprintf(reply, SASL_REPLY_MAX, "r=%s,s=%s,i=%d", scram->nonce, salt,
                   (int)scram->verifier.iterations);
    invariant(len > 0 && len < SASL_REPLY_MAX);
    memcpy(scram->auth_message, bare.data, bare.len);
    scram->auth_message[bare.len] = ',';
    memcpy(scram->auth_message + bare.len + 1, reply, (size_t)len);
    scram->auth_message_len = bare.len + 1 + (size_t)len;
    *ret_reply_len = (size_t)len;
    exchange->state = SASL_CHALLENGED;
    return SASL_CONTINUE;
}

/* c= must be the header of the first message, in base64: no channel binding. */
static bool is_same_header(const struct sasl_exchange *exchange, struct slice binding)
{
    uint8_t header[sizeof(exchange->scram.gs2_header)];
    size_t len = 0;

    return base64_decode(binding, header, sizeof(header), &len) == ERR_OK &&
           slice_equal(slice_of(header, len), slice_from_cstring(exchange->scram.gs2_header));
}

/* The proof is the last attribute; extensions may stand before it. */
static bool split_proof(struct slice token, struct slice *ret_without_proof,
                        struct slice *ret_proof)
{
    for (size_t i = token.len; i >= 3; i--) {
        if (memcmp(token.data + i - 3, ",p=", 3) == 0) {
            *ret_without_proof = slice_of(token.data, i - 3);
            *ret_proof = slice_of(token.data + i, token.len - i);
            return true;
        }
    }
    return false;
}

static bool is_proven(const struct scram_verifier *verifier, struct slice message,
                      const uint8_t *proof)
{
    const EVP_MD *digest = digest_of(verifier->mechanism);
    size_t key_len = scram_key_len(verifier->mechanism);
    uint8_t key[SCRAM_MAX_KEY_LEN], stored[SCRAM_MAX_KEY_LEN];
    unsigned int len = 0;
    bool is_right = false;

    if (HMAC(digest, verifier->stored_key, (int)key_len, message.data, message.len, key, &len) ==
        NULL)
        return false;
    for (size_t i = 0; i < key_len; i++)
        key[i] ^= proof[i];
    is_right = EVP_Digest(key, key_len, stored, NULL, digest, NULL) == 1 &&
               secret_equal(slice_of(stored, key_len), slice_of(verifier->stored_key, key_len));
    OPENSSL_cleanse(key, sizeof(key));
    return is_right;
}

static bool write_signature(const struct scram_verifier *verifier, struct slice message,
                            char reply[SASL_REPLY_MAX], size_t *ret_len)
{
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned int len = 0;

    if (HMAC(digest_of(verifier->mechanism), verifier->server_key,
             (int)scram_key_len(verifier->mechanism), message.data, message.len, signature,
             &len) == NULL)
        return false;
    memcpy(reply, "v=", 2);
    *ret_len = 2 + base64_encode(signature, len, reply + 2);
    return true;
}

enum sasl_status scram_take_final(struct sasl_exchange *exchange, struct slice token,
                                  char reply[SASL_REPLY_MAX], size_t *ret_reply_len)
{
    struct scram_exchange *scram = &exchange->scram;
    struct slice without_proof, proof_text, rest, binding, nonce, message;
    uint8_t proof[SCRAM_MAX_KEY_LEN];
    char text[sizeof(scram->auth_message) + 1 + SCRAM_MESSAGE_MAX];
    size_t proof_len = 0;

    if (!split_proof(token, &without_proof, &proof_text) || without_proof.len > SCRAM_MESSAGE_MAX)
        return sasl_fail(exchange, "malformed SCRAM client-final message");
    rest = without_proof;
    if (!take_attribute(&rest, 'c', &binding) || !take_attribute(&rest, 'r', &nonce) ||
        base64_decode(proof_text, proof, sizeof(proof), &proof_len) != ERR_OK ||
        proof_len != scram_key_len(scram->verifier.mechanism))
        return sasl_fail(exchange, "malformed SCRAM client-final message");
    if (!is_same_header(exchange, binding) || !slice_equal_cstring(nonce, scram->nonce))
        return sasl_fail(exchange, "SCRAM header or nonce differs from the first message");

    memcpy(text, scram->auth_message, scram->auth_message_len);
    text[scram->auth_message_len] = ',';
    memcpy(text + scram->auth_message_len + 1, without_proof.data, without_proof.len);
    message = slice_of(text, scram->auth_message_len + 1 + without_proof.len);
    if (!is_proven(&scram->verifier, message, proof) || !scram->is_known)
        return sasl_fail(exchange, "unknown API key, or wrong password");
    if (!write_signature(&scram->verifier, message, reply, ret_reply_len))
        return sasl_fail(exchange, "no signature");
    exchange->state = SASL_ENDED;
    return SASL_SUCCEEDED;
}

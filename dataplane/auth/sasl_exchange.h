/* SPDX-License-Identifier: Apache-2.0 */
/* One SASL exchange, server side, as a pure state machine: tokens in, tokens out.
 *
 *   PLAIN           STARTED ──token──▶ SUCCEEDED | FAILED
 *   SCRAM-SHA-*     STARTED ──client-first──▶ CHALLENGED ──client-final──▶ SUCCEEDED | FAILED
 *
 * PLAIN: user `token` or the key id, password = the whole API key; its verifier is compared in
 * constant time. SCRAM: user = key id. An unknown key id takes the same path as a wrong password,
 * with a made-up verifier (and, in SCRAM, a salt that stays the same for that name), and ends in
 * the same text. The authorization id is handed out as it came: which instance it may name is
 * decided in dataplane/tenant. */
#ifndef DATAPLANE_AUTH_SASL_EXCHANGE_H
#define DATAPLANE_AUTH_SASL_EXCHANGE_H

#include "common/base/slice.h"
#include "common/crypto/scram.h"
#include "common/crypto/service_key.h"
#include "common/port/random.h"

enum sasl_mechanism { SASL_PLAIN, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_512, SASL_MECHANISM_COUNT };

/* In every failure the client is told this and nothing else. */
#define SASL_FAILURE_TEXT "Authentication failed: invalid credentials"
#define SASL_MAX_TOKEN_BYTES 8192 /* an honest token is under 1 KiB */
#define SASL_PEPPER_LEN 32
#define SASL_AUTHZID_MAX 255
#define SASL_REPLY_MAX 512
#define SCRAM_MESSAGE_MAX 768 /* of client-first-bare and of client-final without proof */
#define SCRAM_NONCE_MAX 128
#define SCRAM_UNKNOWN_ITERATIONS 4096 /* as the control plane makes them for real keys */

const char *sasl_mechanism_name(enum sasl_mechanism mechanism); /* "SCRAM-SHA-256" */
bool sasl_mechanism_find(struct slice name, enum sasl_mechanism *ret_mechanism);

/* What is known of a key; borrowed, valid for the step. */
struct sasl_credential {
    const uint8_t *verifier;               /* KEY_VERIFIER_LEN */
    const struct scram_verifier *scram[2]; /* by enum scram_mechanism; NULL = none */
};

struct sasl_directory {
    /* False = no such key. key_id is any text that a client sent. */
    bool (*find)(void *context, struct slice key_id, struct sasl_credential *ret_credential);
    void *context;
    struct random *random;
    /* Secret of this process (32 random bytes), for the made-up salts. */
    const uint8_t *pepper; /* SASL_PEPPER_LEN */
};

enum sasl_status { SASL_CONTINUE, SASL_SUCCEEDED, SASL_FAILED };

enum sasl_state { SASL_STARTED, SASL_CHALLENGED, SASL_ENDED };

/* About 2 KiB: on the heap, and only as long as the exchange lasts. */
struct sasl_exchange {
    enum sasl_mechanism mechanism;
    enum sasl_state state;
    char key_id[KEY_ID_LEN + 1];         /* set when SASL_SUCCEEDED */
    char authzid[SASL_AUTHZID_MAX + 1];  /* set when SASL_SUCCEEDED; "" = none */
    const char *failure;                 /* SASL_FAILED: for our log, never for the client */
    struct scram_exchange {              /* private */
        bool is_known;                   /* the key id exists */
        struct scram_verifier verifier;  /* a copy: the key may go while the client thinks */
        char nonce[SCRAM_NONCE_MAX + 1]; /* the client's, then ours */
        char gs2_header[SASL_AUTHZID_MAX * 3 + 8];
        char auth_message[2 * SCRAM_MESSAGE_MAX]; /* client-first-bare "," server-first */
        size_t auth_message_len;
    } scram;
};

void sasl_start(struct sasl_exchange *exchange, enum sasl_mechanism mechanism);

/* Takes one token. reply (SASL_REPLY_MAX bytes) gets what to send back, never null: empty on
 * PLAIN's success and on failure. After SUCCEEDED or FAILED the exchange takes no more tokens
 * (FAILED). */
enum sasl_status sasl_step(struct sasl_exchange *exchange, const struct sasl_directory *directory,
                           struct slice token, char reply[SASL_REPLY_MAX], size_t *ret_reply_len);

/* Wipes what must not stay in memory. */
void sasl_done(struct sasl_exchange *exchange);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Which SASL request is legal when, on one connection. Pure; the handlers of SaslHandshake and
 * SaslAuthenticate ask it, and so does dispatch before any other request.
 *
 *            handshake v1               token                  success
 *   INITIAL ─────────────▶ HANDSHAKEN ────────▶ EXCHANGING ───────────▶ AUTHENTICATED
 *      │ handshake v0          ▲                    │                        │ handshake again,
 *      └───▶ same, raw tokens  └────────────────────│────────────────────────┘ not within 1 s
 *                                                   └──failure──▶ FAILED: answer, close
 *
 * Re-authentication (KIP-368) keeps mechanism and key; requests of the old session go on being
 * served until the new one has failed. With no lifetime (ours is 0) clients never need it, but may.
 */
#ifndef DATAPLANE_AUTH_AUTH_SESSION_H
#define DATAPLANE_AUTH_AUTH_SESSION_H

#include "common/kafka/kafka_error.h"
#include "dataplane/auth/sasl_exchange.h"

enum auth_state { AUTH_INITIAL, AUTH_HANDSHAKEN, AUTH_EXCHANGING, AUTH_AUTHENTICATED, AUTH_FAILED };

#define AUTH_REAUTH_MIN_US 1000000 /* earlier re-authentication is refused */

struct auth_session {
    enum auth_state state;
    bool is_raw;                    /* handshake v0: tokens have no Kafka header */
    bool was_authenticated;         /* this is, or would be, a re-authentication */
    struct sasl_exchange *exchange; /* owned; only while one is under way */
    enum sasl_mechanism mechanism;  /* of the session in force */
    char key_id[KEY_ID_LEN + 1];    /* of the session in force; "" = none */
    char authzid[SASL_AUTHZID_MAX + 1];
    bool has_sasl; /* false: PLAINTEXT listener, no handshake is legal */
    int64_t authenticated_us;
    const char *failure; /* FAILED: why, for our log, never for the client */
};

void auth_session_init(struct auth_session *session);
void auth_session_done(struct auth_session *session);

/* A connection that needs no SASL (PLAINTEXT listener): AUTHENTICATED at once, without a key. */
void auth_session_skip(struct auth_session *session, int64_t now_us);

/* May a request that is not a SASL one be served? Before login only ApiVersions may, and only before
 * the handshake. False = answer ILLEGAL_SASL_STATE where the API can, and close. */
bool auth_session_allows(const struct auth_session *session, bool is_api_versions);

/* The next frame is a bare token (handshake v0), answered without a header. */
bool auth_session_awaits_raw_token(const struct auth_session *session);

/* SaslHandshake. NONE, UNSUPPORTED_SASL_MECHANISM (answer with all names, then close) or
 * ILLEGAL_SASL_STATE (close). */
enum kafka_error auth_session_handshake(struct auth_session *session, int16_t version,
                                        struct slice mechanism, int64_t now_us);

/* SaslAuthenticate, or a raw token. NONE: state says whether it goes on (EXCHANGING) or succeeded
 * (AUTHENTICATED: key_id and authzid are set). SASL_AUTHENTICATION_FAILED: answer SASL_FAILURE_TEXT
 * after the delay of the login guard, and close. ILLEGAL_SASL_STATE: close. */
enum kafka_error auth_session_authenticate(struct auth_session *session,
                                           const struct sasl_directory *directory,
                                           struct slice token, int64_t now_us,
                                           char reply[SASL_REPLY_MAX], size_t *ret_reply_len);

/* The binding of the key to an instance failed after all (suspended, foreign authzid). */
void auth_session_refuse(struct auth_session *session);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Allowed moves:
 *
 *   from           by                      to
 *   INITIAL        skip                    AUTHENTICATED (no SASL for life)
 *   INITIAL        handshake               HANDSHAKEN
 *   AUTHENTICATED  handshake, 1 s later    HANDSHAKEN (was_authenticated)
 *   HANDSHAKEN     token                   EXCHANGING, AUTHENTICATED, FAILED
 *   EXCHANGING     token                   EXCHANGING, AUTHENTICATED, FAILED
 *   any            refuse, illegal move    FAILED
 */
#include "dataplane/auth/auth_session.h"

#include <stdlib.h>

void auth_session_init(struct auth_session *session)
{
    *session = (struct auth_session){.state = AUTH_INITIAL, .has_sasl = true};
}

static void drop_exchange(struct auth_session *session)
{
    if (session->exchange == NULL)
        return;
    sasl_done(session->exchange);
    free(session->exchange);
    session->exchange = NULL;
}

void auth_session_done(struct auth_session *session)
{
    drop_exchange(session);
}

static enum kafka_error fail(struct auth_session *session, enum kafka_error error)
{
    session->failure = error == KAFKA_ILLEGAL_SASL_STATE ? "SASL request out of order" : "refused";
    if (error == KAFKA_UNSUPPORTED_SASL_MECHANISM)
        session->failure = "unknown SASL mechanism";
    if (session->exchange != NULL && session->exchange->failure != NULL)
        session->failure = session->exchange->failure;
    drop_exchange(session);
    session->state = AUTH_FAILED;
    return error;
}

void auth_session_skip(struct auth_session *session, int64_t now_us)
{
    session->state = AUTH_AUTHENTICATED;
    session->has_sasl = false;
    session->authenticated_us = now_us;
}

bool auth_session_awaits_raw_token(const struct auth_session *session)
{
    return session->is_raw &&
           (session->state == AUTH_HANDSHAKEN || session->state == AUTH_EXCHANGING);
}

bool auth_session_allows(const struct auth_session *session, bool is_api_versions)
{
    if (session->state == AUTH_FAILED)
        return false;
    if (session->state == AUTH_AUTHENTICATED || session->was_authenticated)
        return true;
    return is_api_versions && session->state == AUTH_INITIAL;
}

enum kafka_error auth_session_handshake(struct auth_session *session, int16_t version,
                                        struct slice mechanism, int64_t now_us)
{
    bool is_again = session->state == AUTH_AUTHENTICATED && session->has_sasl && version > 0;
    enum sasl_mechanism found = SASL_PLAIN;

    if (session->state != AUTH_INITIAL && !is_again)
        return fail(session, KAFKA_ILLEGAL_SASL_STATE);
    if (is_again && now_us - session->authenticated_us < AUTH_REAUTH_MIN_US)
        return fail(session, KAFKA_ILLEGAL_SASL_STATE);
    if (!sasl_mechanism_find(mechanism, &found))
        return fail(session, KAFKA_UNSUPPORTED_SASL_MECHANISM);
    session->exchange = malloc(sizeof(*session->exchange));
    if (session->exchange == NULL)
        return fail(session, KAFKA_ILLEGAL_SASL_STATE);

    sasl_start(session->exchange, found);
    session->was_authenticated = is_again;
    session->is_raw = version == 0;
    session->state = AUTH_HANDSHAKEN;
    return KAFKA_NONE;
}

/* Re-authentication: neither mechanism nor key may change. */
static bool is_same_principal(const struct auth_session *session)
{
    const struct sasl_exchange *exchange = session->exchange;

    return exchange->mechanism == session->mechanism &&
           strcmp(exchange->key_id, session->key_id) == 0 &&
           strcmp(exchange->authzid, session->authzid) == 0;
}

enum kafka_error auth_session_authenticate(struct auth_session *session,
                                           const struct sasl_directory *directory,
                                           struct slice token, int64_t now_us,
                                           char reply[SASL_REPLY_MAX], size_t *ret_reply_len)
{
    enum sasl_status status = SASL_FAILED;

    *ret_reply_len = 0;
    if (session->state != AUTH_HANDSHAKEN && session->state != AUTH_EXCHANGING)
        return fail(session, KAFKA_ILLEGAL_SASL_STATE);
    status = sasl_step(session->exchange, directory, token, reply, ret_reply_len);
    if (status == SASL_CONTINUE) {
        session->state = AUTH_EXCHANGING;
        return KAFKA_NONE;
    }
    if (status == SASL_FAILED || (session->was_authenticated && !is_same_principal(session))) {
        *ret_reply_len = 0;
        return fail(session, KAFKA_SASL_AUTHENTICATION_FAILED);
    }

    session->mechanism = session->exchange->mechanism;
    memcpy(session->key_id, session->exchange->key_id, sizeof(session->key_id));
    memcpy(session->authzid, session->exchange->authzid, sizeof(session->authzid));
    session->authenticated_us = now_us;
    session->state = AUTH_AUTHENTICATED;
    drop_exchange(session);
    return KAFKA_NONE;
}

void auth_session_refuse(struct auth_session *session)
{
    fail(session, KAFKA_SASL_AUTHENTICATION_FAILED);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The connection: open, prepare, run, wait, and the one table from SQLSTATE to enum err.
 *
 * libpq is used in its asynchronous form, so that every wait has our own deadline: a store that hangs
 * (stopped, or gone behind a dead network) must not hang us. What passes the deadline leaves the
 * connection in an unknown state, so it is closed; db_ensure opens a new one. */
#include "controlplane/store/db.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/secret.h"
#include "common/port/clock.h"
#include "controlplane/store/db_internal.h"

/* The server cancels a slow statement itself; we wait this much longer to hear of it. */
#define DEADLINE_GRACE_MS 1000

static const struct {
    const char *sqlstate; /* a prefix */
    enum err code;
} code_of_sqlstate[] = {
    {"23505", ERR_EXISTS},      {"23503", ERR_NOT_FOUND}, {"23", ERR_INVALID},
    {"22", ERR_INVALID},        {"40001", ERR_CONFLICT},  {"40P01", ERR_CONFLICT},
    {"55P03", ERR_TIMEOUT},     {"57014", ERR_TIMEOUT},   {"57", ERR_UNAVAILABLE},
    {"08", ERR_UNAVAILABLE},    {"53", ERR_UNAVAILABLE},  {"25006", ERR_UNAVAILABLE},
    {"25P03", ERR_UNAVAILABLE}, {"28", ERR_UNAVAILABLE},  {"3D000", ERR_UNAVAILABLE},
    {"P0002", ERR_NOT_FOUND},
};

static enum err err_from_sqlstate(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof(code_of_sqlstate) / sizeof(code_of_sqlstate[0]); i++)
        if (strncmp(sqlstate, code_of_sqlstate[i].sqlstate, strlen(code_of_sqlstate[i].sqlstate)) ==
            0)
            return code_of_sqlstate[i].code;
    return ERR_INTERNAL;
}

static int64_t now_ms(void)
{
    return clock_monotonic_us(&system_clock) / 1000;
}

void db_disconnect(struct db *db)
{
    PQfinish(db->conn);
    db->conn = NULL;
    db->prepared_count = 0;
}

/* libpq's messages end with a newline and may have several lines; we keep the first. */
static enum err set_connection_error(struct db *db, enum err code, struct error *error)
{
    const char *text = db->conn ? PQerrorMessage(db->conn) : "not connected";

    return error_set(error, code, "store: %.*s", (int)strcspn(text, "\n"), text);
}

/* Waits until the socket is ready, the deadline passes (ERR_TIMEOUT) or wake_fd is readable. */
static enum err wait_socket(struct db *db, short events, int64_t deadline_ms, int wake_fd)
{
    struct pollfd fds[2] = {{.fd = PQsocket(db->conn), .events = events},
                            {.fd = wake_fd, .events = POLLIN}};

    for (;;) {
        int64_t left_ms = deadline_ms - now_ms();
        int ready = poll(fds, wake_fd < 0 ? 1 : 2, left_ms < 0 ? 0 : (int)left_ms);

        if (ready > 0)
            return fds[1].revents != 0 && wake_fd >= 0 ? ERR_CANCELLED : ERR_OK;
        if (ready == 0)
            return ERR_TIMEOUT;
        if (errno != EINTR)
            return ERR_IO;
    }
}

/* ---- connecting ---- */

static enum err connect_wait(struct db *db, struct error *error)
{
    int64_t deadline_ms = now_ms() + db->config->connect_timeout_ms;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED)
            return set_connection_error(db, ERR_UNAVAILABLE, error);
        if (wait_socket(db, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms, -1) !=
            ERR_OK)
            return error_set(error, ERR_UNAVAILABLE, "store: did not answer within %lld ms",
                             (long long)db->config->connect_timeout_ms);
        status = PQconnectPoll(db->conn);
    }
    return ERR_OK;
}

static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

static enum err connect_with_password(struct db *db, const char *password, struct error *error)
{
    char options[160];
    const char *const keywords[] = {"dbname",  "password",        "application_name",
                                    "options", "client_encoding", NULL};
    const char *const values[] = {
        db->config->conninfo, password, db->config->application_name, options, "UTF8", NULL};

    snprintf(options, sizeof(options),
             "-c statement_timeout=%lld -c lock_timeout=%lld -c "
             "idle_in_transaction_session_timeout=5000",
             (long long)db->config->statement_timeout_ms,
             (long long)db->config->statement_timeout_ms / 2);
    db->conn = PQconnectStartParams(keywords, values, 1);
    if (!db->conn)
        return error_set(error, ERR_NO_MEMORY, "store: no memory for a connection");
    if (PQstatus(db->conn) == CONNECTION_BAD)
        return set_connection_error(db, ERR_UNAVAILABLE, error);
    PQsetNoticeProcessor(db->conn, ignore_notice, NULL);
    enum err rc = connect_wait(db, error);
    if (rc == ERR_OK && PQsetnonblocking(db->conn, 1) != 0)
        rc = set_connection_error(db, ERR_UNAVAILABLE, error);
    return rc;
}

static enum err db_connect(struct db *db, struct error *error)
{
    struct secret password = {.len = 0};
    char text[SECRET_MAX_BYTES + 1];
    bool has_password = db->config->password_file && db->config->password_file[0] != '\0';
    enum err rc = ERR_OK;

    if (has_password)
        rc = secret_read_file(db->config->password_file, &password, error);
    if (rc != ERR_OK)
        return rc;
    memcpy(text, password.bytes, password.len);
    text[password.len] = '\0';
    rc = connect_with_password(db, has_password ? text : NULL, error);
    explicit_bzero(text, sizeof(text));
    secret_done(&password);
    for (int i = 0; rc == ERR_OK && i < db->channel_count; i++) {
        char listen[80];

        snprintf(listen, sizeof(listen), "LISTEN %s", db->channels[i]);
        rc = db_command(db, listen, error);
    }
    if (rc != ERR_OK)
        db_disconnect(db);
    return rc;
}

enum err db_open(const struct db_config *config, struct db **ret_db, struct error *error)
{
    struct db *db = calloc(1, sizeof(*db));

    if (!db)
        return error_set(error, ERR_NO_MEMORY, "store: no memory");
    db->config = config;
    enum err rc = db_connect(db, error);
    if (rc != ERR_OK) {
        free(db);
        return rc;
    }
    *ret_db = db;
    return ERR_OK;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_disconnect(db);
    free(db);
}

enum err db_ensure(struct db *db, struct error *error)
{
    if (db->conn && PQstatus(db->conn) == CONNECTION_OK) {
        struct pollfd fd = {.fd = PQsocket(db->conn), .events = POLLIN};

        /* Readable while idle: a notification, or the end. */
        if (poll(&fd, 1, 0) == 0 ||
            (PQconsumeInput(db->conn) == 1 && PQstatus(db->conn) == CONNECTION_OK))
            return ERR_OK;
    }
    db_disconnect(db);
    return db_connect(db, error);
}

const char *db_sqlstate(const struct db *db)
{
    return db->sqlstate;
}

/* ---- running ---- */

/* Sends what is left and reads until a result is there. False: lost, or too slow. */
static bool await_result(struct db *db, int64_t deadline_ms)
{
    while (PQisBusy(db->conn)) {
        int unsent = PQflush(db->conn);
        short events = unsent > 0 ? POLLIN | POLLOUT : POLLIN;

        if (unsent < 0 || wait_socket(db, events, deadline_ms, -1) != ERR_OK ||
            PQconsumeInput(db->conn) != 1)
            return false;
    }
    return true;
}

/* Takes the last result of what was sent; earlier ones are dropped. Leaves the connection idle, or closed. */
static enum err collect(struct db *db, PGresult **ret_result, struct error *error)
{
    int64_t deadline_ms = now_ms() + db->config->statement_timeout_ms + DEADLINE_GRACE_MS;
    PGresult *last = NULL;

    for (;;) {
        if (!await_result(db, deadline_ms)) {
            PQclear(last);
            db_disconnect(db);
            return error_set(error, ERR_UNAVAILABLE, "store: connection lost or too slow");
        }
        PGresult *next = PQgetResult(db->conn);
        if (!next)
            break;
        PQclear(last);
        last = next;
        ExecStatusType status = PQresultStatus(next);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
            PQclear(last);
            db_disconnect(db);
            return error_set(error, ERR_INTERNAL, "store: COPY is not spoken here");
        }
    }
    *ret_result = last;
    return ERR_OK;
}

/* Turns a server's refusal into a code; takes the result. */
static enum err refuse(struct db *db, PGresult *result, struct error *error)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    snprintf(db->sqlstate, sizeof(db->sqlstate), "%s", sqlstate ? sqlstate : "");
    enum err code = sqlstate ? err_from_sqlstate(sqlstate) : ERR_UNAVAILABLE;
    error_set(error, code, "store: %s (%s)", text ? text : "connection lost", db->sqlstate);
    PQclear(result);
    if (PQstatus(db->conn) != CONNECTION_OK)
        db_disconnect(db);
    return code;
}

static enum err finish(struct db *db, PGresult **ret_result, struct error *error)
{
    PGresult *result = NULL;
    enum err rc = collect(db, &result, error);

    db->sqlstate[0] = '\0';
    if (rc != ERR_OK)
        return rc;
    if (!result)
        return error_set(error, ERR_UNAVAILABLE, "store: no answer");
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        return refuse(db, result, error);
    *ret_result = result;
    return ERR_OK;
}

static enum err require_connection(struct db *db, struct error *error)
{
    if (db->conn)
        return ERR_OK;
    if (db->is_in_transaction)
        return error_set(error, ERR_UNAVAILABLE, "store: connection lost in a transaction");
    return db_connect(db, error);
}

enum err db_command(struct db *db, const char *sql, struct error *error)
{
    PGresult *result = NULL;
    enum err rc = require_connection(db, error);

    if (rc != ERR_OK)
        return rc;
    if (PQsendQuery(db->conn, sql) != 1) {
        set_connection_error(db, ERR_UNAVAILABLE, error);
        db_disconnect(db);
        return ERR_UNAVAILABLE;
    }
    rc = finish(db, &result, error);
    if (rc == ERR_OK)
        PQclear(result);
    return rc;
}

enum err db_run_script(struct db *db, const char *sql, struct error *error)
{
    return db_command(db, sql, error);
}

/* The name under which this connection knows the statement; prepares it on first use. */
static enum err prepare(struct db *db, const struct db_statement *statement, char name[16],
                        struct error *error)
{
    PGresult *result = NULL;
    int index = 0;

    while (index < db->prepared_count && db->prepared[index] != statement)
        index++;
    snprintf(name, 16, "s%d", index);
    if (index < db->prepared_count)
        return ERR_OK;
    invariant(index < DB_MAX_PREPARED);
    if (PQsendPrepare(db->conn, name, statement->sql, 0, NULL) != 1) {
        set_connection_error(db, ERR_UNAVAILABLE, error);
        db_disconnect(db);
        return ERR_UNAVAILABLE;
    }
    enum err rc = finish(db, &result, error);
    if (rc != ERR_OK)
        return rc;
    PQclear(result);
    db->prepared[db->prepared_count++] = statement;
    return ERR_OK;
}

static enum err run(struct db *db, const struct db_statement *statement,
                    const struct db_params *params, PGresult **ret_result, struct error *error)
{
    char name[16];
    enum err rc = require_connection(db, error);

    if (rc == ERR_OK)
        rc = prepare(db, statement, name, error);
    if (rc != ERR_OK)
        return rc;
    if (PQsendQueryPrepared(db->conn, name, params ? params->count : 0,
                            params ? params->values : NULL, params ? params->lengths : NULL,
                            params ? params->formats : NULL, 0) != 1) {
        set_connection_error(db, ERR_UNAVAILABLE, error);
        db_disconnect(db);
        return ERR_UNAVAILABLE;
    }
    return finish(db, ret_result, error);
}

enum err db_query(struct db *db, const struct db_statement *statement,
                  const struct db_params *params, struct db_result **ret_result,
                  struct error *error)
{
    PGresult *result = NULL;
    enum err rc = run(db, statement, params, &result, error);

    if (rc == ERR_OK)
        *ret_result = (struct db_result *)(void *)result;
    return rc;
}

enum err db_execute(struct db *db, const struct db_statement *statement,
                    const struct db_params *params, int64_t *ret_row_count, struct error *error)
{
    PGresult *result = NULL;
    enum err rc = run(db, statement, params, &result, error);

    if (rc != ERR_OK)
        return rc;
    if (ret_row_count)
        *ret_row_count = strtoll(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return ERR_OK;
}

/* ---- wake-ups ---- */

enum err db_notify(struct db *db, const char *channel, const char *payload, struct error *error)
{
    static const struct db_statement notify = {"SELECT pg_notify($1, $2)"};
    struct db_params params;

    invariant(!db->is_in_transaction);
    db_params_init(&params);
    db_param_text(&params, channel);
    db_param_text(&params, payload);
    return db_execute(db, &notify, &params, NULL, error);
}

enum err db_listen(struct db *db, const char *channel, struct error *error)
{
    char listen[80];

    invariant(db->channel_count < DB_MAX_CHANNELS);
    snprintf(listen, sizeof(listen), "LISTEN %s", channel);
    enum err rc = db_command(db, listen, error);
    if (rc == ERR_OK)
        db->channels[db->channel_count++] = channel;
    return rc;
}

enum err db_wait_notification(struct db *db, int64_t timeout_ms, int wake_fd, char *ret_payload,
                              size_t payload_room, struct error *error)
{
    int64_t deadline_ms = now_ms() + timeout_ms;
    enum err rc = require_connection(db, error);

    while (rc == ERR_OK) {
        PGnotify *notification = PQnotifies(db->conn);

        if (notification) {
            snprintf(ret_payload, payload_room, "%s", notification->extra);
            PQfreemem(notification);
            return ERR_OK;
        }
        rc = wait_socket(db, POLLIN, deadline_ms, wake_fd);
        if (rc == ERR_OK && PQconsumeInput(db->conn) != 1) {
            set_connection_error(db, ERR_UNAVAILABLE, error);
            db_disconnect(db);
            return ERR_UNAVAILABLE;
        }
    }
    return rc;
}

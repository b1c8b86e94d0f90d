/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/provisioning/sql_session.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>

enum { TEXT_ROOM = 65536, STATEMENT_ROOM = 16384 };

static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

PGconn *sql_open(const char *admin, const char *database, const char *user)
{
    char conninfo[256];

    snprintf(conninfo, sizeof(conninfo), "%s dbname=%s user=%s", admin, database, user);
    PGconn *connection = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(connection) == CONNECTION_OK, "%s", PQerrorMessage(connection));
    PQsetNoticeProcessor(connection, ignore_notice, NULL);
    return connection;
}

static PGresult *run(PGconn *connection, const char *format, va_list arguments) PRINTF_LIKE(2, 0);
static PGresult *run(PGconn *connection, const char *format, va_list arguments)
{
    char statement[STATEMENT_ROOM];

    ck_assert_int_lt(vsnprintf(statement, sizeof(statement), format, arguments), STATEMENT_ROOM);
    return PQexec(connection, statement);
}

const char *sql(PGconn *connection, const char *format, ...)
{
    static char text[TEXT_ROOM];
    va_list arguments;
    size_t len = 0;

    va_start(arguments, format);
    PGresult *result = run(connection, format, arguments);
    va_end(arguments);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK ||
                      PQresultStatus(result) == PGRES_COMMAND_OK,
                  "%s: %s", format, PQresultErrorMessage(result));
    text[0] = '\0';
    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < PQnfields(result) && len < sizeof(text); column++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
                                    column > 0 ? "|"
                                    : row > 0  ? "\n"
                                               : "",
                                    PQgetvalue(result, row, column));
    }
    PQclear(result);
    return text;
}

const char *sql_failure(PGconn *connection, const char *format, ...)
{
    static char state[6];
    va_list arguments;

    va_start(arguments, format);
    PGresult *result = run(connection, format, arguments);
    va_end(arguments);
    const char *found = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    snprintf(state, sizeof(state), "%s", found ? found : "");
    PQclear(result);
    return state;
}

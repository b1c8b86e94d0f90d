/* SPDX-License-Identifier: Apache-2.0 */
/* SQL in tests: statements as text with values printed in, answers as text. Never outside of tests. */
#ifndef TESTS_INTEGRATION_PROVISIONING_SQL_SESSION_H
#define TESTS_INTEGRATION_PROVISIONING_SQL_SESSION_H

#include "common/base/error.h"

#include <libpq-fe.h>

/* Fails the test when it cannot connect. PQfinish when done. */
PGconn *sql_open(const char *admin, const char *database, const char *user);

/* Columns joined by '|', rows by newlines, null as ""; in a buffer that the next call reuses. Fails the test when
 * the statement fails. */
const char *sql(PGconn *connection, const char *format, ...) PRINTF_LIKE(2, 3);
/* The SQLSTATE that the statement fails with; "" when it does not fail. */
const char *sql_failure(PGconn *connection, const char *format, ...) PRINTF_LIKE(2, 3);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A PostgreSQL of the test's own: a directory below /tmp, a socket in it, no TCP, gone with the test. It runs as
 * user postgres when we are root, because it refuses to be root. */
#ifndef TESTS_INTEGRATION_PROVISIONING_PRIVATE_POSTGRES_H
#define TESTS_INTEGRATION_PROVISIONING_PRIVATE_POSTGRES_H

#include <sys/types.h>

/* Of millrace_serve and millrace_provision; cells' roles have the one they were made with. */
#define PRIVATE_POSTGRES_PASSWORD "not-a-secret-of-anyone"

struct private_postgres {
    char directory[64]; /* also the directory of the socket */
    char admin[160];    /* libpq keywords of a superuser, without dbname */
    pid_t server;
};

/* Fails the test when it cannot. Both databases are made and migrated; the password of millrace_serve and
 * millrace_provision is in `<directory>/password`. */
void private_postgres_start(struct private_postgres *postgres);
void private_postgres_stop(struct private_postgres *postgres);

/* Stops and starts the server without its directory, as a crash and a restart. */
void private_postgres_kill(struct private_postgres *postgres);
void private_postgres_run(struct private_postgres *postgres);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A state directory, the reconciler as a process, and the rows that serve would write. */
#ifndef TESTS_INTEGRATION_PROVISIONING_FLEET_FIXTURE_H
#define TESTS_INTEGRATION_PROVISIONING_FLEET_FIXTURE_H

#include "tests/integration/provisioning/private_postgres.h"
#include "tests/integration/provisioning/sql_session.h"

struct fleet {
    struct private_postgres *postgres;
    PGconn *fleet; /* administrator's connections */
    PGconn *cells;
    char state[96];  /* below the server's directory */
    pid_t provision; /* 0 = not running */
    const char *broker_program;
};

/* broker_program NULL = the fake broker. */
void fleet_open(struct fleet *fleet, struct private_postgres *postgres, const char *broker_program);
/* Takes down what is left, and fails the test when a process, file, role or row stays. */
void fleet_close(struct fleet *fleet);

/* After a failed test: kills the brokers that it left below the server's directory. */
void fleet_kill_leftovers(struct private_postgres *postgres);

/* extra: one more option, or NULL. */
void fleet_start_provision(struct fleet *fleet, const char *extra);
void fleet_stop_provision(struct fleet *fleet, int signal_number);
/* The verb's exit status. */
int fleet_stop_cells(struct fleet *fleet);

/* A sign for fake brokers: see fake_broker.c. */
void fleet_put_sign(struct fleet *fleet, const char *name);
void fleet_remove_sign(struct fleet *fleet, const char *name);

/* number: makes the ids. sharing: "shared" or "dedicated". */
void fleet_insert_instance(struct fleet *fleet, int number, const char *sharing,
                           int plaintext_port);
void fleet_delete_instance(struct fleet *fleet, int number);
void fleet_insert_credential(struct fleet *fleet, int number, int instance);
void fleet_delete_credential(struct fleet *fleet, int number);

/* Waits until the query (one value) gives the text; fails the test after 30 s. Returns milliseconds waited. */
long fleet_wait(struct fleet *fleet, const char *expected, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
long fleet_wait_instance(struct fleet *fleet, int number, const char *phase);
long fleet_wait_credential(struct fleet *fleet, int number, const char *state);

/* Holders of locks below the state directory: supervisors. The first one's directory when path is not NULL. */
int fleet_count_supervisors(struct fleet *fleet, char *path, size_t room);
int fleet_count_directories(struct fleet *fleet);
/* Of the broker whose directory that is: the last start in supervisor.jsonl. */
pid_t fleet_broker_pid(const char *directory);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Two cells, an instance, a topic and a key for tests of the cells contract. */
#ifndef TESTS_INTEGRATION_PROVISIONING_CELL_FIXTURE_H
#define TESTS_INTEGRATION_PROVISIONING_CELL_FIXTURE_H

#include "tests/integration/provisioning/private_postgres.h"
#include "tests/integration/provisioning/sql_session.h"

#define CELL_A "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define CELL_B "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
#define INSTANCE "11111111-1111-4111-8111-111111111111"
#define TOPIC "22222222-2222-4222-8222-222222222222"
#define FIRST "33333333-3333-4333-8333-333333333333"
#define SECOND "44444444-4444-4444-8444-444444444444"
#define DIRECTORY "55555555-5555-4555-8555-555555555555"
#define KEY "0123456789abcdef"
#define REGISTER "SELECT * FROM cell.v1_register(0, '%s', '" DIRECTORY "', true, 'test')"
#define REGISTRATION_NUMBER                                                                        \
    "SELECT producer_registration FROM cell.v1_register(0, '%s', '%s', true, 'test')"

extern struct private_postgres postgres;
extern PGconn *admin, *provision,
    *broker; /* logged in as superuser, reconciler, broker of cell A */

void cell_start_server(void); /* unchecked fixture: once per test program */
void cell_stop_server(void);
void cell_set_up(void); /* makes cell A, with one broker */
void cell_tear_down(void);

PGconn *cell_login(const char *cell_id);
void cell_make(const char *cell_id, int brokers);
/* "instance_no|version" */
const char *cell_put_tenant_with_storage(long revision, const char *state, int partitions,
                                         long storage_bytes);
const char *cell_put_tenant(long revision, const char *state, int partitions);
const char *cell_put_credential(long revision, const char *role);
/* Numbers make request ids. Both give "result|current|maximum". */
const char *cell_create_topic(int request, const char *topic, const char *name,
                              const char *placement);
const char *cell_call_on_topic(const char *function, int request, const char *fields);
long cell_version(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/provisioning/cell_fixture.h"

#include <check.h>
#include <stdio.h>

struct private_postgres postgres;
PGconn *admin, *provision, *broker;

PGconn *cell_login(const char *cell_id)
{
    char role[128];

    snprintf(role, sizeof(role), "%s password=0123456789abcdef",
             sql(admin, "SELECT role_name FROM cell_private.cell WHERE cell_id = '%s'", cell_id));
    return sql_open(postgres.admin, "cells", role);
}

void cell_make(const char *cell_id, int brokers)
{
    sql(provision,
        "SELECT * FROM cell_admin.v1_create_cell('%s', 'shared', %d, '0123456789abcdef')", cell_id,
        brokers);
}

const char *cell_put_tenant(long revision, const char *state, int partitions)
{
    return cell_put_tenant_with_storage(revision, state, partitions, -1);
}

const char *cell_put_tenant_with_storage(long revision, const char *state, int partitions,
                                         long storage_bytes)
{
    return sql(provision,
               "SELECT * FROM cell_admin.v2_put_tenant('" CELL_A
               "', %ld, '{\"instance\": \"" INSTANCE
               "\", \"label\": \"k3x\", \"state\": \"%s\", \"internal_partitions\": 2, "
               "\"internal_visible\": false, "
               "\"topic_settings\": null, \"limits\": {\"partitions\": %d, "
               "\"produce_bytes_per_second\": 1, "
               "\"consume_bytes_per_second\": 1, \"connections\": 1, \"groups\": 1, "
               "\"max_message_bytes\": 1, "
               "\"retention_bytes_per_partition\": -1, \"storage_bytes\": %ld}}')",
               revision, state, partitions, storage_bytes);
}

const char *cell_put_credential(long revision, const char *role)
{
    return sql(
        provision,
        "SELECT cell_admin.v1_put_credential('" CELL_A "', %ld, jsonb_build_object('key_id', '" KEY
        "', "
        "'instance_no', 1, 'role', '%s', 'verifier', repeat('ab', 32), 'scram_sha_256', null, "
        "'scram_sha_512', jsonb_build_object('salt', encode(repeat('a', 16)::bytea, 'base64'), "
        "'iterations', "
        "4096, 'stored_key', encode(repeat('b', 64)::bytea, 'base64'), 'server_key', "
        "encode(repeat('c', 64)::bytea, 'base64'))))",
        revision, role);
}

const char *cell_create_topic(int request, const char *topic, const char *name,
                              const char *placement)
{
    return sql(broker,
               "SELECT t ->> 'result', t ->> 'current', t ->> 'maximum' FROM "
               "jsonb_array_elements(cell.v2_create_topics("
               "'{\"request_id\": \"00000000-0000-4000-8000-%012d\", \"instance_no\": 1, "
               "\"topics\": [{\"topic_id\": "
               "\"%s\", \"name\": \"%s\", \"partitions\": %s, \"configs\": {\"retention.ms\": "
               "\"5\"}}]}') -> 'topics') t",
               request, topic, name, placement);
}

const char *cell_call_on_topic(const char *function, int request, const char *fields)
{
    return sql(
        broker,
        "SELECT t ->> 'result', t ->> 'current', t ->> 'maximum' FROM jsonb_array_elements(cell.%s("
        "'{\"request_id\": \"00000000-0000-4000-8000-%012d\", \"instance_no\": 1, \"topics\": "
        "[{\"topic_id\": "
        "\"" TOPIC "\"%s}]}') -> 'topics') t",
        function, request, fields);
}

long cell_version(void)
{
    long number = -1;

    ck_assert_int_eq(
        sscanf(sql(admin, "SELECT version FROM cell_private.cell WHERE cell_id = '" CELL_A "'"),
               "%ld", &number),
        1);
    return number;
}

void cell_start_server(void)
{
    private_postgres_start(&postgres);
}

void cell_stop_server(void)
{
    private_postgres_stop(&postgres);
}

void cell_set_up(void)
{
    admin = sql_open(postgres.admin, "cells", "postgres");
    provision =
        sql_open(postgres.admin, "cells", "millrace_provision password=" PRIVATE_POSTGRES_PASSWORD);
    cell_make(CELL_A, 1);
    broker = cell_login(CELL_A);
}

void cell_tear_down(void)
{
    PQfinish(broker);
    for (int i = 0; i < 2; i++) {
        const char *cell = i == 0 ? CELL_A : CELL_B;

        sql(provision,
            "SELECT cell_admin.v1_remove_tenant('%s', '" INSTANCE "') WHERE EXISTS (SELECT FROM "
            "cell_admin.v1_create_cell('%s', 'shared', (SELECT CASE WHEN '%s' = '" CELL_B
            "' THEN 3 ELSE 1 END), '0123456789abcdef'))",
            cell, cell, cell);
        sql(provision, "SELECT cell_admin.v1_drop_cell('%s')", cell);
    }
    PQfinish(provision);
    PQfinish(admin);
}

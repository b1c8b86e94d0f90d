/* SPDX-License-Identifier: Apache-2.0 */
/* The reconciler with millrace-broker itself: what is called ready listens, with a certificate that clients accept. */
#include "controlplane/provisioning/files.h"
#include "controlplane/provisioning/process_driver.h"
#include "tests/integration/provisioning/fleet_fixture.h"
#include "tests/support/check_main.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Was the stop before it clean, and how many incarnations were there before? */
#define LAST_START "SELECT is_clean, cardinality(former) FROM cell_private.broker"

static struct private_postgres postgres;
static struct fleet fleet;

static void start_server(void)
{
    private_postgres_start(&postgres);
}

static void stop_server(void)
{
    fleet_kill_leftovers(&postgres);
    private_postgres_stop(&postgres);
}

static void set_up(void)
{
    fleet_open(&fleet, &postgres, BROKER);
    fleet_start_provision(&fleet, NULL);
}

static void tear_down(void)
{
    fleet_close(&fleet);
}

/* A TLS handshake with the only SASL_SSL listener there is, verified against the CA as a client does. */
static bool can_connect(const char *host)
{
    char ca_file[PATH_ROOM], address[64];
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;

    snprintf(ca_file, sizeof(ca_file), "%s/ca.crt", fleet.state);
    snprintf(address, sizeof(address), "%s:%s", host,
             sql(fleet.fleet, "SELECT port FROM fleet.port WHERE purpose = 'sasl_ssl'"));
    ck_assert_int_eq(SSL_CTX_load_verify_file(context, ca_file), 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    BIO *bio = BIO_new_ssl_connect(context);
    BIO_get_ssl(bio, &ssl);
    SSL_set1_host(ssl, host);
    BIO_set_conn_hostname(bio, address);
    bool is_connected = BIO_do_connect(bio) == 1 && SSL_get_verify_result(ssl) == X509_V_OK;
    BIO_free_all(bio);
    SSL_CTX_free(context);
    return is_connected;
}

static void wait_until_connected(void)
{
    for (int i = 0; i < 1000 && !can_connect("localhost"); i++)
        poll(NULL, 0, 10);
    ck_assert(can_connect("localhost"));
}

START_TEST(an_enterprise_instance_that_is_ready_listens_with_a_certificate_of_the_ca)
{
    fleet_insert_instance(&fleet, 1, "dedicated", 0);
    printf("enterprise instance: %ld ms\n", fleet_wait_instance(&fleet, 1, "ready"));
    ck_assert(can_connect("localhost"));
}
END_TEST

START_TEST(standard_instances_and_keys_are_quick)
{
    fleet_insert_instance(&fleet, 1, "shared", 0);
    printf("first standard instance, with its cell: %ld ms\n",
           fleet_wait_instance(&fleet, 1, "ready"));
    for (int i = 2; i < 7; i++) {
        fleet_insert_instance(&fleet, i, "shared", 0);
        long instance_ms = fleet_wait_instance(&fleet, i, "ready");
        fleet_insert_credential(&fleet, i, i);
        long key_ms = fleet_wait_credential(&fleet, i, "active");
        fleet_delete_credential(&fleet, i);
        printf("standard instance %ld ms, key %ld ms, key deleted %ld ms\n", instance_ms, key_ms,
               fleet_wait_credential(&fleet, i, "removed"));
    }
}
END_TEST

START_TEST(a_plaintext_instance_listens_on_its_ports)
{
    BIO *bio = BIO_new_connect("127.0.0.1:18997");

    fleet_insert_instance(&fleet, 1, "shared", 18997);
    fleet_wait_instance(&fleet, 1, "ready");
    for (int i = 0; i < 500 && BIO_do_connect(bio) != 1; i++)
        poll(NULL, 0, 10);
    ck_assert_int_eq(BIO_do_connect(bio), 1);
    BIO_free_all(bio);
}
END_TEST

START_TEST(a_stopped_broker_comes_back_on_its_port_with_its_directory)
{
    char directory[PATH_ROOM], before[64];

    fleet_insert_instance(&fleet, 1, "dedicated", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    snprintf(before, sizeof(before), "%s",
             sql(fleet.cells, "SELECT directory FROM cell_private.data_directory"));
    fleet_stop_provision(&fleet, SIGTERM);
    ck_assert_int_eq(fleet_stop_cells(&fleet), 0);
    ck_assert_int_eq(fleet_count_supervisors(&fleet, directory, sizeof(directory)), 0);
    ck_assert(!can_connect("localhost"));
    fleet_start_provision(&fleet, NULL);
    wait_until_connected();
    ck_assert_str_eq(sql(fleet.cells, "SELECT directory FROM cell_private.data_directory"), before);
    /* It listens from its cached image, before it has registered. */
    for (int i = 0; i < 500 && strcmp(sql(fleet.cells, LAST_START), "t|1") != 0; i++)
        poll(NULL, 0, 10);
    ck_assert_str_eq(sql(fleet.cells, LAST_START), "t|1");
}
END_TEST

START_TEST(a_killed_broker_listens_again)
{
    char directory[PATH_ROOM];

    fleet_insert_instance(&fleet, 1, "dedicated", 0);
    fleet_wait_instance(&fleet, 1, "ready");
    fleet_count_supervisors(&fleet, directory, sizeof(directory));
    kill(fleet_broker_pid(directory), SIGKILL);
    wait_until_connected();
    fleet_insert_credential(&fleet, 1, 1);
    fleet_wait_credential(&fleet, 1, "active");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("provision with brokers");
    TCase *tcase = tcase_create("provision with brokers");

    tcase_add_unchecked_fixture(tcase, start_server, stop_server);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase,
                   an_enterprise_instance_that_is_ready_listens_with_a_certificate_of_the_ca);
    tcase_add_test(tcase, standard_instances_and_keys_are_quick);
    tcase_add_test(tcase, a_plaintext_instance_listens_on_its_ports);
    tcase_add_test(tcase, a_stopped_broker_comes_back_on_its_port_with_its_directory);
    tcase_add_test(tcase, a_killed_broker_listens_again);
    suite_add_tcase(suite, tcase);
    return suite;
}

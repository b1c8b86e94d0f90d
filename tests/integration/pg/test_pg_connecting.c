/* SPDX-License-Identifier: Apache-2.0 */
/* What a broker does on its way to PostgreSQL, seen by who listens there and says nothing. */
#include "dataplane/pg/pg_meta_store.h"
#include "tests/integration/pg/mail_loop.h"
#include "tests/support/check_main.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

static char configuration[64]; /* of Kerberos */
static int opened = -1;        /* tells when that is opened */
static int listener = -1;
static struct loop *loop;

static void on_registered(void *context, const struct meta_registration *registration)
{
    (void)context;
    (void)registration;
}

static void on_changes(void *context, const struct meta_change *changes, size_t count,
                       bool is_snapshot, bool is_last, int64_t version)
{
    (void)context;
    (void)changes;
    (void)count;
    (void)is_snapshot;
    (void)is_last;
    (void)version;
}

static void on_reachable(void *context, bool is_reachable)
{
    (void)context;
    (void)is_reachable;
}

static const struct meta_store_events events = {on_registered, on_changes, on_reachable};

static void setup(void)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr = {htonl(INADDR_LOOPBACK)}}; /* any free port */
    int file = -1;

    loop = mail_loop_new();
    snprintf(configuration, sizeof(configuration), "/tmp/millrace-krb5-XXXXXX");
    file = mkstemp(configuration);
    ck_assert_int_ge(file, 0);
    close(file);
    ck_assert_int_eq(setenv("KRB5_CONFIG", configuration, 1), 0);
    opened = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ck_assert_int_ge(inotify_add_watch(opened, configuration, IN_OPEN), 0);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&loopback, sizeof(loopback)), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
}

static void teardown(void)
{
    close(listener);
    close(opened);
    unlink(configuration);
    mail_loop_free(loop);
}

static int listener_port(void)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

/* Until its first bytes are there. */
static void connect_with(const char *more)
{
    char conninfo[128], first = 0;
    struct pg_meta_store_options options = {
        .loop = loop, .conninfo = conninfo, .random = &system_random, .software = "millrace test"};
    struct pg_meta_store *store = NULL;
    struct meta_store *port = NULL;
    struct error error;
    int peer = -1;

    snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d dbname=cells user=cell %s",
             listener_port(), more);
    ck_assert_int_eq(pg_meta_store_new(&options, &store, &error), ERR_OK);
    port = pg_meta_store_port(store);
    port->ops->start(port, &events, NULL, 0);
    peer = accept(listener, NULL, NULL);
    ck_assert_int_ge(peer, 0);
    ck_assert_int_eq(read(peer, &first, 1), 1);
    port->ops->stop(port);
    pg_meta_store_free(store);
    close(peer);
}

static bool was_opened(void)
{
    char event[sizeof(struct inotify_event) + 256];

    return read(opened, event, sizeof(event)) > 0;
}

START_TEST(a_connection_to_the_store_does_without_kerberos)
{
    connect_with("");
    ck_assert(!was_opened());
}
END_TEST

START_TEST(a_store_that_is_configured_to_prefer_kerberos_gets_it)
{
    connect_with("gssencmode=prefer");
    ck_assert(was_opened());
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("integration/pg");
    TCase *tc = tcase_create("connecting");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_connection_to_the_store_does_without_kerberos);
    tcase_add_test(tc, a_store_that_is_configured_to_prefer_kerberos_gets_it);
    suite_add_tcase(suite, tc);
    return suite;
}

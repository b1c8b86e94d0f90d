/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/certificate_watch.h"
#include "dataplane/net/tls_context.h"
#include "tests/simulation/sim_executor.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/net/server_certificate.h"

#include <openssl/ssl.h>
#include <stdio.h>

#define SECOND_US ((int64_t)1000 * 1000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)

static struct server_certificate files;
static struct tls_context *tls;
static struct sim_executor *executor;
static struct certificate_watch watch;
static SSL_CTX *first; /* what was current at first */

static void begin(void *context)
{
    (void)context;
    certificate_watch_begin(&watch, tls, sim_executor_loop(executor, 0));
}

static void ask(void *context)
{
    (void)context;
    certificate_watch_ask(&watch);
}

static void end(void *context)
{
    (void)context;
    certificate_watch_end(&watch);
}

static void setup(void)
{
    struct sim_executor_options options = {.loop_count = 1, .seed = 1};
    struct error error;

    server_certificate_make(&files);
    ck_assert_int_eq(tls_context_new(files.certificate_path, files.key_path, &tls, &error), ERR_OK);
    first = tls_context_current(tls);
    executor = sim_executor_new(&options);
    sim_executor_call(executor, 0, begin, NULL);
}

static void teardown(void)
{
    SSL_CTX_free(first);
    sim_executor_free(executor);
    tls_context_free(tls);
    server_certificate_remove(&files);
}

static bool is_as_at_first(void)
{
    SSL_CTX *now = tls_context_current(tls);
    bool is_same = now == first;

    SSL_CTX_free(now);
    return is_same;
}

static bool has_certificate_of_file(void)
{
    SSL_CTX *now = tls_context_current(tls);
    FILE *file = fopen(files.certificate_path, "r");
    X509 *wanted = PEM_read_X509(file, NULL, NULL, NULL);
    bool is_same = X509_cmp(wanted, SSL_CTX_get0_certificate(now)) == 0;

    X509_free(wanted);
    (void)fclose(file);
    SSL_CTX_free(now);
    return is_same;
}

static void renew(void)
{
    struct server_certificate next;

    server_certificate_make(&next);
    server_certificate_replace(&files, &next);
    ck_assert(!has_certificate_of_file());
}

START_TEST(files_that_were_replaced_are_taken_within_a_minute)
{
    renew();
    sim_executor_run_for(executor, MINUTE_US + SECOND_US);
    ck_assert(has_certificate_of_file());
    renew();
    sim_executor_run_for(executor, MINUTE_US + SECOND_US);
    ck_assert(has_certificate_of_file());
}
END_TEST

START_TEST(files_that_were_written_in_place_are_taken_too)
{
    struct server_certificate next;
    char text[16384];
    FILE *from = NULL, *to = NULL;
    size_t len = 0;

    server_certificate_make(&next);
    from = fopen(next.certificate_path, "r");
    to = fopen(files.certificate_path, "w");
    len = fread(text, 1, sizeof(text), from);
    ck_assert_uint_eq(fwrite(text, 1, len, to), len);
    (void)fclose(from);
    (void)fclose(to);
    ck_assert_int_eq(rename(next.key_path, files.key_path), 0);
    server_certificate_remove(&next);
    sim_executor_run_for(executor, MINUTE_US + SECOND_US);
    ck_assert(!is_as_at_first());
    ck_assert(has_certificate_of_file());
}
END_TEST

START_TEST(files_that_are_the_same_are_left_alone_for_half_a_day_and_then_tickets_end)
{
    sim_executor_run_for(executor, 11 * HOUR_US);
    ck_assert(is_as_at_first());
    sim_executor_run_for(executor, HOUR_US + 2 * MINUTE_US);
    ck_assert(!is_as_at_first());
    ck_assert(has_certificate_of_file());
}
END_TEST

START_TEST(a_certificate_without_its_key_is_refused_and_taken_when_the_key_has_come)
{
    struct server_certificate next;

    server_certificate_make(&next);
    ck_assert_int_eq(rename(next.certificate_path, files.certificate_path), 0);
    sim_executor_run_for(executor, 3 * MINUTE_US);
    ck_assert(is_as_at_first());
    ck_assert_int_eq(rename(next.key_path, files.key_path), 0);
    sim_executor_run_for(executor, MINUTE_US + SECOND_US);
    ck_assert(has_certificate_of_file());
}
END_TEST

START_TEST(a_file_that_is_gone_leaves_the_old_certificate_until_there_is_one_again)
{
    struct server_certificate next;

    server_certificate_remove(&files);
    sim_executor_run_for(executor, 3 * MINUTE_US);
    ck_assert(is_as_at_first());
    server_certificate_make(&next);
    server_certificate_replace(&files, &next);
    sim_executor_run_for(executor, MINUTE_US + SECOND_US);
    ck_assert(has_certificate_of_file());
}
END_TEST

START_TEST(who_asks_does_not_wait_for_the_minute_and_it_goes_on_after_that)
{
    renew();
    sim_executor_call(executor, 0, ask, NULL);
    sim_executor_call(executor, 0, ask, NULL); /* while it looks */
    sim_executor_run_for(executor, SECOND_US);
    ck_assert(has_certificate_of_file());
    renew();
    sim_executor_run_for(executor, MINUTE_US + SECOND_US);
    ck_assert(has_certificate_of_file());
}
END_TEST

START_TEST(after_its_end_nothing_is_taken)
{
    renew();
    sim_executor_call(executor, 0, end, NULL);
    sim_executor_call(executor, 0, ask, NULL);
    sim_executor_run_for(executor, 13 * HOUR_US);
    ck_assert(is_as_at_first());
}
END_TEST

START_TEST(when_the_certificate_ends_is_known)
{
    int64_t day_s = (int64_t)24 * 3600, now_s = (int64_t)time(NULL);

    ck_assert_int_gt(tls_context_ends_s(tls), now_s + day_s - 3600);
    ck_assert_int_le(tls_context_ends_s(tls), now_s + day_s + 3600);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/net/certificate_watch");
    TCase *tc = tcase_create("files");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, files_that_were_replaced_are_taken_within_a_minute);
    tcase_add_test(tc, files_that_were_written_in_place_are_taken_too);
    tcase_add_test(tc, files_that_are_the_same_are_left_alone_for_half_a_day_and_then_tickets_end);
    tcase_add_test(tc, a_certificate_without_its_key_is_refused_and_taken_when_the_key_has_come);
    tcase_add_test(tc, a_file_that_is_gone_leaves_the_old_certificate_until_there_is_one_again);
    tcase_add_test(tc, who_asks_does_not_wait_for_the_minute_and_it_goes_on_after_that);
    tcase_add_test(tc, after_its_end_nothing_is_taken);
    tcase_add_test(tc, when_the_certificate_ends_is_known);
    suite_add_tcase(suite, tc);
    return suite;
}

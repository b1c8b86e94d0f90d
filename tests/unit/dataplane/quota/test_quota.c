/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/quota/instance_usage.h"
#include "tests/support/check_main.h"

#define SECOND_US 1000000
#define NOW_US (100 * (int64_t)SECOND_US)

START_TEST(a_full_bucket_holds_a_quarter_of_a_second)
{
    struct token_bucket bucket;

    token_bucket_init(&bucket, TOKEN_BUCKET_DEPTH_US, NOW_US);
    ck_assert_int_eq(token_bucket_take(&bucket, 1000000, 250000, NOW_US), 0);
    ck_assert_int_eq(token_bucket_throttle_ms(&bucket, 1000000, NOW_US), 0);
    ck_assert_int_eq(token_bucket_take(&bucket, 1000000, 1, NOW_US), 1);
}
END_TEST

START_TEST(one_request_may_overdraw_and_is_told_for_how_long)
{
    struct token_bucket bucket;

    token_bucket_init(&bucket, TOKEN_BUCKET_DEPTH_US, NOW_US);
    ck_assert_int_eq(token_bucket_take(&bucket, 1000000, 1250000, NOW_US), 1000);
    ck_assert_int_eq(token_bucket_throttle_ms(&bucket, 1000000, NOW_US + SECOND_US / 2), 500);
    ck_assert_int_eq(token_bucket_throttle_ms(&bucket, 1000000, NOW_US + SECOND_US), 0);
}
END_TEST

START_TEST(an_idle_bucket_never_holds_more_than_its_depth)
{
    struct token_bucket bucket;

    token_bucket_init(&bucket, TOKEN_BUCKET_DEPTH_US, NOW_US);
    ck_assert_int_eq(token_bucket_take(&bucket, 1000, 350, NOW_US + 3600 * (int64_t)SECOND_US),
                     100);
}
END_TEST

START_TEST(over_ten_seconds_no_more_than_the_rate_passes)
{
    struct token_bucket bucket;
    int64_t passed = 0;
    int64_t now_us = NOW_US;

    token_bucket_init(&bucket, TOKEN_BUCKET_DEPTH_US, now_us);
    while (now_us < NOW_US + 10 * SECOND_US) {
        passed += 70000;
        now_us += 1000 + 1000 * (int64_t)token_bucket_take(&bucket, 1000000, 70000, now_us);
    }
    ck_assert_int_ge(passed, 9900000);
    ck_assert_int_le(passed, 10000000 + 250000 + 70000);
}
END_TEST

START_TEST(no_bound_takes_nothing_and_a_rate_of_zero_is_for_ever)
{
    struct token_bucket bucket;

    token_bucket_init(&bucket, TOKEN_BUCKET_DEPTH_US, NOW_US);
    ck_assert_int_eq(token_bucket_take(&bucket, -1, INT64_MAX, NOW_US), 0);
    ck_assert_int_eq(token_bucket_take(&bucket, 1000, 250, NOW_US), 0);
    ck_assert_int_eq(token_bucket_take(&bucket, 0, 1, NOW_US), TOKEN_BUCKET_MAX_THROTTLE_MS);
    ck_assert_int_eq(token_bucket_take(&bucket, 1, INT64_MAX, NOW_US),
                     TOKEN_BUCKET_MAX_THROTTLE_MS);
}
END_TEST

START_TEST(what_was_taken_and_not_used_is_given_back)
{
    struct token_bucket bucket;

    token_bucket_init(&bucket, TOKEN_BUCKET_DEPTH_US, NOW_US);
    ck_assert_int_eq(token_bucket_depth(&bucket, 1000000), 250000);
    ck_assert_int_eq(token_bucket_depth(&bucket, -1), INT64_MAX);
    ck_assert_int_eq(token_bucket_take(&bucket, 1000000, 1250000, NOW_US), 1000);
    token_bucket_give(&bucket, 1000000, 500000);
    ck_assert_int_eq(token_bucket_throttle_ms(&bucket, 1000000, NOW_US), 500);
}
END_TEST

START_TEST(connections_over_the_limit_are_refused_and_existing_ones_stay)
{
    struct instance_usage *usage = NULL;

    ck_assert_int_eq(instance_usage_new(NOW_US, &usage), ERR_OK);
    ck_assert(instance_usage_connect(usage, 2));
    ck_assert(instance_usage_connect(usage, 2));
    ck_assert(!instance_usage_connect(usage, 2));
    ck_assert(!instance_usage_connect(usage, 1));
    ck_assert(instance_usage_connect(usage, -1));
    instance_usage_disconnect(usage);
    instance_usage_disconnect(usage);
    ck_assert(instance_usage_connect(usage, 2));
    instance_usage_unref(usage);
}
END_TEST

static enum err enter(struct instance_usage *usage, const char *client_id, const char *host,
                      struct active_client **ret_client)
{
    return client_count_enter(&usage->clients, (struct hash_seed){1, 2},
                              slice_from_cstring(client_id), host, 2, ret_client);
}

START_TEST(a_client_is_its_id_at_an_address_however_many_connections_it_has)
{
    struct instance_usage *usage = NULL;
    struct active_client *a[3], *b = NULL, *c = NULL;

    ck_assert_int_eq(instance_usage_new(NOW_US, &usage), ERR_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(enter(usage, "app", "10.0.0.1", &a[i]), ERR_OK);
    ck_assert_uint_eq(client_count_now(&usage->clients), 1);
    ck_assert_int_eq(enter(usage, "app", "10.0.0.2", &b), ERR_OK);
    ck_assert_int_eq(enter(usage, "other", "10.0.0.1", &c), ERR_LIMIT);
    ck_assert_int_eq(enter(usage, "app", "10.0.0.2", &c), ERR_OK);
    client_count_leave(&usage->clients, b);
    ck_assert_int_eq(enter(usage, "other", "10.0.0.1", &b), ERR_LIMIT);
    client_count_leave(&usage->clients, c);
    ck_assert_int_eq(enter(usage, "other", "10.0.0.1", &b), ERR_OK);
    client_count_leave(&usage->clients, b);
    for (int i = 0; i < 3; i++)
        client_count_leave(&usage->clients, a[i]);
    ck_assert_uint_eq(client_count_now(&usage->clients), 0);
    instance_usage_unref(usage);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/quota");
    TCase *tc = tcase_create("quota");

    tcase_add_test(tc, a_full_bucket_holds_a_quarter_of_a_second);
    tcase_add_test(tc, one_request_may_overdraw_and_is_told_for_how_long);
    tcase_add_test(tc, an_idle_bucket_never_holds_more_than_its_depth);
    tcase_add_test(tc, over_ten_seconds_no_more_than_the_rate_passes);
    tcase_add_test(tc, no_bound_takes_nothing_and_a_rate_of_zero_is_for_ever);
    tcase_add_test(tc, what_was_taken_and_not_used_is_given_back);
    tcase_add_test(tc, a_client_is_its_id_at_an_address_however_many_connections_it_has);
    tcase_add_test(tc, connections_over_the_limit_are_refused_and_existing_ones_stay);
    suite_add_tcase(suite, tc);
    return suite;
}

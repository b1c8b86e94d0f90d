/* SPDX-License-Identifier: Apache-2.0 */
#include "common/observe/exposition.h"
#include "tests/support/check_main.h"

enum { LETTERS, TEMPERATURE, WAITS, UNUSED };

static const struct metric_family families[] = {
    [LETTERS] = {"post_letters_total", METRIC_COUNTER, "Letters carried."},
    [TEMPERATURE] = {"post_temperature_celsius", METRIC_GAUGE, "In the office."},
    [WAITS] = {"post_wait_seconds", METRIC_HISTOGRAM, "At the counter."},
    [UNUSED] = {"post_unused", METRIC_GAUGE, "Nobody asks."},
    {.name = NULL},
};

static struct exposition exposition;
static struct buffer text;

static void setup(void)
{
    ck_assert_int_eq(exposition_init(&exposition, families, 1 << 20), ERR_OK);
    buffer_init(&text, 1 << 20);
}

static void teardown(void)
{
    exposition_done(&exposition);
    buffer_done(&text);
}

static const char *rendered(void)
{
    ck_assert_int_eq(exposition_render(&exposition, &text), ERR_OK);
    ck_assert_int_eq(buffer_append(&text, "", 1), ERR_OK);
    return (const char *)text.data;
}

START_TEST(samples_stand_together_whatever_their_order_and_unused_families_are_left_out)
{
    struct metric_labels labels;

    metric_labels_clear(&labels);
    metric_labels_add(&labels, "to", SLICE_LITERAL("Rome"));
    metric_labels_add_i64(&labels, "class", 2);
    exposition_add(&exposition, LETTERS, &labels, 7);
    exposition_add_ratio(&exposition, TEMPERATURE, NULL, 21.5);
    exposition_add(&exposition, LETTERS, NULL, 9);
    ck_assert_str_eq(rendered(), "# HELP post_letters_total Letters carried.\n"
                                 "# TYPE post_letters_total counter\n"
                                 "post_letters_total{to=\"Rome\",class=\"2\"} 7\n"
                                 "post_letters_total 9\n"
                                 "# HELP post_temperature_celsius In the office.\n"
                                 "# TYPE post_temperature_celsius gauge\n"
                                 "post_temperature_celsius 21.500000\n");
}
END_TEST

START_TEST(label_values_from_outside_cannot_end_their_quotes)
{
    struct metric_labels labels;

    metric_labels_clear(&labels);
    metric_labels_add(&labels, "to", SLICE_LITERAL("a\"} 1\nb\\c"));
    exposition_add(&exposition, LETTERS, &labels, 1);
    ck_assert_ptr_nonnull(strstr(rendered(), "\npost_letters_total{to=\"a\\\"} 1\\nb\\\\c\"} 1\n"));
}
END_TEST

START_TEST(buckets_are_cumulative_and_durations_are_seconds)
{
    static struct histogram one, other;
    struct histogram_sum sum = {{0}, 0};

    histogram_note(&one, 100);       /* 0.0001: inclusive */
    histogram_note(&one, 101);       /* 0.00025 */
    histogram_note(&one, -5);        /* a clock that was set back */
    histogram_note(&other, 1000000); /* 1 */
    histogram_note(&other, 3600000000);
    histogram_sum_add(&sum, &one);
    histogram_sum_add(&sum, &other);
    exposition_add_histogram(&exposition, WAITS, NULL, &sum);
    ck_assert_ptr_nonnull(strstr(rendered(), "post_wait_seconds_bucket{le=\"0.0001\"} 2\n"
                                             "post_wait_seconds_bucket{le=\"0.00025\"} 3\n"));
    ck_assert_ptr_nonnull(strstr((char *)text.data, "{le=\"0.5\"} 3\n"));
    ck_assert_ptr_nonnull(strstr((char *)text.data, "{le=\"1\"} 4\n"));
    ck_assert_ptr_nonnull(strstr((char *)text.data, "{le=\"10\"} 4\n"));
    ck_assert_ptr_nonnull(strstr((char *)text.data, "post_wait_seconds_bucket{le=\"+Inf\"} 5\n"
                                                    "post_wait_seconds_sum 3601.000201\n"
                                                    "post_wait_seconds_count 5\n"));
}
END_TEST

START_TEST(a_histogram_with_labels_keeps_them_in_front)
{
    struct histogram_sum sum = {{0}, 0};
    struct metric_labels labels;

    metric_labels_clear(&labels);
    metric_labels_add(&labels, "desk", SLICE_LITERAL("3"));
    exposition_add_histogram(&exposition, WAITS, &labels, &sum);
    ck_assert_ptr_nonnull(strstr(rendered(), "post_wait_seconds_bucket{desk=\"3\",le=\"+Inf\"} 0\n"
                                             "post_wait_seconds_sum{desk=\"3\"} 0.000000\n"));
}
END_TEST

START_TEST(only_short_utf8_is_text)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool is_text;
    } cases[] = {
        {"orders", 6, true},
        {"", 0, true},
        {"\xc3\xa4", 2, true},
        {"\xe2\x82\xac", 3, true},
        {"\xf0\x9f\x98\x80", 4, true},
        {"\xff", 1, false},
        {"\xc0\xaf", 2, false} /* overlong */,
        {"\xed\xa0\x80", 3, false} /* surrogate */,
        {"\xf4\x90\x80\x80", 4, false} /* past U+10FFFF */,
        {"a\xc3", 2, false} /* cut */,
        {"\x80", 1, false},
        {"\xe0\x9f\xbf", 3, false} /* overlong */,
    };
    uint8_t longest[LABEL_VALUE_MAX + 1];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(label_value_is_text(slice_of(cases[i].bytes, cases[i].len)) ==
                          cases[i].is_text,
                      "case %zu", i);
    memset(longest, 'x', sizeof(longest));
    ck_assert(label_value_is_text(slice_of(longest, LABEL_VALUE_MAX)));
    ck_assert(!label_value_is_text(slice_of(longest, LABEL_VALUE_MAX + 1)));
}
END_TEST

START_TEST(too_many_samples_end_in_an_error_not_in_half_a_text)
{
    struct exposition small;

    ck_assert_int_eq(exposition_init(&small, families, 60), ERR_OK);
    exposition_add(&small, LETTERS, NULL, 1);
    ck_assert_int_eq(small.err, ERR_OK);
    for (int i = 0; i < 3; i++)
        exposition_add(&small, LETTERS, NULL, 1);
    ck_assert_int_eq(exposition_render(&small, &text), ERR_TOO_LARGE);
    ck_assert_uint_eq(text.len, 0);
    exposition_done(&small);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/observe/exposition");
    TCase *tc = tcase_create("exposition");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc,
                   samples_stand_together_whatever_their_order_and_unused_families_are_left_out);
    tcase_add_test(tc, label_values_from_outside_cannot_end_their_quotes);
    tcase_add_test(tc, buckets_are_cumulative_and_durations_are_seconds);
    tcase_add_test(tc, a_histogram_with_labels_keeps_them_in_front);
    tcase_add_test(tc, only_short_utf8_is_text);
    tcase_add_test(tc, too_many_samples_end_in_an_error_not_in_half_a_text);
    suite_add_tcase(suite, tc);
    return suite;
}

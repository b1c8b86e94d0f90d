/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/option_table.h"
#include "common/base/slice.h"
#include "tests/support/check_main.h"

#include <stdlib.h>
#include <unistd.h>

struct sample {
    char *name;
    int64_t size;
    bool is_on;
    int color;
};

static const char *const colors[] = {"red", "green", NULL};
static const struct option table[] = {
    {"name", OPTION_STRING, offsetof(struct sample, name), NULL, 0, 0, "", NULL, false, "A name."},
    {"size", OPTION_I64, offsetof(struct sample, size), "5", 1, 10, "bytes", NULL, false,
     "A size."},
    {"on", OPTION_BOOL, offsetof(struct sample, is_on), "false", 0, 0, "", NULL, false,
     "A switch."},
    {"color", OPTION_ENUM, offsetof(struct sample, color), "green", 0, 0, "", colors, false,
     "A color."},
    {.name = NULL}};

static enum err load(const char *a, const char *b, struct sample *sample, struct error *error)
{
    char one[64], two[64];
    char *args[] = {one, two, NULL};

    snprintf(one, sizeof(one), "%s", a);
    snprintf(two, sizeof(two), "%s", b ? b : "");
    if (b == NULL)
        args[1] = NULL;
    return option_table_load(table, sample, NULL, args, error);
}

START_TEST(defaults_hold_and_arguments_win)
{
    struct sample sample;
    struct error error;

    ck_assert_int_eq(load("--name=x", "--size=7", &sample, &error), ERR_OK);
    ck_assert_str_eq(sample.name, "x");
    ck_assert_int_eq(sample.size, 7);
    ck_assert(!sample.is_on);
    ck_assert_int_eq(sample.color, 1);
    option_table_done(table, &sample);
}
END_TEST

static const struct {
    const char *arg;
    const char *says;
} refused[] = {{"--size=5", "required"},     {"--size=11", "outside"},
               {"--size=x", "not a number"}, {"--nome=x", "unknown option"},
               {"--on=yes", "neither"},      {"--color=blue", "not one of"}};

START_TEST(bad_values_are_refused_with_a_sentence)
{
    struct sample sample;
    struct error error;

    ck_assert_int_eq(load(_i == 0 ? refused[_i].arg : "--name=x", _i == 0 ? NULL : refused[_i].arg,
                          &sample, &error),
                     ERR_INVALID);
    ck_assert_msg(strstr(error.message, refused[_i].says) != NULL, "%s", error.message);
}
END_TEST

START_TEST(a_file_is_read_and_an_error_names_its_line)
{
    char path[] = "/tmp/millrace-option-XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "# a comment\n name = from file \n\nsize = 99\n";
    struct sample sample;
    struct error error;

    ck_assert_int_eq(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
    close(fd);
    ck_assert_int_eq(option_table_load(table, &sample, path, NULL, &error), ERR_INVALID);
    ck_assert_msg(strstr(error.message, ":4:") != NULL, "%s", error.message);
    unlink(path);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/config");
    TCase *tc = tcase_create("option_table");

    tcase_add_test(tc, defaults_hold_and_arguments_win);
    tcase_add_loop_test(tc, bad_values_are_refused_with_a_sentence, 0, 6);
    tcase_add_test(tc, a_file_is_read_and_an_error_names_its_line);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The generator: names, ranges of versions, and schemas that it must refuse with a word why. */
#include "common/kafka/codegen/naming.h"
#include "common/kafka/codegen/schema.h"
#include "common/kafka/codegen/versions.h"
#include "tests/support/check_main.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(camel_case_becomes_snake_case)
{
    struct pool pool = {NULL};

    ck_assert_str_eq(naming_snake(&pool, "ThrottleTimeMs"), "throttle_time_ms");
    ck_assert_str_eq(naming_snake(&pool, "Name"), "name");
    ck_assert_str_eq(naming_upper(&pool, "OffsetForLeaderEpoch"), "OFFSET_FOR_LEADER_EPOCH");
    pool_done(&pool);
}
END_TEST

START_TEST(ranges_of_versions_are_understood)
{
    struct versions range;

    ck_assert(versions_parse("3", &range) && range.lowest == 3 && range.highest == 3);
    ck_assert(versions_parse("3-7", &range) && range.lowest == 3 && range.highest == 7);
    ck_assert(versions_parse("3+", &range) && range.highest == VERSION_MAX);
    ck_assert(versions_parse("none", &range) && versions_is_empty(range));
}
END_TEST

START_TEST(what_is_no_range_is_refused)
{
    static const char *const texts[] = {"", "+", "3-", "7-3", "3+4", "-3", "a", "3 ", "99999"};
    struct versions range;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_msg(!versions_parse(texts[i], &range), "\"%s\" was taken for a range", texts[i]);
}
END_TEST

START_TEST(inner_structs_come_before_what_they_are_in)
{
    struct pool pool = {NULL};
    const struct message *message = schema_load(&pool, EXAMPLE_SCHEMA);

    ck_assert_uint_eq(message->struct_count, 3);
    ck_assert_str_eq(message->structs[0]->c_name, "kafka_example_point");
    ck_assert_str_eq(message->structs[1]->c_name, "kafka_example_place");
    ck_assert_str_eq(message_body(message)->c_name, "kafka_example");
    ck_assert_uint_eq(struct_min_bytes(message, message->structs[0]), 2);
    ck_assert_uint_eq(struct_min_bytes(message, message->structs[1]), 16 + 5 + 1 + 1);
    pool_done(&pool);
}
END_TEST

/* A schema with one field, or with something else where the keys are. */
#define HEAD "\"type\": \"data\", \"name\": \"Bad\", "
#define VERSIONS "\"validVersions\": \"0-3\", \"flexibleVersions\": \"2+\", "
#define FIELD(field) "{" HEAD VERSIONS "\"fields\": [{" field "}]}"

static const struct {
    const char *schema;
    const char *why;
} bad_schemas[] = {
    {"{", "expected"},
    {"{\"name\": \"A\", \"name\": \"B\"}", "duplicate"},
    {"{" HEAD VERSIONS "\"feilds\": []}", "unknown key \"feilds\""},
    {"{" HEAD VERSIONS "\"x\": 1}", "unknown key \"x\""},
    {"{" HEAD "\"validVersions\": \"0+\", \"fields\": []}", "closed range"},
    {"{" HEAD "\"validVersions\": \"0-\", \"fields\": []}", "is no range"},
    {"{\"type\": \"reply\", \"name\": \"Bad\", " VERSIONS "\"fields\": []}", "no message type"},
    {"{" HEAD VERSIONS "\"fields\": {}}", "must be an array"},
    {FIELD("\"name\": \"A\", \"versions\": \"0+\""), "\"type\" is missing"},
    {FIELD("\"name\": \"A\", \"type\": \"int32\""), "in no version"},
    {FIELD("\"name\": \"A\", \"type\": \"int32\", \"versions\": \"4+\""), "in no version"},
    {FIELD("\"name\": \"A\", \"type\": \"Thing\", \"versions\": \"0+\""), "no type \"Thing\""},
    {FIELD("\"name\": \"A\", \"type\": \"int32\", \"versions\": \"0+\", "
           "\"nullableVersions\": \"0+\""),
     "cannot be null"},
    {FIELD("\"name\": \"A\", \"type\": \"string\", \"versions\": \"0+\", \"default\": \"null\", "
           "\"nullableVersions\": \"1+\""),
     "not in all its versions"},
    {FIELD("\"name\": \"A\", \"type\": \"[]int64\", \"versions\": \"0+\""), "add yours there"},
    {FIELD("\"name\": \"A\", \"type\": \"int32\", \"versions\": \"0+\", \"tag\": 0, "
           "\"taggedVersions\": \"0+\""),
     "not flexible"},
    {FIELD("\"name\": \"A\", \"type\": \"int32\", \"versions\": \"2+\", \"tag\": 0, "
           "\"taggedVersions\": \"3+\""),
     "all its versions or none"},
    {FIELD("\"name\": \"A\", \"type\": \"int32\", \"versions\": \"0+\", \"zeroCopy\": true"),
     "only bytes"},
    {FIELD("\"name\": \"A\", \"type\": \"A\", \"versions\": \"2+\", \"nullableVersions\": \"3+\", "
           "\"fields\": []"),
     "in all its versions or none"},
    {FIELD("\"name\": \"A\", \"type\": \"string\", \"versions\": \"0+\", \"default\": \"x\""),
     "as default"},
    {FIELD("\"name\": \"A\", \"type\": \"int32\", \"versions\": \"0+\", \"default\": \"x\""),
     "is no number"},
    {FIELD("\"name\": \"A\", \"type\": \"[]E\", \"versions\": \"0+\", \"fields\": []"),
     "no byte at all"},
    {FIELD("\"name\": \"A\", \"type\": \"E\", \"versions\": \"0+\", \"fields\": [{\"name\": \"B\", "
           "\"type\": \"E\", \"versions\": \"0+\", \"fields\": []}]"),
     "declared twice"},
    {"{" HEAD VERSIONS "\"fields\": [{\"name\": \"A\", \"type\": \"E\", \"versions\": \"0+\"}], "
     "\"commonStructs\": [{\"name\": \"E\", \"versions\": \"0+\", \"fields\": "
     "[{\"name\": \"B\", \"type\": \"E\", \"versions\": \"0+\"}]}]}",
     "is in itself"},
};

/* Each test works in a directory of its own. */
static char directory[32];
static char schema_path[64];
static char output_path[64];

static void setup(void)
{
    snprintf(directory, sizeof(directory), "/tmp/test_codegen_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(schema_path, sizeof(schema_path), "%s/Bad.json", directory);
    snprintf(output_path, sizeof(output_path), "%s/bad.c", directory);
}

static void teardown(void)
{
    char temporary[80];

    snprintf(temporary, sizeof(temporary), "%s.tmp", output_path);
    unlink(temporary);
    unlink(output_path);
    unlink(schema_path);
    ck_assert_int_eq(rmdir(directory), 0);
}

static _Noreturn void become_generator(const char *schema, int said_fd)
{
    dup2(said_fd, STDERR_FILENO);
    execl(CODEGEN_PROGRAM, CODEGEN_PROGRAM, "source", output_path, schema, (char *)NULL);
    _exit(EXIT_SUCCESS); /* which the test takes for a failure */
}

/* What the generator says; the test fails when it is content. */
static void run_generator(const char *schema, char *said, size_t size)
{
    size_t len = 0;
    ssize_t got = 0;
    int fds[2] = {-1, -1};
    int status = 0;
    pid_t child = -1;

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    child = fork();
    if (child == 0)
        become_generator(schema, fds[1]);
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(close(fds[1]), 0);
    while (len < size - 1 && (got = read(fds[0], said + len, size - 1 - len)) > 0)
        len += (size_t)got;
    said[len] = '\0';
    ck_assert_int_eq(close(fds[0]), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status != 0, "the generator was content");
}

START_TEST(a_bad_schema_is_refused_with_a_word_why)
{
    char said[600];
    FILE *file = fopen(schema_path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(bad_schemas[_i].schema, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    run_generator(schema_path, said, sizeof(said));
    ck_assert_msg(strstr(said, bad_schemas[_i].why) != NULL, "expected \"%s\", it said: %s",
                  bad_schemas[_i].why, said);
    ck_assert_int_ne(access(output_path, F_OK), 0);
}
END_TEST

START_TEST(only_a_plain_file_is_replaced)
{
    char said[600];

    ck_assert_int_eq(symlink("elsewhere", output_path), 0);
    run_generator(EXAMPLE_SCHEMA, said, sizeof(said));
    ck_assert_ptr_nonnull(strstr(said, "not a plain file"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/kafka codegen");
    TCase *tc = tcase_create("codegen");

    tcase_add_test(tc, camel_case_becomes_snake_case);
    tcase_add_test(tc, ranges_of_versions_are_understood);
    tcase_add_test(tc, what_is_no_range_is_refused);
    tcase_add_test(tc, inner_structs_come_before_what_they_are_in);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, only_a_plain_file_is_replaced);
    tcase_add_loop_test(tc, a_bad_schema_is_refused_with_a_word_why, 0,
                        sizeof(bad_schemas) / sizeof(bad_schemas[0]));
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Every message in every version, full of pseudo-random values: what was written is read, and what
 * was read is written again byte by byte. The seed is the loop's number and is printed on failure. */
#include "tests/support/check_main.h"
#include "tests/unit/common/kafka/message_fill.h"

#include <stdlib.h>

#define SEEDS 40
#define ARENA_MAX (1 << 20)
#define FRAME_MAX (1 << 20)

static void write_to(const struct message_case *message, int16_t version, const void *in,
                     struct buffer *buffer)
{
    struct writer writer;

    buffer_init(buffer, FRAME_MAX);
    writer_init(&writer, buffer);
    ck_assert_msg(message->write(&writer, version, in) == ERR_OK, "%s v%d: cannot be written",
                  message->name, version);
}

static void round_trip(const struct message_case *message, int16_t version, uint64_t seed)
{
    struct arena arena;
    struct message_fill fill = {seed, &arena};
    struct buffer first, second;
    struct reader reader;
    void *in = malloc(message->size);
    void *out = malloc(message->size);
    uint8_t *exact = NULL;

    arena_init(&arena, ARENA_MAX);
    message->init_defaults(in);
    message->fill(&fill, version, in);
    write_to(message, version, in, &first);

    exact = malloc(first.len > 0 ? first.len : 1);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, buffer_slice(&first).data, first.len);
    reader_init(&reader, slice_of(exact, first.len));
    ck_assert_msg(message->read(&reader, version, &arena, out) == ERR_OK,
                  "%s v%d seed %llu: cannot be read back", message->name, version,
                  (unsigned long long)seed);
    ck_assert_uint_eq(reader_left(&reader), 0);

    write_to(message, version, out, &second);
    ck_assert_msg(slice_equal(buffer_slice(&first), buffer_slice(&second)),
                  "%s v%d seed %llu: other bytes the second time", message->name, version,
                  (unsigned long long)seed);
    buffer_done(&first);
    buffer_done(&second);
    arena_done(&arena);
    free(exact);
    free(in);
    free(out);
}

START_TEST(what_is_written_is_read_back_in_every_version)
{
    for (size_t i = 0; i < message_case_count; i++)
        for (int16_t version = message_cases[i].lowest_version;
             version <= message_cases[i].highest_version; version++)
            round_trip(&message_cases[i], version, (uint64_t)_i * 1000 + i);
}
END_TEST

START_TEST(versions_beyond_the_schema_are_unsupported)
{
    struct arena arena;
    struct buffer buffer;
    struct reader reader;
    struct writer writer;

    arena_init(&arena, ARENA_MAX);
    buffer_init(&buffer, FRAME_MAX);
    for (size_t i = 0; i < message_case_count; i++) {
        const struct message_case *message = &message_cases[i];
        const int16_t below = (int16_t)(message->lowest_version - 1);
        const int16_t above = (int16_t)(message->highest_version + 1);
        void *value = malloc(message->size);

        message->init_defaults(value);
        reader_init(&reader, SLICE_LITERAL("................................"));
        writer_init(&writer, &buffer);
        ck_assert_int_eq(message->read(&reader, below, &arena, value), ERR_UNSUPPORTED);
        ck_assert_int_eq(message->read(&reader, above, &arena, value), ERR_UNSUPPORTED);
        ck_assert_int_eq(message->write(&writer, below, value), ERR_UNSUPPORTED);
        ck_assert_int_eq(message->write(&writer, above, value), ERR_UNSUPPORTED);
        free(value);
    }
    ck_assert_uint_eq(buffer.len, 0);
    buffer_done(&buffer);
    arena_done(&arena);
}
END_TEST

START_TEST(defaults_can_be_written_in_every_version)
{
    for (size_t i = 0; i < message_case_count; i++) {
        const struct message_case *message = &message_cases[i];
        void *value = malloc(message->size);

        message->init_defaults(value);
        for (int16_t version = message->lowest_version; version <= message->highest_version;
             version++) {
            struct buffer buffer;

            write_to(message, version, value, &buffer);
            buffer_done(&buffer);
        }
        free(value);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/kafka round trip");
    TCase *tc = tcase_create("round trip");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, what_is_written_is_read_back_in_every_version, 0, SEEDS);
    tcase_add_test(tc, versions_beyond_the_schema_are_unsupported);
    tcase_add_test(tc, defaults_can_be_written_in_every_version);
    suite_add_tcase(suite, tc);
    return suite;
}

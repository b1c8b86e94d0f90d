/* SPDX-License-Identifier: Apache-2.0 */
/* Every message in every version against bytes written by hand. */
#include "tests/support/check_main.h"
#include "tests/unit/common/kafka/golden.h"
#include "tests/unit/common/kafka/golden_text.h"
#include "tests/unit/common/kafka/message_fill.h"

#include <stdlib.h>

#define ARENA_MAX 65536
#define FRAME_MAX 65536

/* One entry in one version, with its value. */
typedef void (*visit_fn)(const struct message_case *message, int16_t version, const void *value,
                         struct slice bytes);

static const void *find_value(const struct golden_value *values, const char *section)
{
    for (; values->section != NULL; values++)
        if (strcmp(values->section, section) == 0)
            return values->value;
    ck_abort_msg("%s has bytes but no value", section);
    return NULL;
}

static void visit_entries(size_t file, visit_fn visit)
{
    struct golden_entry *entries = calloc(GOLDEN_ENTRIES_MAX, sizeof(*entries));
    size_t count = 0;

    ck_assert_ptr_nonnull(entries);
    count = golden_text_load(golden_files[file].path, entries, GOLDEN_ENTRIES_MAX);
    ck_assert_uint_gt(count, 0);
    for (size_t i = 0; i < count; i++) {
        const struct golden_entry *entry = &entries[i];
        const struct message_case *message = message_case_find(entry->section);
        const void *value = find_value(golden_files[file].values, entry->section);

        ck_assert_msg(message != NULL, "%s is no message", entry->section);
        for (int version = entry->lowest_version; version <= entry->highest_version; version++)
            visit(message, (int16_t)version, value, slice_of(entry->bytes, entry->len));
    }
    free(entries);
}

/* Reads from a copy of exactly that size, so that a sanitizer sees the first byte too many. */
static enum err read_copy(const struct message_case *message, int16_t version, struct slice bytes,
                          struct arena *arena, void *out, struct buffer *ret_rewritten,
                          size_t *ret_left)
{
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    struct reader reader;
    struct writer writer;
    enum err rc = ERR_OK;

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes.data, bytes.len);
    reader_init(&reader, slice_of(copy, bytes.len));
    rc = message->read(&reader, version, arena, out);
    *ret_left = reader_left(&reader);
    if (rc == ERR_OK && ret_rewritten != NULL) {
        writer_init(&writer, ret_rewritten);
        ck_assert_int_eq(message->write(&writer, version, out), ERR_OK);
    }
    free(copy);
    return rc;
}

static void expect_bytes(const struct message_case *message, int16_t version,
                         const struct buffer *got, struct slice want)
{
    size_t i = 0;

    while (i < got->len && i < want.len && got->data[i] == want.data[i])
        i++;
    ck_assert_msg(i == want.len && i == got->len,
                  "%s v%d differs at byte %zu: %02x, expected %02x (lengths %zu, expected %zu)",
                  message->name, version, i, i < got->len ? got->data[i] : 0,
                  i < want.len ? want.data[i] : 0, got->len, want.len);
}

static void expect_written(const struct message_case *message, int16_t version, const void *value,
                           struct slice bytes)
{
    struct buffer buffer;
    struct writer writer;

    buffer_init(&buffer, FRAME_MAX);
    writer_init(&writer, &buffer);
    ck_assert_msg(message->write(&writer, version, value) == ERR_OK, "%s v%d: cannot be written",
                  message->name, version);
    expect_bytes(message, version, &buffer, bytes);
    buffer_done(&buffer);
}

static void expect_read(const struct message_case *message, int16_t version, const void *value,
                        struct slice bytes)
{
    struct arena arena;
    struct buffer rewritten;
    size_t left = 0;
    void *out = malloc(message->size);

    (void)value;
    arena_init(&arena, ARENA_MAX);
    buffer_init(&rewritten, FRAME_MAX);
    ck_assert_msg(read_copy(message, version, bytes, &arena, out, &rewritten, &left) == ERR_OK,
                  "%s v%d: cannot be read", message->name, version);
    ck_assert_msg(left == 0, "%s v%d: %zu bytes left", message->name, version, left);
    expect_bytes(message, version, &rewritten, bytes);
    buffer_done(&rewritten);
    arena_done(&arena);
    free(out);
}

static void expect_truncated(const struct message_case *message, int16_t version, const void *value,
                             struct slice bytes)
{
    void *out = malloc(message->size);

    (void)value;
    for (size_t len = 0; len < bytes.len; len++) {
        struct arena arena;
        size_t left = 0;

        arena_init(&arena, ARENA_MAX);
        ck_assert_msg(read_copy(message, version, slice_of(bytes.data, len), &arena, out, NULL,
                                &left) == ERR_TRUNCATED,
                      "%s v%d was read from %zu of %zu bytes", message->name, version, len,
                      bytes.len);
        arena_done(&arena);
    }
    free(out);
}

/* Whatever is read from damaged bytes can be written: nothing invalid comes through. */
static void expect_survived(const struct message_case *message, int16_t version, const void *value,
                            struct slice bytes)
{
    static const uint8_t damages[] = {0x01, 0x80, 0xff, 0x7f};
    uint8_t damaged[sizeof(((struct golden_entry *)NULL)->bytes)];
    void *out = malloc(message->size);

    (void)value;
    for (size_t i = 0; i < bytes.len * sizeof(damages); i++) {
        struct arena arena;
        struct buffer rewritten;
        size_t left = 0;

        memcpy(damaged, bytes.data, bytes.len);
        damaged[i / sizeof(damages)] ^= damages[i % sizeof(damages)];
        arena_init(&arena, ARENA_MAX);
        buffer_init(&rewritten, FRAME_MAX);
        (void)read_copy(message, version, slice_of(damaged, bytes.len), &arena, out, &rewritten,
                        &left);
        buffer_done(&rewritten);
        arena_done(&arena);
    }
    free(out);
}

START_TEST(values_are_written_as_the_protocol_has_them)
{
    visit_entries((size_t)_i, expect_written);
}
END_TEST

START_TEST(bytes_are_read_and_written_back_unchanged)
{
    visit_entries((size_t)_i, expect_read);
}
END_TEST

START_TEST(a_message_that_ends_too_early_is_refused_wherever_it_ends)
{
    visit_entries((size_t)_i, expect_truncated);
}
END_TEST

START_TEST(a_damaged_message_is_refused_or_read_as_another_valid_one)
{
    visit_entries((size_t)_i, expect_survived);
}
END_TEST

static unsigned char seen_versions[256][32];

static void note_version(const struct message_case *message, int16_t version, const void *value,
                         struct slice bytes)
{
    (void)value;
    (void)bytes;
    ck_assert_int_le(version, message->highest_version);
    ck_assert_int_ge(version, message->lowest_version);
    seen_versions[message - message_cases][version] = 1;
}

START_TEST(every_version_of_every_message_has_golden_bytes)
{
    for (size_t file = 0; file < golden_file_count; file++)
        visit_entries(file, note_version);
    for (size_t i = 0; i < message_case_count; i++)
        for (int16_t version = message_cases[i].lowest_version;
             version <= message_cases[i].highest_version; version++)
            ck_assert_msg(seen_versions[i][version] == 1, "%s v%d has no golden bytes",
                          message_cases[i].name, version);
}
END_TEST

START_TEST(every_value_has_golden_bytes)
{
    struct golden_entry *entries = calloc(GOLDEN_ENTRIES_MAX, sizeof(*entries));
    const size_t count = golden_text_load(golden_files[_i].path, entries, GOLDEN_ENTRIES_MAX);

    for (const struct golden_value *value = golden_files[_i].values; value->section != NULL;
         value++) {
        size_t found = 0;

        for (size_t i = 0; i < count; i++)
            found += strcmp(entries[i].section, value->section) == 0;
        ck_assert_msg(found > 0, "%s has a value but no bytes", value->section);
    }
    free(entries);
}
END_TEST

Suite *test_suite(void)
{
    const int files = (int)golden_file_count;
    Suite *suite = suite_create("common/kafka golden");
    TCase *tc = tcase_create("golden");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, values_are_written_as_the_protocol_has_them, 0, files);
    tcase_add_loop_test(tc, bytes_are_read_and_written_back_unchanged, 0, files);
    tcase_add_loop_test(tc, a_message_that_ends_too_early_is_refused_wherever_it_ends, 0, files);
    tcase_add_loop_test(tc, a_damaged_message_is_refused_or_read_as_another_valid_one, 0, files);
    tcase_add_test(tc, every_version_of_every_message_has_golden_bytes);
    tcase_add_loop_test(tc, every_value_has_golden_bytes, 0, files);
    suite_add_tcase(suite, tc);
    return suite;
}

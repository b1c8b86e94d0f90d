/* SPDX-License-Identifier: Apache-2.0 */
/* dataplane/storage/record_stream: the records of a batch as they lie there, and what is none. Compressed ones are read in
 * test_record_batch. */
#include <stdlib.h>

#include "common/wire/writer.h"
#include "dataplane/storage/record_stream.h"
#include "tests/support/check_main.h"

struct one {
    int64_t timestamp_delta;
    int32_t offset_delta;
    const char *key; /* NULL = null */
    const char *value;
    int32_t header_count;
};

static struct buffer bytes;
static struct buffer body;

static void setup(void)
{
    buffer_init(&bytes, (size_t)1 << 20);
    buffer_init(&body, (size_t)1 << 20);
}

static void teardown(void)
{
    buffer_done(&bytes);
    buffer_done(&body);
}

static void put_text(struct writer *writer, const char *text)
{
    writer_varint(writer, text == NULL ? -1 : (int32_t)strlen(text));
    if (text != NULL)
        writer_bytes(writer, text, strlen(text));
}

static void put_record(const struct one *one)
{
    struct writer writer;

    buffer_clear(&body);
    writer_init(&writer, &body);
    writer_i8(&writer, 0);
    writer_varlong(&writer, one->timestamp_delta);
    writer_varint(&writer, one->offset_delta);
    put_text(&writer, one->key);
    put_text(&writer, one->value);
    writer_varint(&writer, one->header_count);
    for (int32_t i = 0; i < one->header_count; i++) {
        put_text(&writer, "name");
        put_text(&writer, i == 0 ? "content" : NULL);
    }
    writer_init(&writer, &bytes);
    writer_varint(&writer, (int32_t)body.len);
    writer_bytes(&writer, body.data, body.len);
}

static struct record_stream stream_of(const void *data, size_t len)
{
    struct record_stream stream;

    ck_assert_int_eq(record_stream_init(&stream, COMPRESSION_NONE, slice_of(data, len), len),
                     ERR_OK);
    return stream;
}

static void expect_text(struct slice actual, int32_t len, const char *text)
{
    ck_assert_int_eq(len, text == NULL ? -1 : (int32_t)strlen(text));
    ck_assert_int_eq(slice_is_null(actual), text == NULL);
    if (text != NULL) {
        ck_assert_uint_eq(actual.len, strlen(text));
        ck_assert_mem_eq(actual.data, text, actual.len);
    }
}

static const struct one ones[] = {
    {0, 0, NULL, "value", 0},
    {63, 63, "", "", 0}, /* the largest numbers of one byte */
    {-64, -64, "k", NULL, 0},
    {64, 64, "key", "value", 1}, /* the smallest of two */
    {8191, 8191, "key", "value", 2},
    {8192, 8192, NULL, NULL, 0}, /* and of three */
    {-8193, -8193, "key", "value", 70},
    {INT64_MAX, INT32_MAX, "key", "value", 0},
    {INT64_MIN, INT32_MIN, "", NULL, 1},
};

#define ONES ((int)(sizeof(ones) / sizeof(ones[0])))

START_TEST(each_record_is_shown_as_it_was_written)
{
    struct record_stream stream;
    struct record_view record;

    for (int i = 0; i < ONES; i++)
        put_record(&ones[i]);
    stream = stream_of(bytes.data, bytes.len);
    for (int i = 0; i < ONES; i++) {
        ck_assert(!record_stream_is_at_end(&stream));
        ck_assert_int_eq(record_stream_next(&stream, &record), ERR_OK);
        ck_assert_int_eq(record.timestamp_delta, ones[i].timestamp_delta);
        ck_assert_int_eq(record.offset_delta, ones[i].offset_delta);
        expect_text(record.key, record.key_len, ones[i].key);
        expect_text(record.value, record.value_len, ones[i].value);
        ck_assert_int_eq(record.header_count, ones[i].header_count);
    }
    ck_assert(record_stream_is_at_end(&stream));
    record_stream_done(&stream);
}
END_TEST

START_TEST(a_record_cut_anywhere_is_none_and_the_error_sticks)
{
    put_record(&ones[_i]);
    for (size_t len = 0; len < bytes.len; len++) {
        uint8_t *exact = malloc(len + 1); /* so that a sanitizer sees who reads behind it */
        struct record_stream stream;
        struct record_view record;
        enum err rc = ERR_OK;

        ck_assert_ptr_nonnull(exact);
        memcpy(exact + 1, bytes.data, len);
        stream = stream_of(exact + 1, len);
        rc = record_stream_next(&stream, &record);
        ck_assert(rc == ERR_TRUNCATED || rc == ERR_INVALID);
        ck_assert_int_eq(record_stream_next(&stream, &record), rc);
        ck_assert(!record_stream_is_at_end(&stream));
        record_stream_done(&stream);
        free(exact);
    }
}
END_TEST

/* What makes no record though there are bytes enough behind it. */
static const struct {
    const char *bytes;
    size_t len;
} wrongs[] = {
    {"\x01", 1},                                          /* a length of -1 */
    {"\x0e\0\0\0\x04\1\1\0", 8},                          /* a key that ends behind the record */
    {"\x0e\0\0\0\1\x04\1\0", 8},                          /* a value that does */
    {"\x0e\0\0\0\1\1\x02\0", 8},                          /* more headers than there is room for */
    {"\x0c\0\0\0\3\1\0", 7},                              /* a key of -2 bytes */
    {"\x0e\0\0\0\1\1\0\0", 8},                            /* a byte too many */
    {"\x0a\0\0\0\1\1\0", 7},                              /* a byte too few */
    {"\x80\x80\x80\x80\x10\0\0\0\0", 9},                  /* a length of 33 bits */
    {"\x1e\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\2", 12}, /* a timestamp of 65 bits */
    {"\x10\0\0\0\1\1\x02\1\1", 9},                        /* a header without a name */
};

START_TEST(what_breaks_a_rule_is_no_record_whatever_follows)
{
    uint8_t data[64] = {0};
    struct record_stream stream;
    struct record_view record;

    memcpy(data, wrongs[_i].bytes, wrongs[_i].len);
    stream = stream_of(data, sizeof(data));
    ck_assert_int_eq(record_stream_next(&stream, &record), ERR_INVALID);
    record_stream_done(&stream);
}
END_TEST

START_TEST(a_number_may_be_longer_than_it_needs_to_be)
{
    /* A length of 6 in three bytes, an offset of 1 in two. */
    static const uint8_t data[] = {0x8e, 0x80, 0x00, 0, 0, 0x82, 0x00, 1, 1, 0};
    struct record_stream stream = stream_of(data, sizeof(data));
    struct record_view record;

    ck_assert_int_eq(record_stream_next(&stream, &record), ERR_OK);
    ck_assert_int_eq(record.offset_delta, 1);
    ck_assert(record_stream_is_at_end(&stream));
    record_stream_done(&stream);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/record_stream");
    TCase *tc = tcase_create("record_stream");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, each_record_is_shown_as_it_was_written);
    tcase_add_loop_test(tc, a_record_cut_anywhere_is_none_and_the_error_sticks, 0, ONES);
    tcase_add_loop_test(tc, what_breaks_a_rule_is_no_record_whatever_follows, 0,
                        (int)(sizeof(wrongs) / sizeof(wrongs[0])));
    tcase_add_test(tc, a_number_may_be_longer_than_it_needs_to_be);
    suite_add_tcase(suite, tc);
    return suite;
}

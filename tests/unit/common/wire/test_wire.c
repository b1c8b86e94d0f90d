/* SPDX-License-Identifier: Apache-2.0 */
#include "common/wire/crc32c.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"
#include "tests/support/check_main.h"

START_TEST(reading_past_the_end_sticks_and_returns_zero)
{
    struct reader reader;

    reader_init(&reader, SLICE_LITERAL("\x01\x02\x03"));
    ck_assert_int_eq(reader_i16(&reader), 0x0102);
    ck_assert_int_eq(reader_i32(&reader), 0);
    ck_assert_int_eq(reader_i8(&reader), 0);
    ck_assert_int_eq(reader.err, ERR_TRUNCATED);
    ck_assert_uint_eq(reader_left(&reader), 1);
}
END_TEST

static const struct {
    uint32_t value;
    const char *bytes;
    size_t len;
} uvarints[] = {{0, "\x00", 1},
                {127, "\x7f", 1},
                {128, "\x80\x01", 2},
                {300, "\xac\x02", 2},
                {UINT32_MAX, "\xff\xff\xff\xff\x0f", 5}};

START_TEST(uvarint_matches_the_standard_bytes)
{
    struct buffer buffer;
    struct writer writer;
    struct reader reader;

    buffer_init(&buffer, 16);
    writer_init(&writer, &buffer);
    writer_uvarint(&writer, uvarints[_i].value);
    ck_assert(slice_equal(buffer_slice(&buffer), slice_of(uvarints[_i].bytes, uvarints[_i].len)));
    ck_assert_uint_eq(uvarint_size(uvarints[_i].value), uvarints[_i].len);
    reader_init(&reader, buffer_slice(&buffer));
    ck_assert_uint_eq(reader_uvarint(&reader), uvarints[_i].value);
    ck_assert_int_eq(reader.err, ERR_OK);
    buffer_done(&buffer);
}
END_TEST

START_TEST(uvarint_longer_than_32_bits_is_invalid)
{
    struct reader reader;

    reader_init(&reader, SLICE_LITERAL("\xff\xff\xff\xff\x1f"));
    reader_uvarint(&reader);
    ck_assert_int_eq(reader.err, ERR_INVALID);
    reader_init(&reader, SLICE_LITERAL("\x80\x80\x80\x80\x80\x01"));
    reader_uvarint(&reader);
    ck_assert_int_eq(reader.err, ERR_INVALID);
}
END_TEST

static const int64_t varlongs[] = {0,  -1,        1,         63,        -64,
                                   64, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};

START_TEST(signed_varints_round_trip)
{
    struct buffer buffer;
    struct writer writer;
    struct reader reader;

    buffer_init(&buffer, 32);
    writer_init(&writer, &buffer);
    writer_varlong(&writer, varlongs[_i]);
    writer_varint(&writer, (int32_t)varlongs[_i]);
    reader_init(&reader, buffer_slice(&buffer));
    ck_assert_int_eq(reader_varlong(&reader), varlongs[_i]);
    ck_assert_int_eq(reader_varint(&reader), (int32_t)varlongs[_i]);
    ck_assert_int_eq(reader.err, ERR_OK);
    ck_assert_uint_eq(reader_left(&reader), 0);
    buffer_done(&buffer);
}
END_TEST

START_TEST(crc32c_gives_the_check_value_whole_and_in_parts)
{
    ck_assert_uint_eq(crc32c("123456789", 9), 0xe3069283u);
    ck_assert_uint_eq(crc32c_extend(crc32c("1234", 4), "56789", 5), 0xe3069283u);
    ck_assert_uint_eq(crc32c_portable_extend(0, "123456789", 9), 0xe3069283u);
}
END_TEST

START_TEST(crc32c_library_and_fallback_agree_on_all_lengths)
{
    uint8_t bytes[600];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 31 + 7);
    for (size_t len = 0; len <= sizeof(bytes); len++)
        ck_assert_uint_eq(crc32c(bytes, len), crc32c_portable_extend(0, bytes, len));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/wire");
    TCase *tc = tcase_create("wire");

    tcase_add_test(tc, reading_past_the_end_sticks_and_returns_zero);
    tcase_add_loop_test(tc, uvarint_matches_the_standard_bytes, 0, 5);
    tcase_add_test(tc, uvarint_longer_than_32_bits_is_invalid);
    tcase_add_loop_test(tc, signed_varints_round_trip, 0, 10);
    tcase_add_test(tc, crc32c_gives_the_check_value_whole_and_in_parts);
    tcase_add_test(tc, crc32c_library_and_fallback_agree_on_all_lengths);
    suite_add_tcase(suite, tc);
    return suite;
}

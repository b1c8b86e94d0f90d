/* SPDX-License-Identifier: Apache-2.0 */
#include "common/wire/crc32c.h"
#include "common/wire/writer.h"
#include "dataplane/storage/compression.h"
#include "dataplane/storage/record_batch.h"
#include "dataplane/storage/record_stream.h"
#include "tests/simulation/sim_records.h"
#include "tests/support/check_main.h"

#define NOW_MS 1700000000000

static struct buffer bytes;
static struct record_batch_rules rules;

static void setup(void)
{
    buffer_init(&bytes, (size_t)16 << 20);
    rules = (struct record_batch_rules){
        .segment_bytes = 1 << 30,
        .max_unpacked_bytes = RECORD_STREAM_MAX_BYTES,
        .max_message_bytes = 1048588,
        .timestamp_before_max_ms = INT64_MAX,
        .timestamp_after_max_ms = 3600000,
        .now_ms = NOW_MS,
        .produce_version = 9,
    };
}

static void teardown(void)
{
    buffer_done(&bytes);
}

static void write_batch(int32_t count, int32_t padding)
{
    struct sim_batch batch = {
        .count = count,
        .padding = padding,
        .timestamp_ms = NOW_MS,
        .producer_id = -1,
    };

    buffer_clear(&bytes);
    sim_batch_write(&batch, &bytes);
}

static void put_u32(size_t at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes.data[at + (size_t)i] = (uint8_t)(value >> (24 - 8 * i));
}

static void fix_crc(void)
{
    put_u32(17, crc32c(bytes.data + 21, bytes.len - 21));
}

static struct record_batch_verdict validate(void)
{
    struct record_batch batch;
    struct record_batch_verdict verdict;
    bool is_good = record_batch_validate(bytes.data, bytes.len, &rules, &batch, &verdict);

    ck_assert_int_eq(is_good, verdict.error == KAFKA_NONE);
    if (!is_good)
        ck_assert_ptr_nonnull(verdict.message);
    return verdict;
}

START_TEST(a_good_batch_is_good)
{
    write_batch(10, 100);
    ck_assert_int_eq(validate().error, KAFKA_NONE);
}
END_TEST

START_TEST(no_byte_of_what_the_crc_covers_can_change_unnoticed)
{
    write_batch(2, 5);
    for (size_t i = 17; i < bytes.len; i++) {
        bytes.data[i] ^= 0x40;
        ck_assert_int_eq(validate().error, KAFKA_CORRUPT_MESSAGE);
        bytes.data[i] ^= 0x40;
    }
}
END_TEST

START_TEST(a_batch_cut_anywhere_is_corrupt_and_one_too_long_is_invalid)
{
    write_batch(2, 5);
    for (size_t len = 1; len < bytes.len; len++) {
        size_t whole = bytes.len;

        bytes.len = len;
        ck_assert_int_eq(validate().error, KAFKA_CORRUPT_MESSAGE);
        bytes.len = whole;
    }
    ck_assert_int_eq(buffer_append(&bytes, "x", 1), ERR_OK);
    ck_assert_int_eq(validate().error, KAFKA_INVALID_RECORD);
    bytes.len = 0;
    ck_assert_int_eq(validate().error, KAFKA_INVALID_RECORD);
}
END_TEST

START_TEST(old_magics_are_invalid_records)
{
    for (uint8_t magic = 0; magic <= 1; magic++) {
        write_batch(1, 5);
        bytes.data[16] = magic;
        ck_assert_int_eq(validate().error, KAFKA_INVALID_RECORD);
    }
    bytes.data[16] = 3;
    ck_assert_int_eq(validate().error, KAFKA_CORRUPT_MESSAGE);
}
END_TEST

START_TEST(sizes_have_their_own_errors)
{
    write_batch(1, 2000);
    rules.max_message_bytes = 2000;
    ck_assert_int_eq(validate().error, KAFKA_MESSAGE_TOO_LARGE);
    rules.max_message_bytes = 1 << 20;
    rules.segment_bytes = 2000;
    ck_assert_int_eq(validate().error, KAFKA_RECORD_LIST_TOO_LARGE);
}
END_TEST

struct header_case {
    size_t at;
    uint8_t value;
    enum kafka_error error;
};

/* One byte of the header, then the CRC is made right again. */
static const struct header_case header_cases[] = {
    {22, 0x20, KAFKA_INVALID_RECORD},    /* a control batch */
    {22, 0x10, KAFKA_INVALID_TXN_STATE}, /* a transactional one */
    {22, 0x08, KAFKA_INVALID_TIMESTAMP}, /* append time */
    {22, 0x40, KAFKA_INVALID_RECORD},    /* delete horizon */
    {22, 0x05, KAFKA_UNSUPPORTED_COMPRESSION_TYPE},
    {26, 7, KAFKA_INVALID_RECORD},    /* last offset delta */
    {60, 0, KAFKA_INVALID_RECORD},    /* count 0 */
    {60, 9, KAFKA_INVALID_RECORD},    /* more than there are */
    {43, 0, KAFKA_INVALID_RECORD},    /* a producer id without epoch and sequence */
    {62, 0x7e, KAFKA_INVALID_RECORD}, /* the first record's length or attributes */
};

START_TEST(a_header_must_keep_the_rules)
{
    const struct header_case *rule = &header_cases[_i];

    write_batch(3, 5);
    bytes.data[rule->at] = rule->value;
    if (rule->at == 62) {
        bytes.data[61] = 0x7e; /* 63 bytes: not what is there */
        bytes.data[62] = 0;
    }
    fix_crc();
    ck_assert_int_eq(validate().error, rule->error);
}
END_TEST

START_TEST(offsets_must_be_consecutive_and_the_bad_record_is_named)
{
    size_t record = 61;

    write_batch(3, 5);
    record += (size_t)bytes.data[record] / 2 + 1; /* zig-zag length of the first record, one byte */
    ck_assert_int_eq(bytes.data[record + 3], 2);  /* offset delta 1 */
    bytes.data[record + 3] = 4;
    fix_crc();
    ck_assert_int_eq(validate().error, KAFKA_INVALID_RECORD);
    ck_assert_int_eq(validate().bad_record_index, 1);
}
END_TEST

START_TEST(timestamps_must_lie_in_the_window)
{
    write_batch(1, 5);
    rules.now_ms = NOW_MS - 3600001;
    ck_assert_int_eq(validate().error, KAFKA_INVALID_TIMESTAMP);
    rules.now_ms = NOW_MS - 3600000;
    ck_assert_int_eq(validate().error, KAFKA_NONE);
    rules.now_ms = NOW_MS + 100;
    rules.timestamp_before_max_ms = 99;
    ck_assert_int_eq(validate().error, KAFKA_INVALID_TIMESTAMP);
    rules.is_log_append_time = true;
    ck_assert_int_eq(validate().error, KAFKA_NONE);
}
END_TEST

START_TEST(a_compacted_topic_takes_no_null_key)
{
    write_batch(1, 5);
    rules.is_compacted = true;
    ck_assert_int_eq(validate().error, KAFKA_INVALID_RECORD);
}
END_TEST

START_TEST(a_wrong_max_timestamp_is_put_right)
{
    struct record_batch batch;
    struct record_batch_verdict verdict;

    write_batch(2, 5);
    put_u32(35, 0);
    put_u32(39, 1);
    fix_crc();
    ck_assert(record_batch_validate(bytes.data, bytes.len, &rules, &batch, &verdict));
    ck_assert_int_eq(batch.max_timestamp, NOW_MS);
    ck_assert_int_eq(record_batch_parse(buffer_slice(&bytes), &batch), ERR_OK);
    ck_assert_int_eq(batch.max_timestamp, NOW_MS);
    ck_assert(record_batch_is_crc_right(&batch, buffer_slice(&bytes)));
}
END_TEST

START_TEST(each_codec_is_validated_record_by_record)
{
    struct buffer packed;
    struct buffer plain;

    write_batch(200, 50);
    buffer_init(&packed, (size_t)16 << 20);
    buffer_init(&plain, (size_t)16 << 20);
    ck_assert_int_eq(record_batch_recompress(buffer_slice(&bytes), _i, &packed), ERR_OK);
    ck_assert_int_eq(record_batch_recompress(buffer_slice(&packed), 0, &plain), ERR_OK);
    ck_assert(slice_equal(buffer_slice(&plain), buffer_slice(&bytes)));
    buffer_clear(&bytes);
    ck_assert_int_eq(buffer_append_slice(&bytes, buffer_slice(&packed)), ERR_OK);
    ck_assert_int_eq(validate().error, KAFKA_NONE);
    /* A count that is one less leaves a record over. */
    bytes.data[60]--;
    bytes.data[26]--;
    fix_crc();
    ck_assert_int_eq(validate().error, KAFKA_INVALID_RECORD);
    buffer_done(&packed);
    buffer_done(&plain);
}
END_TEST

START_TEST(damaged_compressed_bytes_never_crash_and_are_never_good)
{
    struct buffer packed;

    write_batch(20, 30);
    buffer_init(&packed, (size_t)1 << 20);
    ck_assert_int_eq(record_batch_recompress(buffer_slice(&bytes), _i, &packed), ERR_OK);
    for (size_t at = 61; at < packed.len; at++) {
        buffer_clear(&bytes);
        ck_assert_int_eq(buffer_append_slice(&bytes, buffer_slice(&packed)), ERR_OK);
        bytes.data[at] ^= 0x55;
        fix_crc();
        (void)validate(); /* snappy has no checksum: a changed body may be as good */
    }
    for (size_t len = 61; len < packed.len; len++) {
        buffer_clear(&bytes);
        ck_assert_int_eq(buffer_append(&bytes, packed.data, len), ERR_OK);
        put_u32(8, (uint32_t)len - 12);
        fix_crc();
        ck_assert_int_ne(validate().error, KAFKA_NONE);
    }
    buffer_done(&packed);
}
END_TEST

START_TEST(zstd_needs_produce_version_7)
{
    struct buffer packed;

    write_batch(5, 50);
    buffer_init(&packed, (size_t)1 << 20);
    ck_assert_int_eq(record_batch_recompress(buffer_slice(&bytes), 4, &packed), ERR_OK);
    buffer_clear(&bytes);
    ck_assert_int_eq(buffer_append_slice(&bytes, buffer_slice(&packed)), ERR_OK);
    rules.produce_version = 6;
    ck_assert_int_eq(validate().error, KAFKA_UNSUPPORTED_COMPRESSION_TYPE);
    buffer_done(&packed);
}
END_TEST

static enum err drain(int codec, struct slice input, size_t max_output, size_t *ret_total)
{
    struct decompressor *decompressor = NULL;
    uint8_t out[4096];
    size_t len = 1;
    enum err rc = decompressor_open(codec, input, max_output, &decompressor);

    *ret_total = 0;
    while (rc == ERR_OK && len > 0) {
        rc = decompressor_read(decompressor, out, sizeof(out), &len);
        if (rc == ERR_OK)
            *ret_total += len;
    }
    decompressor_close(decompressor);
    return rc;
}

START_TEST(a_bomb_is_stopped_at_the_cap)
{
    struct buffer zeros, packed;
    size_t total = 0;

    buffer_init(&zeros, (size_t)8 << 20);
    buffer_init(&packed, (size_t)16 << 20);
    ck_assert_int_eq(buffer_reserve(&zeros, (size_t)8 << 20), ERR_OK);
    memset(zeros.data, 0, (size_t)8 << 20);
    zeros.len = (size_t)8 << 20;
    ck_assert_int_eq(compress_records(_i, buffer_slice(&zeros), &packed), ERR_OK);
    ck_assert_int_eq(drain(_i, buffer_slice(&packed), (size_t)1 << 20, &total), ERR_TOO_LARGE);
    ck_assert_uint_le(total, (size_t)1 << 20);
    ck_assert_int_eq(drain(_i, buffer_slice(&packed), (size_t)8 << 20, &total), ERR_OK);
    ck_assert_uint_eq(total, (size_t)8 << 20);
    buffer_done(&zeros);
    buffer_done(&packed);
}
END_TEST

START_TEST(bare_snappy_is_understood_and_a_lying_length_is_not_believed)
{
    /* 5 literal bytes: length 5, tag (5 - 1) << 2 */
    static const uint8_t bare[] = {5, 4 << 2, 'h', 'e', 'l', 'l', 'o'};
    static const uint8_t lying[] = {0xff, 0xff, 0xff, 0x7f, 0, 'x'};
    size_t total = 0;

    ck_assert_int_eq(drain(COMPRESSION_SNAPPY, slice_of(bare, sizeof(bare)), 100, &total), ERR_OK);
    ck_assert_uint_eq(total, 5);
    ck_assert_int_eq(drain(COMPRESSION_SNAPPY, slice_of(lying, sizeof(lying)), SIZE_MAX, &total),
                     ERR_CORRUPT);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/record_batch");
    TCase *tc = tcase_create("record_batch");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_good_batch_is_good);
    tcase_add_test(tc, no_byte_of_what_the_crc_covers_can_change_unnoticed);
    tcase_add_test(tc, a_batch_cut_anywhere_is_corrupt_and_one_too_long_is_invalid);
    tcase_add_test(tc, old_magics_are_invalid_records);
    tcase_add_test(tc, sizes_have_their_own_errors);
    tcase_add_loop_test(tc, a_header_must_keep_the_rules, 0,
                        (int)(sizeof(header_cases) / sizeof(header_cases[0])));
    tcase_add_test(tc, offsets_must_be_consecutive_and_the_bad_record_is_named);
    tcase_add_test(tc, timestamps_must_lie_in_the_window);
    tcase_add_test(tc, a_compacted_topic_takes_no_null_key);
    tcase_add_test(tc, a_wrong_max_timestamp_is_put_right);
    tcase_add_loop_test(tc, each_codec_is_validated_record_by_record, 1, 5);
    tcase_add_loop_test(tc, damaged_compressed_bytes_never_crash_and_are_never_good, 1, 5);
    tcase_add_test(tc, zstd_needs_produce_version_7);
    tcase_add_loop_test(tc, a_bomb_is_stopped_at_the_cap, 1, 5);
    tcase_add_test(tc, bare_snappy_is_understood_and_a_lying_length_is_not_believed);
    suite_add_tcase(suite, tc);
    return suite;
}

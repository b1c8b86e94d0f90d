/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/wal/wal_entry.h"

#include "common/wire/crc32c.h"
#include "tests/support/check_main.h"

#include <string.h>

#define LSN 123456

static const struct uuid directory = {{1, 2, 3, 4}};
static struct buffer bytes;

static void setup(void)
{
    buffer_init(&bytes, 1 << 21);
}

static void teardown(void)
{
    buffer_done(&bytes);
}

static void write_data(void)
{
    struct wal_data data = {
        .id = {{{7, 7}}, 3},
        .base_offset = 100,
        .position = 2000,
        .end_offset = 140,
        .bytes = slice_from_cstring("whole record batches"),
    };

    ck_assert_int_eq(wal_data_write(LSN, LSN - 50, &data, &bytes), ERR_OK);
    ck_assert_uint_eq(bytes.len, WAL_DATA_OVERHEAD + data.bytes.len);
}

START_TEST(an_entry_reads_back)
{
    struct wal_note note = {{{{9}}, 5}, {10, 20, 3000, 77, 0}, true};
    struct wal_entry entry;

    write_data();
    ck_assert(wal_entry_is_likely(buffer_slice(&bytes), LSN));
    ck_assert(wal_entry_read(buffer_slice(&bytes), LSN, &entry));
    ck_assert_int_eq(entry.type, WAL_DATA);
    ck_assert_int_eq(entry.synced_below, LSN - 50);
    ck_assert_uint_eq(entry.size_bytes, bytes.len);
    ck_assert_int_eq(entry.data.id.partition, 3);
    ck_assert_int_eq(entry.data.base_offset, 100);
    ck_assert_int_eq(entry.data.position, 2000);
    ck_assert_int_eq(entry.data.end_offset, 140);
    ck_assert(slice_equal(entry.data.bytes, slice_from_cstring("whole record batches")));

    buffer_clear(&bytes);
    ck_assert_int_eq(wal_note_write(LSN, 0, &note, &bytes), ERR_OK);
    ck_assert_uint_eq(bytes.len, WAL_NOTE_ENTRY_BYTES);
    ck_assert(wal_entry_read(buffer_slice(&bytes), LSN, &entry));
    ck_assert_int_eq(entry.type, WAL_NOTE);
    ck_assert_int_eq(entry.note.flushed.end_offset, 20);
    ck_assert_int_eq(entry.note.flushed.size_bytes, 3000);
    ck_assert(entry.note.is_certain);

    buffer_clear(&bytes);
    ck_assert_int_eq(wal_end_write(LSN, 0, 999999, &bytes), ERR_OK);
    ck_assert_uint_eq(bytes.len, WAL_END_BYTES);
    ck_assert(wal_entry_read(buffer_slice(&bytes), LSN, &entry));
    ck_assert_int_eq(entry.type, WAL_END);
    ck_assert_int_eq(entry.next_lsn, 999999);
}
END_TEST

START_TEST(what_an_earlier_use_of_the_file_left_behind_is_no_entry)
{
    struct wal_entry entry;

    write_data();
    ck_assert(!wal_entry_read(buffer_slice(&bytes), LSN + 65536, &entry));
    ck_assert(!wal_entry_read(buffer_slice(&bytes), LSN - 1, &entry));
}
END_TEST

START_TEST(no_bit_of_an_entry_can_flip_unseen)
{
    struct wal_entry entry;

    write_data();
    for (size_t i = 0; i < bytes.len * 8; i++) {
        bytes.data[i / 8] ^= (uint8_t)(1u << (i % 8));
        ck_assert_msg(!wal_entry_read(buffer_slice(&bytes), LSN, &entry), "bit %zu", i);
        bytes.data[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
    for (size_t len = 0; len < bytes.len; len++)
        ck_assert(!wal_entry_read(slice_of(bytes.data, len), LSN, &entry));
}
END_TEST

START_TEST(a_header_belongs_to_one_directory_and_one_version)
{
    const struct uuid other = {{1, 2, 3, 5}};
    int64_t lsn = 0;

    ck_assert_int_eq(wal_header_write(directory, 4096, &bytes), ERR_OK);
    ck_assert_uint_eq(bytes.len, WAL_HEADER_BYTES);
    ck_assert_int_eq(wal_header_read(buffer_slice(&bytes), directory, &lsn), ERR_OK);
    ck_assert_int_eq(lsn, 4096);
    ck_assert_int_eq(wal_header_read(buffer_slice(&bytes), other, &lsn), ERR_CORRUPT);
    ck_assert_int_eq(wal_header_read(slice_of(bytes.data, 20), directory, &lsn), ERR_CORRUPT);
    for (size_t i = 0; i < bytes.len * 8; i++) {
        bytes.data[i / 8] ^= (uint8_t)(1u << (i % 8));
        ck_assert_int_eq(wal_header_read(buffer_slice(&bytes), directory, &lsn), ERR_CORRUPT);
        bytes.data[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
}
END_TEST

static enum err read_version(uint8_t version)
{
    uint32_t crc = 0;
    int64_t lsn = 0;

    buffer_clear(&bytes);
    ck_assert_int_eq(wal_header_write(directory, 4096, &bytes), ERR_OK);
    bytes.data[7] = version;
    crc = crc32c(bytes.data, WAL_HEADER_BYTES - 4);
    for (int i = 0; i < 4; i++)
        bytes.data[WAL_HEADER_BYTES - 4 + i] = (uint8_t)(crc >> (24 - 8 * i));
    return wal_header_read(buffer_slice(&bytes), directory, &lsn);
}

START_TEST(files_of_the_version_before_are_read_and_later_ones_are_not)
{
    ck_assert_int_eq(read_version(1), ERR_OK);
    ck_assert_int_eq(read_version(2), ERR_OK);
    ck_assert_int_eq(read_version(3), ERR_UNSUPPORTED);
    ck_assert_int_eq(read_version(0), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(what_fills_a_block_is_one_entry_of_that_size)
{
    for (size_t size = WAL_FILL_MIN_BYTES; size < 2000; size++) {
        struct wal_entry entry;

        buffer_clear(&bytes);
        ck_assert_int_eq(wal_fill_write(LSN, 5, size, &bytes), ERR_OK);
        ck_assert_uint_eq(bytes.len, size);
        ck_assert(wal_entry_read(buffer_slice(&bytes), LSN, &entry));
        ck_assert_int_eq(entry.type, WAL_FILL);
        ck_assert_uint_eq(entry.size_bytes, size);
    }
}
END_TEST

START_TEST(an_entry_that_is_too_large_is_not_written)
{
    static const uint8_t large[WAL_ENTRY_MAX_BYTES];
    struct wal_data data = {.bytes = slice_of(large, sizeof(large))};

    ck_assert_int_eq(wal_data_write(LSN, 0, &data, &bytes), ERR_TOO_LARGE);
    ck_assert_uint_eq(bytes.len, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("storage/wal_entry");
    TCase *tc = tcase_create("wal_entry");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_entry_reads_back);
    tcase_add_test(tc, what_an_earlier_use_of_the_file_left_behind_is_no_entry);
    tcase_add_test(tc, no_bit_of_an_entry_can_flip_unseen);
    tcase_add_test(tc, a_header_belongs_to_one_directory_and_one_version);
    tcase_add_test(tc, files_of_the_version_before_are_read_and_later_ones_are_not);
    tcase_add_test(tc, what_fills_a_block_is_one_entry_of_that_size);
    tcase_add_test(tc, an_entry_that_is_too_large_is_not_written);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What compaction keeps of a batch (kafka-protocol reference, 6.3), and the map that says it. */
#include "dataplane/storage/cleaner/batch_cleaning.h"

#include <stdio.h>
#include <string.h>

#include "common/wire/writer.h"
#include "dataplane/storage/record_stream.h"
#include "tests/support/check_main.h"

#define NOW_MS 1700000000000
#define DAY_MS 86400000
#define BATCH_MAX_BYTES ((size_t)1 << 20)
#define SEED ((struct hash_seed){1, 2})

struct record {
    const char *key;   /* NULL = none */
    const char *value; /* NULL = a tombstone */
    int64_t timestamp_delta;
};

static struct batch_cleaning cleaning;
static struct record_batch header; /* of batches made from now on */
static struct buffer made;
static struct buffer out;
static struct record_batch after;
static bool is_gone;

static void setup(void)
{
    cleaning = (struct batch_cleaning){
        .codec = -1, .now_ms = NOW_MS, .delete_retention_ms = DAY_MS, .map_end = 1000};
    batch_cleaning_init(&cleaning);
    ck_assert_int_eq(offset_map_init(&cleaning.map, 4096, SEED), ERR_OK);
    header = (struct record_batch){
        .base_offset = 100,
        .leader_epoch = 7,
        .base_timestamp = NOW_MS - 5000,
        .producer_id = -1,
        .producer_epoch = -1,
        .base_sequence = -1,
    };
    buffer_init(&made, BATCH_MAX_BYTES);
    buffer_init(&out, BATCH_MAX_BYTES);
}

static void teardown(void)
{
    batch_cleaning_done(&cleaning);
    buffer_done(&made);
    buffer_done(&out);
}

static void write_text(struct writer *writer, const char *text)
{
    writer_varint(writer, text == NULL ? -1 : (int32_t)strlen(text));
    if (text != NULL)
        writer_slice(writer, slice_from_cstring(text));
}

static void write_record(struct writer *writer, const struct record *record, int32_t index)
{
    struct buffer bytes;
    struct writer body;

    buffer_init(&bytes, BATCH_MAX_BYTES);
    writer_init(&body, &bytes);
    writer_i8(&body, 0);
    writer_varlong(&body, record->timestamp_delta);
    writer_varint(&body, index);
    write_text(&body, record->key);
    write_text(&body, record->value);
    writer_varint(&body, 1);
    write_text(&body, "header");
    write_text(&body, record->key);
    writer_varint(writer, (int32_t)bytes.len);
    writer_slice(writer, buffer_slice(&bytes));
    ck_assert_int_eq(body.err, ERR_OK);
    buffer_done(&bytes);
}

/* In `made`, with header and codec. */
static void make(const struct record *records, int32_t count, int codec)
{
    struct buffer plain;
    struct writer writer;

    buffer_clear(&made);
    buffer_init(&plain, BATCH_MAX_BYTES);
    writer_init(&writer, &plain);
    header.record_count = count;
    header.last_offset_delta = count - 1;
    if ((header.attributes & RECORD_BATCH_LOG_APPEND_TIME) == 0)
        header.max_timestamp = INT64_MIN;
    for (int32_t i = 0; i < count; i++) {
        int64_t timestamp = record_batch_timestamp(&header, records[i].timestamp_delta);

        write_record(&writer, &records[i], i);
        if ((header.attributes & RECORD_BATCH_LOG_APPEND_TIME) == 0 &&
            timestamp > header.max_timestamp)
            header.max_timestamp = timestamp;
    }
    ck_assert_int_eq(writer.err, ERR_OK);
    ck_assert_int_eq(record_batch_pack(&header, codec, buffer_slice(&plain), &made), ERR_OK);
    buffer_done(&plain);
}

static void note(const char *key, int64_t offset)
{
    ck_assert(offset_map_put(&cleaning.map, slice_from_cstring(key), offset));
}

/* What stays of what was made is in `out`, `after` and `is_gone`. */
static void clean(void)
{
    struct record_batch parsed;

    buffer_clear(&out);
    ck_assert_int_eq(
        batch_cleaning_run(&cleaning, &header, buffer_slice(&made), &out, &after, &is_gone),
        ERR_OK);
    if (is_gone) {
        ck_assert_uint_eq(out.len, 0);
        return;
    }
    ck_assert_int_eq(record_batch_parse(buffer_slice(&out), &parsed), ERR_OK);
    ck_assert_int_eq(parsed.size_bytes, (int64_t)out.len);
    ck_assert(record_batch_is_crc_right(&parsed, buffer_slice(&out)));
    ck_assert_int_eq(parsed.size_bytes, after.size_bytes);
    ck_assert_int_eq(parsed.max_timestamp, after.max_timestamp);
    ck_assert_int_eq(parsed.attributes, after.attributes);
    /* What no cleaning changes. */
    ck_assert_int_eq(parsed.base_offset, header.base_offset);
    ck_assert_int_eq(parsed.last_offset_delta, header.last_offset_delta);
    ck_assert_int_eq(parsed.leader_epoch, header.leader_epoch);
    ck_assert_int_eq(parsed.producer_id, header.producer_id);
    ck_assert_int_eq(parsed.producer_epoch, header.producer_epoch);
    ck_assert_int_eq(parsed.base_sequence, header.base_sequence);
}

/* "key=value@offset/timestamp" of each record in `out`. */
static const char *content(void)
{
    static char text[1024];
    struct record_stream stream;
    struct buffer plain;
    size_t len = 0;

    buffer_init(&plain, BATCH_MAX_BYTES);
    text[0] = '\0';
    ck_assert_int_eq(record_batch_unpack(&after, buffer_slice(&out), &plain), ERR_OK);
    ck_assert_int_eq(
        record_stream_init(&stream, COMPRESSION_NONE, buffer_slice(&plain), BATCH_MAX_BYTES),
        ERR_OK);
    for (int32_t i = 0; i < after.record_count; i++) {
        struct record_view record;

        ck_assert_int_eq(record_stream_next(&stream, &record), ERR_OK);
        ck_assert_int_eq(record.header_count, 1);
        len += (size_t)snprintf(
            text + len, sizeof(text) - len, "%s%.*s=%.*s@%lld/%lld", i > 0 ? " " : "",
            (int)record.key.len, (const char *)record.key.data,
            record.value_len < 0 ? 4 : (int)record.value.len,
            record.value_len < 0 ? "null" : (const char *)record.value.data,
            (long long)(after.base_offset + record.offset_delta),
            (long long)(record_batch_timestamp(&after, record.timestamp_delta) - NOW_MS));
    }
    ck_assert(record_stream_is_at_end(&stream));
    record_stream_done(&stream);
    buffer_done(&plain);
    return text;
}

/* --- the map --- */

START_TEST(the_map_knows_the_largest_offset_of_each_key)
{
    char key[16];

    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        note(key, i);
    }
    note("key 3", 500);
    note("key 4", 2);
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        ck_assert_int_eq(offset_map_find(&cleaning.map, slice_from_cstring(key)), i == 3 ? 500 : i);
    }
    ck_assert_int_eq(offset_map_find(&cleaning.map, slice_from_cstring("key 100")), -1);
    ck_assert_int_eq(offset_map_find(&cleaning.map, slice_from_cstring("")), -1);
}
END_TEST

START_TEST(a_full_map_refuses_new_keys_and_still_takes_those_it_has)
{
    struct offset_map map;
    char key[16];
    int count = 0;

    ck_assert_int_eq(offset_map_init(&map, 1, SEED), ERR_OK);
    for (;; count++) {
        snprintf(key, sizeof(key), "key %d", count);
        if (!offset_map_put(&map, slice_from_cstring(key), count))
            break;
    }
    ck_assert_int_ge(count, 8);
    ck_assert_int_eq(offset_map_find(&map, slice_from_cstring(key)), -1);
    ck_assert(offset_map_put(&map, slice_from_cstring("key 0"), 77));
    ck_assert_int_eq(offset_map_find(&map, slice_from_cstring("key 0")), 77);
    offset_map_done(&map);
}
END_TEST

START_TEST(keys_are_noted_from_an_offset_on_and_up_to_where_the_map_is_full)
{
    static const struct record records[] = {
        {"a", "1", 0}, {"b", "1", 0}, {NULL, "1", 0}, {"a", "2", 0}, {"c", NULL, 0}};
    struct record many[30];
    char keys[30][8];
    int64_t end = 0;

    make(records, 5, COMPRESSION_ZSTD);
    ck_assert_int_eq(batch_cleaning_note(&cleaning, &header, buffer_slice(&made), 101, &end),
                     ERR_OK);
    ck_assert_int_eq(end, 105);
    ck_assert_int_eq(offset_map_find(&cleaning.map, SLICE_LITERAL("a")), 103);
    ck_assert_int_eq(offset_map_find(&cleaning.map, SLICE_LITERAL("b")), 101);
    ck_assert_int_eq(offset_map_find(&cleaning.map, SLICE_LITERAL("c")), 104);
    ck_assert_uint_eq(cleaning.map.used, 3);

    for (int i = 0; i < 30; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%d", i);
        many[i] = (struct record){keys[i], "v", 0};
    }
    offset_map_done(&cleaning.map);
    ck_assert_int_eq(offset_map_init(&cleaning.map, 1, SEED), ERR_OK);
    make(many, 30, COMPRESSION_NONE);
    ck_assert_int_eq(batch_cleaning_note(&cleaning, &header, buffer_slice(&made), 0, &end), ERR_OK);
    ck_assert_int_eq(end, 100 + (int64_t)cleaning.map.used);
    ck_assert_int_lt(end, 130);
}
END_TEST

/* --- records --- */

static const struct record three[] = {{"a", "1", 0}, {"b", "2", 100}, {"c", "3", -50}};

START_TEST(records_that_have_a_newer_one_of_their_key_go)
{
    note("a", 100);
    note("b", 500);
    make(three, 3, _i);
    clean();
    ck_assert(!is_gone);
    ck_assert_str_eq(content(), "a=1@100/-5000 c=3@102/-5050");
    ck_assert_int_eq(after.record_count, 2);
    ck_assert_int_eq(record_batch_codec(&after), _i);
    ck_assert_int_eq(after.max_timestamp, NOW_MS - 5000);
}
END_TEST

START_TEST(a_batch_of_which_all_stays_is_kept_byte_for_byte)
{
    note("a", 100);
    note("c", 102);
    cleaning.codec = COMPRESSION_LZ4;
    make(three, 3, COMPRESSION_GZIP);
    clean();
    ck_assert(!is_gone);
    ck_assert(slice_equal(buffer_slice(&out), buffer_slice(&made)));
}
END_TEST

START_TEST(what_is_written_anew_has_the_topics_codec)
{
    note("a", 500);
    cleaning.codec = _i;
    make(three, 3, COMPRESSION_GZIP);
    clean();
    ck_assert_int_eq(record_batch_codec(&after), _i);
    ck_assert_str_eq(content(), "b=2@101/-4900 c=3@102/-5050");
}
END_TEST

START_TEST(records_beyond_what_the_map_covers_stay)
{
    note("a", 500);
    note("b", 500);
    note("c", 500);
    cleaning.map_end = 101;
    make(three, 3, COMPRESSION_NONE);
    clean();
    ck_assert_str_eq(content(), "b=2@101/-4900 c=3@102/-5050");
}
END_TEST

START_TEST(a_record_without_a_key_goes)
{
    static const struct record records[] = {{NULL, "1", 0}, {"b", "2", 0}, {"", "3", 0}};

    make(records, 3, COMPRESSION_NONE);
    clean();
    ck_assert_str_eq(content(), "b=2@101/-5000 =3@102/-5000");
}
END_TEST

/* --- batches --- */

START_TEST(a_batch_of_which_nothing_stays_goes)
{
    note("a", 500);
    note("b", 500);
    note("c", 500);
    make(three, 3, COMPRESSION_NONE);
    clean();
    ck_assert(is_gone);
}
END_TEST

START_TEST(the_newest_batch_of_a_producer_stays_without_records)
{
    struct producer_end ends[] = {{4, 7}, {5, 102}, {9, 102}};

    note("a", 500);
    note("b", 500);
    note("c", 500);
    header.producer_id = 5;
    header.producer_epoch = 2;
    header.base_sequence = 40;
    make(three, 3, COMPRESSION_ZSTD);
    cleaning.producers = (struct producer_ends){3, ends};
    clean();
    ck_assert(!is_gone);
    ck_assert_int_eq(after.record_count, 0);
    ck_assert_uint_eq(out.len, RECORD_BATCH_HEADER_BYTES);
    ck_assert_int_eq(after.max_timestamp, -1);
    ck_assert(!record_batch_is_gap(&after));
    /* And once more, as it is now: until the producer writes on. */
    header = after;
    buffer_clear(&made);
    ck_assert_int_eq(buffer_append_slice(&made, buffer_slice(&out)), ERR_OK);
    clean();
    ck_assert(!is_gone);
    ck_assert(slice_equal(buffer_slice(&out), buffer_slice(&made)));
    ends[1].last_offset = 103;
    clean();
    ck_assert(is_gone);
    cleaning.producers = (struct producer_ends){0, NULL};
}
END_TEST

START_TEST(producers_ends_are_those_of_durable_batches)
{
    struct producer_state state;
    struct producer_ends ends;
    struct record_batch batch = {.last_offset_delta = 9, .record_count = 10, .producer_epoch = 1};

    producer_state_init(&state, SEED);
    for (int i = 0; i < 6; i++) {
        batch.producer_id = i % 2 == 0 ? 80 : 3;
        batch.base_offset = 10 * i;
        batch.base_sequence = 10 * (i / 2);
        ck_assert_int_eq(producer_state_append(&state, &batch, 1, NULL), ERR_OK);
    }
    ck_assert_int_eq(producer_ends_init(&ends, &state, 50), ERR_OK);
    ck_assert_uint_eq(ends.count, 2);
    ck_assert_int_eq(ends.ends[0].producer_id, 3);
    ck_assert_int_eq(ends.ends[0].last_offset, 39); /* 59 is not durable */
    ck_assert_int_eq(ends.ends[1].last_offset, 49);
    producer_ends_done(&ends);
    producer_state_done(&state);
}
END_TEST

START_TEST(a_gap_goes_and_makes_room_for_a_wider_one)
{
    buffer_clear(&made);
    ck_assert_int_eq(record_batch_write_gap(100, 150, 7, &made), ERR_OK);
    ck_assert_int_eq(record_batch_parse(buffer_slice(&made), &header), ERR_OK);
    ck_assert(record_batch_is_gap(&header));
    ck_assert_int_eq(record_batch_next_offset(&header), 150);
    ck_assert(record_batch_is_crc_right(&header, buffer_slice(&made)));
    clean();
    ck_assert(is_gone);
}
END_TEST

START_TEST(a_control_batch_stays_as_it_is)
{
    header.attributes = RECORD_BATCH_CONTROL | RECORD_BATCH_TRANSACTIONAL;
    note("a", 500);
    make(three, 1, COMPRESSION_NONE);
    clean();
    ck_assert(!is_gone);
    ck_assert(slice_equal(buffer_slice(&out), buffer_slice(&made)));
}
END_TEST

START_TEST(the_append_time_stays)
{
    header.attributes = RECORD_BATCH_LOG_APPEND_TIME;
    header.max_timestamp = NOW_MS - 77;
    note("b", 500);
    make(three, 3, COMPRESSION_NONE);
    clean();
    ck_assert_int_eq(after.record_count, 2);
    ck_assert_int_eq(after.attributes & RECORD_BATCH_LOG_APPEND_TIME, RECORD_BATCH_LOG_APPEND_TIME);
    ck_assert_int_eq(after.max_timestamp, NOW_MS - 77);
}
END_TEST

/* --- tombstones --- */

static const struct record grave[] = {{"a", NULL, 0}, {"b", "2", 10}, {"c", NULL, 20}};

/* What was cleaned is what is cleaned next. */
static void again(void)
{
    header = after;
    buffer_clear(&made);
    ck_assert_int_eq(buffer_append_slice(&made, buffer_slice(&out)), ERR_OK);
    clean();
}

START_TEST(a_tombstone_gives_its_batch_a_horizon_and_goes_after_it)
{
    note("a", 100);
    note("b", 101);
    note("c", 500);
    make(grave, 3, _i);
    clean();
    ck_assert_int_eq(after.attributes & RECORD_BATCH_DELETE_HORIZON, RECORD_BATCH_DELETE_HORIZON);
    ck_assert_int_eq(after.base_timestamp, NOW_MS + DAY_MS);
    ck_assert_int_eq(after.max_timestamp, NOW_MS - 4990);
    ck_assert_str_eq(content(), "a=null@100/-5000 b=2@101/-4990");
    /* The horizon stays what it is. */
    cleaning.now_ms = NOW_MS + DAY_MS - 1;
    again();
    ck_assert(slice_equal(buffer_slice(&out), buffer_slice(&made)));
    cleaning.now_ms = NOW_MS + DAY_MS;
    again();
    ck_assert_str_eq(content(), "b=2@101/-4990");
    ck_assert_int_eq(after.base_timestamp, NOW_MS + DAY_MS);
}
END_TEST

START_TEST(a_tombstone_that_is_overwritten_goes_at_once)
{
    note("a", 500);
    note("c", 500);
    make(grave, 3, COMPRESSION_NONE);
    clean();
    ck_assert_str_eq(content(), "b=2@101/-4990");
    ck_assert_int_eq(after.attributes & RECORD_BATCH_DELETE_HORIZON, 0);
}
END_TEST

START_TEST(a_tombstone_that_is_kept_for_ever_has_the_last_horizon)
{
    note("a", 100);
    cleaning.delete_retention_ms = INT64_MAX;
    make(grave, 3, COMPRESSION_NONE);
    clean();
    ck_assert_int_eq(after.base_timestamp, INT64_MAX);
    ck_assert_str_eq(content(), "a=null@100/-5000 b=2@101/-4990 c=null@102/-4980");
    cleaning.now_ms = INT64_MAX - 1;
    again();
    ck_assert_int_eq(after.record_count, 3);
}
END_TEST

START_TEST(timestamps_as_far_apart_as_can_be_survive_a_horizon)
{
    static const struct record records[] = {{"a", NULL, 0}, {"b", "2", INT64_MIN}};

    header.base_timestamp = -1;
    note("x", 1);
    make(records, 2, COMPRESSION_NONE);
    clean();
    ck_assert_int_eq(after.base_timestamp, NOW_MS + DAY_MS);
    ck_assert_int_eq(after.record_count, 2);
    ck_assert_int_eq(after.max_timestamp, header.max_timestamp);
}
END_TEST

START_TEST(damage_is_said_and_nothing_is_written)
{
    note("a", 500);
    make(three, 3, COMPRESSION_NONE);
    header.record_count = 4;
    ck_assert_int_eq(
        batch_cleaning_run(&cleaning, &header, buffer_slice(&made), &out, &after, &is_gone),
        ERR_CORRUPT);
    header.record_count = 3;
    header.last_offset_delta = 1;
    ck_assert_int_eq(
        batch_cleaning_run(&cleaning, &header, buffer_slice(&made), &out, &after, &is_gone),
        ERR_CORRUPT);
    header.attributes = COMPRESSION_ZSTD;
    ck_assert_int_eq(
        batch_cleaning_run(&cleaning, &header, buffer_slice(&made), &out, &after, &is_gone),
        ERR_CORRUPT);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/storage/batch_cleaning");
    TCase *tc = tcase_create("batch_cleaning");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_map_knows_the_largest_offset_of_each_key);
    tcase_add_test(tc, a_full_map_refuses_new_keys_and_still_takes_those_it_has);
    tcase_add_test(tc, keys_are_noted_from_an_offset_on_and_up_to_where_the_map_is_full);
    tcase_add_loop_test(tc, records_that_have_a_newer_one_of_their_key_go, 0, 5);
    tcase_add_test(tc, a_batch_of_which_all_stays_is_kept_byte_for_byte);
    tcase_add_loop_test(tc, what_is_written_anew_has_the_topics_codec, 0, 5);
    tcase_add_test(tc, records_beyond_what_the_map_covers_stay);
    tcase_add_test(tc, a_record_without_a_key_goes);
    tcase_add_test(tc, a_batch_of_which_nothing_stays_goes);
    tcase_add_test(tc, the_newest_batch_of_a_producer_stays_without_records);
    tcase_add_test(tc, producers_ends_are_those_of_durable_batches);
    tcase_add_test(tc, a_gap_goes_and_makes_room_for_a_wider_one);
    tcase_add_test(tc, a_control_batch_stays_as_it_is);
    tcase_add_test(tc, the_append_time_stays);
    tcase_add_loop_test(tc, a_tombstone_gives_its_batch_a_horizon_and_goes_after_it, 0, 5);
    tcase_add_test(tc, a_tombstone_that_is_overwritten_goes_at_once);
    tcase_add_test(tc, a_tombstone_that_is_kept_for_ever_has_the_last_horizon);
    tcase_add_test(tc, timestamps_as_far_apart_as_can_be_survive_a_horizon);
    tcase_add_test(tc, damage_is_said_and_nothing_is_written);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, arrays and tags byte by byte: what is refused, and what it may cost. */
#include "common/kafka/kafka_messages.h"
#include "tests/support/check_main.h"

#include <stdlib.h>

#define BYTES(...) slice_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static struct arena arena;
static struct buffer buffer;
static struct writer writer;

static void setup(void)
{
    arena_init(&arena, 1 << 20);
    buffer_init(&buffer, 1 << 24);
    writer_init(&writer, &buffer);
}

static void teardown(void)
{
    arena_done(&arena);
    buffer_done(&buffer);
}

static struct reader reader_of(struct slice bytes)
{
    struct reader reader;

    reader_init(&reader, bytes);
    return reader;
}

static void expect_written(struct slice want)
{
    ck_assert_int_eq(writer.err, ERR_OK);
    ck_assert(slice_equal(buffer_slice(&buffer), want));
}

START_TEST(null_and_empty_strings_stay_apart)
{
    struct reader old = reader_of(BYTES(0xff, 0xff, 0, 0));
    struct reader compact = reader_of(BYTES(0, 1));

    ck_assert(slice_is_null(kafka_read_string(&old, false, true)));
    ck_assert(slice_equal_cstring(kafka_read_string(&old, false, true), ""));
    ck_assert(slice_is_null(kafka_read_string(&compact, true, true)));
    ck_assert(slice_equal_cstring(kafka_read_string(&compact, true, true), ""));
    ck_assert_int_eq(old.err, ERR_OK);
    ck_assert_int_eq(compact.err, ERR_OK);
}
END_TEST

START_TEST(null_where_it_may_not_be_is_invalid)
{
    struct reader string = reader_of(BYTES(0xff, 0xff));
    struct reader compact = reader_of(BYTES(0));
    struct reader bytes = reader_of(BYTES(0xff, 0xff, 0xff, 0xff));
    struct reader array = reader_of(BYTES(0xff, 0xff, 0xff, 0xff));

    kafka_read_string(&string, false, false);
    kafka_read_string(&compact, true, false);
    kafka_read_bytes(&bytes, false, false);
    kafka_read_i32_array(&array, &arena, false, false);
    ck_assert_int_eq(string.err, ERR_INVALID);
    ck_assert_int_eq(compact.err, ERR_INVALID);
    ck_assert_int_eq(bytes.err, ERR_INVALID);
    ck_assert_int_eq(array.err, ERR_INVALID);
}
END_TEST

START_TEST(a_negative_length_other_than_minus_one_is_invalid)
{
    struct reader string = reader_of(BYTES(0xff, 0xfe));
    struct reader bytes = reader_of(BYTES(0x80, 0, 0, 0));
    struct reader array = reader_of(BYTES(0xff, 0xff, 0xff, 0xfe));

    kafka_read_string(&string, false, true);
    kafka_read_bytes(&bytes, false, true);
    kafka_read_string_array(&array, &arena, false, true);
    ck_assert_int_eq(string.err, ERR_INVALID);
    ck_assert_int_eq(bytes.err, ERR_INVALID);
    ck_assert_int_eq(array.err, ERR_INVALID);
}
END_TEST

START_TEST(a_compact_string_is_not_longer_than_an_old_one_could_be)
{
    static uint8_t frame[40000] = {0x81, 0x80, 0x02}; /* 32768 + 1 */
    struct reader reader = reader_of(slice_of(frame, sizeof(frame)));

    kafka_read_string(&reader, true, false);
    ck_assert_int_eq(reader.err, ERR_INVALID);

    frame[0] = 0x80; /* 32767 + 1 */
    reader = reader_of(slice_of(frame, sizeof(frame)));
    ck_assert_uint_eq(kafka_read_string(&reader, true, false).len, INT16_MAX);
    ck_assert_int_eq(reader.err, ERR_OK);
}
END_TEST

START_TEST(an_array_longer_than_the_frame_costs_nothing)
{
    struct reader old = reader_of(BYTES(0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1));
    struct reader compact = reader_of(BYTES(0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 1));

    ck_assert_int_eq(kafka_read_i32_array(&old, &arena, false, false).count, 0);
    ck_assert_int_eq(kafka_read_i32_array(&compact, &arena, true, false).count, 0);
    ck_assert_int_eq(old.err, ERR_TRUNCATED);
    ck_assert_int_eq(compact.err, ERR_TRUNCATED);
    ck_assert_uint_eq(arena.used_bytes, 0);
}
END_TEST

START_TEST(an_array_that_the_arena_cannot_hold_is_refused)
{
    static uint8_t frame[4 + 40000] = {0, 0, 0x4e, 0x20}; /* 20000 empty strings */
    struct arena small;
    struct reader reader = reader_of(slice_of(frame, sizeof(frame)));

    arena_init(&small, 100000);
    kafka_read_string_array(&reader, &small, false, false);
    ck_assert_int_eq(reader.err, ERR_NO_MEMORY);
    arena_done(&small);
}
END_TEST

/* The worst that a request can do: groups without names, members or topics, three bytes each. */
START_TEST(a_frame_costs_at_most_its_amplification)
{
    const size_t count = 20000;
    const size_t len = 3 + 3 * count + 2;
    uint8_t *frame = calloc(1, len);
    struct kafka_offset_fetch_request request;
    struct reader reader;

    frame[0] = (uint8_t)(((count + 1) & 0x7f) | 0x80);
    frame[1] = (uint8_t)((((count + 1) >> 7) & 0x7f) | 0x80);
    frame[2] = (uint8_t)((count + 1) >> 14);
    for (size_t i = 0; i < count; i++)
        frame[3 + 3 * i] = 1;
    arena_done(&arena);
    arena_init(&arena, len * KAFKA_READ_AMPLIFICATION);
    reader = reader_of(slice_of(frame, len));
    ck_assert_int_eq(kafka_offset_fetch_request_read(&reader, 8, &arena, &request), ERR_OK);
    ck_assert_int_eq(request.groups.count, (int32_t)count);
    free(frame);
}
END_TEST

START_TEST(unknown_tags_are_skipped_by_their_size)
{
    struct kafka_heartbeat_request request;
    struct reader reader = reader_of(BYTES(2, 'g', 0, 0, 0, 1, 2, 'm', 0, 2, /* two tags */
                                           5, 3, 0xaa, 0xbb, 0xcc, 0x80, 0x01, 0));

    ck_assert_int_eq(kafka_heartbeat_request_read(&reader, 4, &arena, &request), ERR_OK);
    ck_assert_uint_eq(reader_left(&reader), 0);
    ck_assert(slice_equal_cstring(request.member_id, "m"));
}
END_TEST

START_TEST(tags_must_ascend)
{
    struct reader twice = reader_of(BYTES(2, 5, 0, 5, 0));
    struct reader down = reader_of(BYTES(2, 5, 0, 4, 0));

    kafka_skip_tags(&twice);
    kafka_skip_tags(&down);
    ck_assert_int_eq(twice.err, ERR_INVALID);
    ck_assert_int_eq(down.err, ERR_INVALID);
}
END_TEST

START_TEST(a_tag_longer_than_the_frame_is_truncated)
{
    struct reader long_value = reader_of(BYTES(1, 5, 4, 0));
    struct reader many_tags = reader_of(BYTES(0xff, 0xff, 0xff, 0xff, 0x0f, 5, 0));

    kafka_skip_tags(&long_value);
    kafka_skip_tags(&many_tags);
    ck_assert_int_eq(long_value.err, ERR_TRUNCATED);
    ck_assert_int_eq(many_tags.err, ERR_TRUNCATED);
}
END_TEST

/* Fetch request v12, all empty, with the cluster id in tag 0 of a given size. What is read points
 * into the frame. */
static enum err read_cluster_id(uint8_t size, struct kafka_fetch_request *out)
{
    static uint8_t frame[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,   0,   0,   0,
                              0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 3, 'c', 'i', 'd', 'e'};
    struct reader reader;

    frame[30] = size;
    reader = reader_of(slice_of(frame, sizeof(frame)));
    return kafka_fetch_request_read(&reader, 12, &arena, out);
}

START_TEST(a_known_tag_must_fill_its_size)
{
    struct kafka_fetch_request request;

    ck_assert_int_eq(read_cluster_id(3, &request), ERR_OK);
    ck_assert(slice_equal_cstring(request.cluster_id, "ci"));
    ck_assert_int_eq(read_cluster_id(2, &request), ERR_TRUNCATED);
    ck_assert_int_eq(read_cluster_id(4, &request), ERR_INVALID);
}
END_TEST

START_TEST(fields_that_a_version_lacks_keep_their_defaults)
{
    struct kafka_metadata_request metadata;
    struct kafka_join_group_request join;
    struct reader old_metadata = reader_of(BYTES(0, 0, 0, 0));
    struct reader old_join = reader_of(BYTES(0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0));

    ck_assert_int_eq(kafka_metadata_request_read(&old_metadata, 1, &arena, &metadata), ERR_OK);
    ck_assert(metadata.allow_auto_topic_creation);
    ck_assert_int_eq(kafka_join_group_request_read(&old_join, 0, &arena, &join), ERR_OK);
    ck_assert_int_eq(join.session_timeout_ms, 9);
    ck_assert_int_eq(join.rebalance_timeout_ms, -1);
    ck_assert(slice_is_null(join.group_instance_id));
}
END_TEST

START_TEST(a_null_that_a_version_cannot_say_is_not_written)
{
    struct kafka_metadata_request request;

    kafka_metadata_request_init_defaults(&request);
    request.topics.count = -1;
    ck_assert_int_eq(kafka_metadata_request_write(&writer, 0, &request), ERR_INVALID);
}
END_TEST

START_TEST(a_string_too_long_for_the_wire_is_not_written)
{
    static uint8_t text[INT16_MAX + 1];

    kafka_write_string(&writer, false, false, slice_of(text, sizeof(text)));
    ck_assert_int_eq(writer.err, ERR_TOO_LARGE);
    ck_assert_uint_eq(buffer.len, 0);
}
END_TEST

START_TEST(the_size_of_a_long_tag_is_put_before_it)
{
    uint8_t value[200];

    memset(value, 7, sizeof(value));
    const size_t position = kafka_write_tag_begin(&writer, 3);
    writer_bytes(&writer, value, sizeof(value));
    kafka_write_tag_end(&writer, position);

    ck_assert_uint_eq(buffer.len, 1 + 2 + sizeof(value));
    ck_assert_int_eq(memcmp(buffer.data, "\x03\xc8\x01\x07", 4), 0);
    ck_assert_int_eq(buffer.data[buffer.len - 1], 7);
}
END_TEST

START_TEST(array_init_gives_elements_with_defaults)
{
    struct kafka_list_offsets_response_partition_array array;

    ck_assert_int_eq(kafka_list_offsets_response_partition_array_init(&array, &arena, 2), ERR_OK);
    ck_assert_int_eq(array.count, 2);
    ck_assert_int_eq(array.items[1].offset, -1);
    ck_assert_int_eq(array.items[1].leader_epoch, -1);
    ck_assert_int_eq(kafka_list_offsets_response_partition_array_init(&array, &arena, -1),
                     ERR_INVALID);
    ck_assert_int_eq(kafka_list_offsets_response_partition_array_init(&array, &arena, INT32_MAX),
                     ERR_NO_MEMORY);
}
END_TEST

START_TEST(stored_keys_and_values_have_their_prefix)
{
    struct kafka_group_metadata_key key = {SLICE_LITERAL("g")};
    struct kafka_offset_commit_value value;
    struct kafka_offset_commit_value back;
    struct reader reader;

    ck_assert_int_eq(kafka_group_metadata_key_write_prefixed(&writer, &key), ERR_OK);
    expect_written(BYTES(0, 2, 0, 1, 'g'));

    buffer_clear(&buffer);
    kafka_offset_commit_value_init_defaults(&value);
    value.offset = 5;
    ck_assert_int_eq(kafka_offset_commit_value_write_prefixed(&writer, 3, &value), ERR_OK);
    ck_assert_int_eq(buffer.data[1], 3);
    reader = reader_of(buffer_slice(&buffer));
    ck_assert_int_eq(kafka_offset_commit_value_read_prefixed(&reader, &arena, &back), ERR_OK);
    ck_assert_int_eq(back.offset, 5);

    buffer.data[1] = 9;
    reader = reader_of(buffer_slice(&buffer));
    ck_assert_int_eq(kafka_offset_commit_value_read_prefixed(&reader, &arena, &back),
                     ERR_UNSUPPORTED);
}
END_TEST

START_TEST(a_subscription_of_a_newer_client_is_read_as_far_as_we_know_it)
{
    struct kafka_consumer_protocol_subscription subscription;
    struct reader reader = reader_of(BYTES(0, 9, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff, 0,
                                           0, 0, 0, 0, 0, 0, 4, 0xff, 0xff, 'n', 'e', 'w'));

    ck_assert_int_eq(
        kafka_consumer_protocol_subscription_read_prefixed(&reader, &arena, &subscription), ERR_OK);
    ck_assert_int_eq(subscription.topics.count, 1);
    ck_assert_int_eq(subscription.generation_id, 4);
    ck_assert_uint_eq(reader_left(&reader), 3);
}
END_TEST

/* Two partitions: one with records worth cutting, one with few. */
static void make_fetch_response(struct kafka_fetch_response *response)
{
    kafka_fetch_response_init_defaults(response);
    ck_assert_int_eq(kafka_fetch_response_topic_array_init(&response->responses, &arena, 1),
                     ERR_OK);
    struct kafka_fetch_response_topic *topic = &response->responses.items[0];
    ck_assert_int_eq(kafka_fetch_response_partition_array_init(&topic->partitions, &arena, 2),
                     ERR_OK);
    topic->partitions.items[0].records = SLICE_LITERAL("LONG ENOUGH TO BE CUT OUT");
    topic->partitions.items[1].records = SLICE_LITERAL("SHORT");
}

/* The frame as it goes to the socket: the buffer with the cuts put in. */
static void join_cuts(const struct kafka_cut_list *cuts, struct buffer *ret_frame)
{
    size_t at = 0;

    for (size_t i = 0; i < cuts->count; i++) {
        ck_assert_uint_ge(cuts->items[i].position, at);
        ck_assert_int_eq(buffer_append(ret_frame, buffer.data + at, cuts->items[i].position - at),
                         ERR_OK);
        ck_assert_int_eq(buffer_append_slice(ret_frame, cuts->items[i].bytes), ERR_OK);
        at = cuts->items[i].position;
    }
    ck_assert_int_eq(buffer_append(ret_frame, buffer.data + at, buffer.len - at), ERR_OK);
}

START_TEST(large_records_are_cut_out_and_small_ones_copied)
{
    struct kafka_fetch_response response;
    struct kafka_cut items[4];
    struct kafka_cut_list cuts = {.items = items, .capacity = 4, .min_bytes = 10};
    struct buffer joined, whole;
    struct writer whole_writer;

    make_fetch_response(&response);
    buffer_init(&joined, 1 << 16);
    buffer_init(&whole, 1 << 16);
    writer_init(&whole_writer, &whole);
    ck_assert_int_eq(kafka_fetch_response_write_cut(&writer, 17, &response, &cuts), ERR_OK);
    ck_assert_int_eq(kafka_fetch_response_write(&whole_writer, 17, &response), ERR_OK);

    ck_assert_uint_eq(cuts.count, 1);
    ck_assert_ptr_eq(cuts.items[0].bytes.data,
                     response.responses.items[0].partitions.items[0].records.data);
    ck_assert_uint_eq(buffer.len + cuts.total_bytes, whole.len);
    join_cuts(&cuts, &joined);
    ck_assert(slice_equal(buffer_slice(&joined), buffer_slice(&whole)));
    buffer_done(&joined);
    buffer_done(&whole);
}
END_TEST

START_TEST(records_are_copied_once_the_list_of_cuts_is_full)
{
    struct kafka_fetch_response response;
    struct kafka_cut items[1];
    struct kafka_cut_list cuts = {.items = items, .capacity = 1};

    make_fetch_response(&response);
    ck_assert_int_eq(kafka_fetch_response_write_cut(&writer, 17, &response, &cuts), ERR_OK);
    ck_assert_uint_eq(cuts.count, 1);
    ck_assert_ptr_nonnull(memmem(buffer.data, buffer.len, "SHORT", 5));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/kafka wire");
    TCase *tc = tcase_create("wire");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, null_and_empty_strings_stay_apart);
    tcase_add_test(tc, null_where_it_may_not_be_is_invalid);
    tcase_add_test(tc, a_negative_length_other_than_minus_one_is_invalid);
    tcase_add_test(tc, a_compact_string_is_not_longer_than_an_old_one_could_be);
    tcase_add_test(tc, an_array_longer_than_the_frame_costs_nothing);
    tcase_add_test(tc, an_array_that_the_arena_cannot_hold_is_refused);
    tcase_add_test(tc, a_frame_costs_at_most_its_amplification);
    tcase_add_test(tc, unknown_tags_are_skipped_by_their_size);
    tcase_add_test(tc, tags_must_ascend);
    tcase_add_test(tc, a_tag_longer_than_the_frame_is_truncated);
    tcase_add_test(tc, a_known_tag_must_fill_its_size);
    tcase_add_test(tc, fields_that_a_version_lacks_keep_their_defaults);
    tcase_add_test(tc, a_null_that_a_version_cannot_say_is_not_written);
    tcase_add_test(tc, a_string_too_long_for_the_wire_is_not_written);
    tcase_add_test(tc, the_size_of_a_long_tag_is_put_before_it);
    tcase_add_test(tc, array_init_gives_elements_with_defaults);
    tcase_add_test(tc, stored_keys_and_values_have_their_prefix);
    tcase_add_test(tc, a_subscription_of_a_newer_client_is_read_as_far_as_we_know_it);
    tcase_add_test(tc, large_records_are_cut_out_and_small_ones_copied);
    tcase_add_test(tc, records_are_copied_once_the_list_of_cuts_is_full);
    suite_add_tcase(suite, tc);
    return suite;
}

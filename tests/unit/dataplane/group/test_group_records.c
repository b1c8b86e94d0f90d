/* SPDX-License-Identifier: Apache-2.0 */
/* The records of __consumer_offsets, byte by byte (kafka-protocol reference, appendix B), and the
 * partition a group belongs to. The bytes were put together by hand from the layouts. */
#include "dataplane/group/group_partition.h"
#include "dataplane/group/group_records.h"
#include "tests/unit/dataplane/group/group_rig.h"

#include <stdlib.h>

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__})
#define GOLDEN(name, ...)                                                                          \
    static const uint8_t name##_bytes[] = {__VA_ARGS__};                                           \
    static const struct slice name = {name##_bytes, sizeof(name##_bytes)}

GOLDEN(offset_key, 0, 1, 0, 2, 'g', '1', 0, 3, 't', 'o', 'p', 0, 0, 0, 5);
GOLDEN(legacy_offset_key, 0, 0, 0, 2, 'g', '1', 0, 3, 't', 'o', 'p', 0, 0, 0, 5);
GOLDEN(metadata_key, 0, 2, 0, 2, 'g', '1');
/* offset 258, leader epoch 9, metadata "hi", committed at 0x0102030405060708 */
GOLDEN(offset_v3, 0, 3, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 9, 0, 2, 'h', 'i', 1, 2, 3, 4, 5, 6, 7, 8);
GOLDEN(offset_v2, 0, 2, 0, 0, 0, 0, 0, 0, 1, 2, 0, 2, 'h', 'i', 1, 2, 3, 4, 5, 6, 7, 8);
GOLDEN(offset_v1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 2, 'h', 'i', 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4,
       5, 6, 7, 9);
GOLDEN(offset_v0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 2, 'h', 'i', 1, 2, 3, 4, 5, 6, 7, 8);
/* type "c", generation 4, protocol "r", leader "m", since 256, one member */
GOLDEN(metadata_v3, 0, 3, 0, 1, 'c', 0, 0, 0, 4, 0, 1, 'r', 0, 1, 'm', 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
       0, 1,
       /* member "m", instance "i", client "k", host "/h", rebalance 300, session 10 */
       0, 1, 'm', 0, 1, 'i', 0, 1, 'k', 0, 2, '/', 'h', 0, 0, 1, 0x2c, 0, 0, 0, 10,
       /* subscription "S", assignment "AB" */
       0, 0, 0, 1, 'S', 0, 0, 0, 2, 'A', 'B');
GOLDEN(metadata_v3_empty, 0, 3, 0, 1, 'c', 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 1,
       1, 0, 0, 0, 0);
GOLDEN(metadata_v2, 0, 2, 0, 1, 'c', 0, 0, 0, 4, 0, 1, 'r', 0, 1, 'm', 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
       0, 1, 0, 1, 'm', 0, 1, 'k', 0, 2, '/', 'h', 0, 0, 1, 0x2c, 0, 0, 0, 10, 0, 0, 0, 1, 'S', 0,
       0, 0, 2, 'A', 'B');
GOLDEN(metadata_v1, 0, 1, 0, 1, 'c', 0, 0, 0, 4, 0, 1, 'r', 0, 1, 'm', 0, 0, 0, 1, 0, 1, 'm', 0, 1,
       'k', 0, 2, '/', 'h', 0, 0, 1, 0x2c, 0, 0, 0, 10, 0, 0, 0, 1, 'S', 0, 0, 0, 2, 'A', 'B');
/* Flexible: lengths and counts are n + 1, every struct ends with its tags; tag 0 is the topic id. */
GOLDEN(offset_v4, 0, 4, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 9, 3, 'h', 'i', 1, 2, 3, 4, 5, 6, 7, 8, 1,
       0, 16, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
GOLDEN(metadata_v4, 0, 4, 2, 'c', 0, 0, 0, 4, 2, 'r', 2, 'm', 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 'm', 2,
       'i', 2, 'k', 3, '/', 'h', 0, 0, 1, 0x2c, 0, 0, 0, 10, 2, 'S', 3, 'A', 'B', 0, 0);
GOLDEN(metadata_v0, 0, 0, 0, 1, 'c', 0, 0, 0, 4, 0, 1, 'r', 0, 1, 'm', 0, 0, 0, 1, 0, 1, 'm', 0, 1,
       'k', 0, 2, '/', 'h', 0, 0, 0, 10, 0, 0, 0, 1, 'S', 0, 0, 0, 2, 'A', 'B');

static void check_bytes(struct buffer *buffer, enum err rc, struct slice golden)
{
    ck_assert_int_eq(rc, ERR_OK);
    ck_assert_uint_eq(buffer->len, golden.len);
    ck_assert_mem_eq(buffer->data, golden.data, golden.len);
    buffer_clear(buffer);
}

static struct kafka_group_metadata_value_member member_m(void)
{
    return (struct kafka_group_metadata_value_member){
        .member_id = SLICE_LITERAL("m"),
        .group_instance_id = SLICE_LITERAL("i"),
        .client_id = SLICE_LITERAL("k"),
        .client_host = SLICE_LITERAL("/h"),
        .rebalance_timeout = 300,
        .session_timeout = 10,
        .subscription = SLICE_LITERAL("S"),
        .assignment = SLICE_LITERAL("AB"),
    };
}

START_TEST(records_are_written_as_apache_writes_them)
{
    struct buffer buffer;
    struct writer writer;
    struct kafka_offset_commit_value offset = {.offset = 258,
                                               .leader_epoch = 9,
                                               .metadata = SLICE_LITERAL("hi"),
                                               .commit_timestamp = 0x0102030405060708,
                                               .expire_timestamp = -1};
    struct kafka_group_metadata_value_member member = member_m();
    struct kafka_group_metadata_value group = {.protocol_type = SLICE_LITERAL("c"),
                                               .generation = 4,
                                               .protocol = SLICE_LITERAL("r"),
                                               .leader = SLICE_LITERAL("m"),
                                               .current_state_timestamp = 256,
                                               .members = {&member, 1}};

    buffer_init(&buffer, 1000);
    writer_init(&writer, &buffer);
    group_record_write_offset_key(&writer, SLICE_LITERAL("g1"), SLICE_LITERAL("top"), 5);
    check_bytes(&buffer, writer.err, offset_key);
    group_record_write_metadata_key(&writer, SLICE_LITERAL("g1"));
    check_bytes(&buffer, writer.err, metadata_key);
    group_record_write_offset(&writer, &offset);
    check_bytes(&buffer, writer.err, offset_v3);
    offset.expire_timestamp = 0x0102030405060709;
    group_record_write_offset(&writer, &offset);
    check_bytes(&buffer, writer.err, offset_v1);
    group_record_write_metadata(&writer, &group);
    check_bytes(&buffer, writer.err, metadata_v3);
    group = (struct kafka_group_metadata_value){
        .protocol_type = SLICE_LITERAL("c"), .generation = 5, .current_state_timestamp = 257};
    group_record_write_metadata(&writer, &group);
    check_bytes(&buffer, writer.err, metadata_v3_empty);
    buffer_done(&buffer);
}
END_TEST

START_TEST(keys_of_both_versions_are_read)
{
    struct group_record_key key;

    ck_assert_int_eq(group_record_read_key(offset_key, &key), ERR_OK);
    ck_assert_int_eq(key.kind, GROUP_RECORD_OFFSET);
    ck_assert(slice_equal_cstring(key.group_id, "g1"));
    ck_assert(slice_equal_cstring(key.topic, "top"));
    ck_assert_int_eq(key.partition, 5);
    ck_assert_int_eq(group_record_read_key(legacy_offset_key, &key), ERR_OK);
    ck_assert_int_eq(key.kind, GROUP_RECORD_OFFSET);
    ck_assert_int_eq(group_record_read_key(metadata_key, &key), ERR_OK);
    ck_assert_int_eq(key.kind, GROUP_RECORD_METADATA);
    ck_assert(slice_equal_cstring(key.group_id, "g1"));
}
END_TEST

START_TEST(offset_values_of_versions_0_to_4_are_read)
{
    static const struct slice *values[] = {&offset_v0, &offset_v1, &offset_v2, &offset_v3,
                                           &offset_v4};

    for (int version = 0; version <= 4; version++) {
        struct kafka_offset_commit_value offset;

        ck_assert_int_eq(group_record_read_offset(*values[version], &offset), ERR_OK);
        ck_assert_int_eq(offset.offset, 258);
        ck_assert_int_eq(offset.leader_epoch, version >= 3 ? 9 : -1);
        ck_assert(slice_equal_cstring(offset.metadata, "hi"));
        ck_assert_int_eq(offset.commit_timestamp, 0x0102030405060708);
        ck_assert_int_eq(offset.expire_timestamp, version == 1 ? 0x0102030405060709 : -1);
    }
}
END_TEST

START_TEST(metadata_values_of_versions_0_to_4_are_read)
{
    static const struct slice *values[] = {&metadata_v0, &metadata_v1, &metadata_v2, &metadata_v3,
                                           &metadata_v4};
    struct arena arena;

    arena_init(&arena, 100000);
    for (int version = 0; version <= 4; version++) {
        struct kafka_group_metadata_value group;
        struct kafka_group_metadata_value_member member;

        ck_assert_int_eq(group_record_read_metadata(*values[version], &arena, &group), ERR_OK);
        ck_assert_int_eq(group.generation, 4);
        ck_assert_int_eq(group.current_state_timestamp, version >= 2 ? 256 : -1);
        ck_assert_int_eq(group.members.count, 1);
        member = group.members.items[0];
        ck_assert(slice_equal_cstring(member.member_id, "m"));
        ck_assert_int_eq(slice_is_null(member.group_instance_id), version < 3);
        ck_assert_int_eq(member.session_timeout, 10);
        ck_assert_int_eq(member.rebalance_timeout, version >= 1 ? 300 : -1);
        ck_assert(slice_equal_cstring(member.subscription, "S"));
        ck_assert(slice_equal_cstring(member.assignment, "AB"));
    }
    arena_done(&arena);
}
END_TEST

START_TEST(a_record_cut_anywhere_is_corrupt_and_never_read_past_its_end)
{
    struct arena arena;

    arena_init(&arena, 100000);
    for (size_t len = 0; len < metadata_v3.len; len++) {
        struct kafka_group_metadata_value group;
        uint8_t *copy = malloc(len > 0 ? len : 1);

        ck_assert_ptr_nonnull(copy);
        memcpy(copy, metadata_v3.data, len);
        ck_assert_int_ne(group_record_read_metadata(slice_of(copy, len), &arena, &group), ERR_OK);
        free(copy);
    }
    arena_done(&arena);
    for (size_t len = 0; len < offset_v3.len; len++) {
        struct kafka_offset_commit_value offset;

        ck_assert_int_ne(group_record_read_offset(slice_of(offset_v3.data, len), &offset), ERR_OK);
    }
}
END_TEST

START_TEST(unknown_keys_and_newer_values_are_skipped_and_counted)
{
    struct rig rig;
    struct group_shard_counts counts;
    struct slice newer = {BYTES(0, 5, 1, 2, 3), 5};
    struct slice consumer_key = {BYTES(0, 3, 0, 1, 'g'), 5};
    struct slice nonsense = {BYTES(9), 1};

    rig_init(&rig);
    rig_start(&rig);
    rig.shard->phase = SHARD_LOADING;
    ck_assert_int_eq(group_shard_replay(rig.shard, consumer_key, offset_v3), ERR_OK);
    ck_assert_int_eq(group_shard_replay(rig.shard, nonsense, offset_v3), ERR_OK);
    ck_assert_int_eq(group_shard_replay(rig.shard, SLICE_NULL, offset_v3), ERR_OK);
    ck_assert_int_eq(group_shard_replay(rig.shard, offset_key, newer), ERR_OK);
    ck_assert_int_eq(group_shard_replay(rig.shard, metadata_key, newer), ERR_OK);
    ck_assert_int_eq(group_shard_replay(rig.shard, offset_key, offset_v0), ERR_OK);
    ck_assert_int_eq(group_shard_replay(rig.shard, metadata_key, metadata_v0), ERR_OK);
    group_shard_loaded(rig.shard, rig.time);
    group_shard_count(rig.shard, &counts);
    ck_assert_int_eq(counts.skipped_records, 5);
    ck_assert_int_eq(counts.groups, 1);
    ck_assert_int_eq(rig_fetch(&rig, "g1", "top", 5), 258);
    ck_assert_str_eq(rig_state(&rig, "g1"), "Stable");
    rig_done(&rig);
}
END_TEST

START_TEST(a_group_record_after_its_offsets_keeps_them_as_in_a_compacted_log)
{
    struct rig rig;

    rig_init(&rig);
    rig_start(&rig);
    rig.shard->phase = SHARD_LOADING;
    ck_assert_int_eq(group_shard_replay(rig.shard, offset_key, offset_v3), ERR_OK);
    ck_assert_int_eq(group_shard_replay(rig.shard, metadata_key, SLICE_NULL), ERR_OK);
    ck_assert_int_eq(group_shard_replay(rig.shard, metadata_key, metadata_v3_empty), ERR_OK);
    group_shard_loaded(rig.shard, rig.time);
    ck_assert_int_eq(rig_fetch(&rig, "g1", "top", 5), 258);
    rig_done(&rig);
}
END_TEST

START_TEST(a_group_record_with_a_member_twice_is_loaded_with_one)
{
    struct rig rig;
    struct buffer buffer;
    struct writer writer;
    struct kafka_group_metadata_value_member members[2] = {member_m(), member_m()};
    struct kafka_group_metadata_value group = {.protocol_type = SLICE_LITERAL("c"),
                                               .leader = SLICE_LITERAL("nobody"),
                                               .members = {members, 2}};

    buffer_init(&buffer, 1000);
    writer_init(&writer, &buffer);
    group_record_write_metadata(&writer, &group);
    ck_assert_int_eq(writer.err, ERR_OK);
    rig_init(&rig);
    rig_start(&rig);
    rig.shard->phase = SHARD_LOADING;
    ck_assert_int_eq(group_shard_replay(rig.shard, metadata_key, buffer_slice(&buffer)), ERR_OK);
    group_shard_loaded(rig.shard, rig.time);
    ck_assert_uint_eq(rig_describe(&rig, "g1")->call.describe.reply.member_count, 1);
    rig_done(&rig);
    buffer_done(&buffer);
}
END_TEST

/* Expected values: String.hashCode by hand, h = 31 * h + unit. */
START_TEST(a_group_belongs_to_the_partition_that_java_computes)
{
    ck_assert_int_eq(group_partition_for(SLICE_LITERAL(""), 50), 0);
    ck_assert_int_eq(group_partition_for(SLICE_LITERAL("a"), 50), 97 % 50);
    /* "ab" = 97 * 31 + 98 = 3105 */
    ck_assert_int_eq(group_partition_for(SLICE_LITERAL("ab"), 1000), 105);
    /* "polygenelubricants" hashes to the smallest int, whose abs Kafka makes 0. */
    ck_assert_int_eq(group_partition_for(SLICE_LITERAL("polygenelubricants"), 7), 0);
    /* U+00E9: one unit 233, two bytes. */
    ck_assert_int_eq(group_partition_for(SLICE_LITERAL("\xc3\xa9"), 1000), 233);
    /* U+1F600: units D83D DE00 = 55357 * 31 + 56832 = 1772899 */
    ck_assert_int_eq(group_partition_for(SLICE_LITERAL("\xf0\x9f\x98\x80"), 1000000), 772899);
    /* U+20AC: 8364 */
    ck_assert_int_eq(group_partition_for(SLICE_LITERAL("\xe2\x82\xac"), 10000), 8364);
    /* Not UTF-8: U+FFFD = 65533 */
    ck_assert_int_eq(group_partition_for(SLICE_LITERAL("\xff"), 100000), 65533);
    ck_assert_int_eq(group_partition_for(SLICE_LITERAL("my-group"), 1), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("group records");
    TCase *tcase = tcase_create("format");

    tcase_add_test(tcase, records_are_written_as_apache_writes_them);
    tcase_add_test(tcase, keys_of_both_versions_are_read);
    tcase_add_test(tcase, offset_values_of_versions_0_to_4_are_read);
    tcase_add_test(tcase, metadata_values_of_versions_0_to_4_are_read);
    tcase_add_test(tcase, a_record_cut_anywhere_is_corrupt_and_never_read_past_its_end);
    tcase_add_test(tcase, unknown_keys_and_newer_values_are_skipped_and_counted);
    tcase_add_test(tcase, a_group_record_after_its_offsets_keeps_them_as_in_a_compacted_log);
    tcase_add_test(tcase, a_group_record_with_a_member_twice_is_loaded_with_one);
    tcase_add_test(tcase, a_group_belongs_to_the_partition_that_java_computes);
    suite_add_tcase(suite, tcase);
    return suite;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/arena.h"
#include "common/base/buffer.h"
#include "common/base/hash_table.h"
#include "common/base/spare_pool.h"
#include "common/base/uuid.h"
#include "tests/support/check_main.h"

#include <stdlib.h>

START_TEST(arena_gives_zeroed_aligned_memory_until_its_maximum)
{
    struct arena arena;
    size_t given = 0;

    arena_init(&arena, 64 * 1024);
    for (;;) {
        uint8_t *at = arena_alloc(&arena, 1000);

        if (at == NULL)
            break;
        ck_assert_uint_eq((uintptr_t)at % 16, 0);
        for (int i = 0; i < 1000; i++)
            ck_assert_uint_eq(at[i], 0);
        memset(at, 0xff, 1000);
        given += 1000;
    }
    ck_assert_uint_gt(given, 48 * 1024);
    ck_assert_uint_le(given, 64 * 1024);
    arena_done(&arena);
}
END_TEST

START_TEST(arena_array_refuses_a_product_that_overflows)
{
    struct arena arena;

    arena_init(&arena, SIZE_MAX);
    ck_assert_ptr_null(arena_array(&arena, SIZE_MAX / 2, 16));
    arena_done(&arena);
}
END_TEST

START_TEST(arena_serves_again_after_reset)
{
    struct arena arena;

    arena_init(&arena, 1 << 20);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            ck_assert_ptr_nonnull(arena_alloc(&arena, 500));
        arena_reset(&arena);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(arena_cstring_refuses_inner_nul)
{
    struct arena arena;
    const char *text = NULL;

    arena_init(&arena, 4096);
    ck_assert_int_eq(arena_cstring(&arena, slice_of("a\0b", 3), &text), ERR_INVALID);
    ck_assert_int_eq(arena_cstring(&arena, SLICE_NULL, &text), ERR_INVALID);
    ck_assert_int_eq(arena_cstring(&arena, SLICE_LITERAL("ab"), &text), ERR_OK);
    arena_done(&arena);
}
END_TEST

START_TEST(an_arena_gives_its_chunks_back_to_the_spare_blocks)
{
    struct spare_pool pool;
    size_t waiting = 0;

    spare_pool_init(&pool, 1 << 20);
    for (int round = 0; round < 3; round++) {
        struct arena arena;

        arena_init_spare(&arena, 1 << 20, &pool);
        for (int i = 0; i < 100; i++)
            ck_assert_ptr_nonnull(arena_alloc(&arena, 500));
        if (round > 0 && pool.bytes_max > 0)
            ck_assert_uint_eq(pool.bytes, 0); /* all of them are in use again */
        arena_done(&arena);
        if (round > 0)
            ck_assert_uint_eq(pool.bytes, waiting);
        waiting = pool.bytes;
    }
    spare_pool_done(&pool);
}
END_TEST

START_TEST(a_buffer_grows_through_spare_blocks)
{
    struct spare_pool pool;
    struct buffer buffer;

    spare_pool_init(&pool, 1 << 20);
    for (int round = 0; round < 2; round++) {
        buffer_init_spare(&buffer, 10000, &pool);
        for (int i = 0; i < 1000; i++)
            ck_assert_int_eq(buffer_append(&buffer, "0123456789", 10), ERR_OK);
        ck_assert_int_eq(buffer_append(&buffer, "x", 1), ERR_TOO_LARGE);
        for (size_t i = 0; i < buffer.len; i++)
            ck_assert_int_eq(buffer.data[i], '0' + (int)(i % 10));
        buffer_done(&buffer);
    }
    spare_pool_done(&pool);
}
END_TEST

START_TEST(buffer_never_grows_past_its_maximum)
{
    struct buffer buffer;

    buffer_init(&buffer, 300);
    ck_assert_int_eq(buffer_reserve(&buffer, 301), ERR_TOO_LARGE);
    for (int i = 0; i < 30; i++)
        ck_assert_int_eq(buffer_append(&buffer, "0123456789", 10), ERR_OK);
    ck_assert_int_eq(buffer_append(&buffer, "x", 1), ERR_TOO_LARGE);
    buffer_consume(&buffer, 295);
    ck_assert(slice_equal(buffer_slice(&buffer), SLICE_LITERAL("56789")));
    buffer_done(&buffer);
}
END_TEST

struct item {
    struct hash_node node;
    int key;
};

static bool item_equal(const struct hash_node *node, const void *key)
{
    return container_of(node, const struct item, node)->key == *(const int *)key;
}

START_TEST(hash_table_finds_each_of_ten_thousand_and_forgets_the_removed)
{
    static struct item items[10000];
    struct hash_seed seed = {1, 2};
    struct hash_table table;
    size_t walked = 0;

    hash_table_init(&table, seed);
    for (int i = 0; i < 10000; i++) {
        items[i].key = i;
        ck_assert_int_eq(hash_table_insert(&table, hash_bytes(seed, &i, sizeof(i)), &items[i].node),
                         ERR_OK);
    }
    for (int i = 0; i < 10000; i += 2)
        hash_table_remove(&table, &items[i].node);
    for (int i = 0; i < 10000; i++) {
        struct hash_node *found =
            hash_table_find(&table, hash_bytes(seed, &i, sizeof(i)), item_equal, &i);

        ck_assert_ptr_eq(found, i % 2 == 0 ? NULL : &items[i].node);
    }
    for (struct hash_node *node = NULL; (node = hash_table_next(&table, node)) != NULL;)
        walked++;
    ck_assert_uint_eq(walked, 5000);
    hash_table_done(&table);
}
END_TEST

START_TEST(hash_depends_on_every_byte_and_on_the_seed)
{
    struct hash_seed seed = {1, 2}, other = {1, 3};
    uint8_t bytes[17] = {0};
    uint64_t base = hash_bytes(seed, bytes, sizeof(bytes));

    ck_assert_uint_ne(base, hash_bytes(other, bytes, sizeof(bytes)));
    ck_assert_uint_ne(base, hash_bytes(seed, bytes, sizeof(bytes) - 1));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = 1;
        ck_assert_uint_ne(base, hash_bytes(seed, bytes, sizeof(bytes)));
        bytes[i] = 0;
    }
}
END_TEST

START_TEST(uuid_text_forms_round_trip)
{
    struct uuid uuid;
    char text[UUID_TEXT_LEN + 1], base64[UUID_BASE64_LEN + 1];

    ck_assert_int_eq(uuid_parse(SLICE_LITERAL("00000000-0000-0000-0000-000000000001"), &uuid),
                     ERR_OK);
    uuid_format_base64(uuid, base64);
    ck_assert_str_eq(base64, "AAAAAAAAAAAAAAAAAAAAAQ"); /* Kafka's metadata topic id */
    uuid_format(uuid, text);
    ck_assert_str_eq(text, "00000000-0000-0000-0000-000000000001");
    ck_assert_int_eq(uuid_parse(SLICE_LITERAL("00000000-0000-0000-0000+000000000001"), &uuid),
                     ERR_INVALID);
}
END_TEST

/* Under AddressSanitizer nothing waits. */
START_TEST(spare_blocks_are_used_again_the_warmest_first)
{
    struct spare_pool pool;
    void *blocks[3];

    spare_pool_init(&pool, 1 << 20);
    for (int i = 0; i < 3; i++) {
        blocks[i] = spare_pool_take(&pool, 1000);
        ck_assert_ptr_nonnull(blocks[i]);
        memset(blocks[i], 0xff, 1000);
    }
    for (int i = 0; i < 3; i++)
        spare_pool_give(&pool, blocks[i], 1000);
    spare_pool_give(&pool, NULL, 1000);
    for (int i = 2; i >= 0 && pool.bytes_max > 0; i--) {
        void *block = spare_pool_take(&pool, 1000 + (size_t)i);

        ck_assert_ptr_eq(block, blocks[i]);
        free(block);
    }
    ck_assert_uint_eq(pool.bytes, 0);
    spare_pool_done(&pool);
}
END_TEST

START_TEST(a_spare_block_has_the_room_that_was_asked_for_and_at_most_a_quarter_more)
{
    struct spare_pool pool;

    spare_pool_init(&pool, SIZE_MAX);
    for (size_t size = 0; size < (size_t)3 << 20; size += size / 37 + 1) {
        uint8_t *block = spare_pool_take(&pool, size);

        ck_assert_ptr_nonnull(block);
        memset(block, 0xff, size);
        spare_pool_give(&pool, block, size);
        ck_assert_uint_le(pool.bytes, size < 64 ? 64 : size + size / 4);
        if (pool.bytes > 0)
            ck_assert_uint_ge(pool.bytes, size);
        spare_pool_done(&pool);
        ck_assert_uint_eq(pool.bytes, 0);
    }
}
END_TEST

START_TEST(spare_blocks_that_waited_longest_go_when_there_are_too_many)
{
    struct spare_pool pool;
    void *old = NULL, *blocks[4];

    spare_pool_init(&pool, 4 * 1024);
    old = spare_pool_take(&pool, 2048);
    for (int i = 0; i < 4; i++)
        blocks[i] = spare_pool_take(&pool, 1024);
    spare_pool_give(&pool, old, 2048);
    for (int i = 0; i < 4; i++) {
        spare_pool_give(&pool, blocks[i], 1024);
        ck_assert_uint_le(pool.bytes, pool.bytes_max);
    }
    ck_assert_uint_eq(pool.bytes, pool.bytes_max); /* the four small ones */
    for (int i = 3; i >= 0 && pool.bytes_max > 0; i--) {
        void *block = spare_pool_take(&pool, 1024);

        ck_assert_ptr_eq(block, blocks[i]);
        free(block);
    }
    spare_pool_done(&pool);
}
END_TEST

START_TEST(a_spare_block_keeps_its_content_in_another_size)
{
    static const size_t sizes[] = {100, 1000, 70000, (size_t)3 << 20, 5 << 20, 1000, 64};
    struct spare_pool pool;
    struct spare_pool *pools[] = {&pool, NULL};

    spare_pool_init(&pool, 1 << 20);
    for (int p = 0; p < 2; p++) {
        uint8_t *block = NULL;
        size_t size = 0;

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            block = spare_pool_resize(pools[p], block, size, sizes[i]);
            ck_assert_ptr_nonnull(block);
            for (uint8_t b = 0; b < 64 && size > 0; b++)
                ck_assert_uint_eq(block[b], b);
            size = sizes[i];
            memset(block, 0xff, size);
            for (uint8_t b = 0; b < 64; b++)
                block[b] = b;
        }
        spare_pool_give(pools[p], block, size);
    }
    spare_pool_done(&pool);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/base/memory");
    TCase *tc = tcase_create("memory");

    tcase_add_test(tc, arena_gives_zeroed_aligned_memory_until_its_maximum);
    tcase_add_test(tc, arena_array_refuses_a_product_that_overflows);
    tcase_add_test(tc, arena_serves_again_after_reset);
    tcase_add_test(tc, arena_cstring_refuses_inner_nul);
    tcase_add_test(tc, an_arena_gives_its_chunks_back_to_the_spare_blocks);
    tcase_add_test(tc, a_buffer_grows_through_spare_blocks);
    tcase_add_test(tc, buffer_never_grows_past_its_maximum);
    tcase_add_test(tc, hash_table_finds_each_of_ten_thousand_and_forgets_the_removed);
    tcase_add_test(tc, hash_depends_on_every_byte_and_on_the_seed);
    tcase_add_test(tc, spare_blocks_are_used_again_the_warmest_first);
    tcase_add_test(tc, a_spare_block_has_the_room_that_was_asked_for_and_at_most_a_quarter_more);
    tcase_add_test(tc, spare_blocks_that_waited_longest_go_when_there_are_too_many);
    tcase_add_test(tc, a_spare_block_keeps_its_content_in_another_size);
    tcase_add_test(tc, uuid_text_forms_round_trip);
    suite_add_tcase(suite, tc);
    return suite;
}

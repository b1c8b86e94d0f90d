/* SPDX-License-Identifier: Apache-2.0 */
/* Record batches as producers send them. The input changes a good batch, or is one itself; length and CRC are
 * mended on request. What is accepted can be written with another codec and is accepted again. */
#include "dataplane/storage/record_batch.h"

#include "common/wire/crc32c.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/simulation/sim_records.h"

enum { BATCH_MAX = 1 << 20, LENGTH_AT = 8, MAGIC_AT = 16, CRC_AT = 17, CRC_FROM = 21 };

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void mend(uint8_t *bytes, size_t len)
{
    if (len < RECORD_BATCH_HEADER_BYTES)
        return;
    put_u32(bytes + LENGTH_AT, (uint32_t)(len - RECORD_BATCH_LOG_OVERHEAD));
    bytes[MAGIC_AT] = 2;
    put_u32(bytes + CRC_AT, crc32c(bytes + CRC_FROM, len - CRC_FROM));
}

static struct record_batch_rules rules_of(uint8_t choice)
{
    return (struct record_batch_rules){
        .segment_bytes = 1 << 20,
        .max_message_bytes = choice & 1 ? 1000 : 1 << 20,
        .max_unpacked_bytes = BATCH_MAX,
        .timestamp_before_max_ms = choice & 2 ? 1000 : INT64_MAX,
        .timestamp_after_max_ms = choice & 4 ? 1000 : INT64_MAX,
        .now_ms = 1700000000000,
        .produce_version = choice & 8 ? 3 : 9,
        .is_log_append_time = (choice & 16) != 0,
        .is_compacted = (choice & 32) != 0,
    };
}

static void check(uint8_t *bytes, size_t len, uint8_t choice)
{
    struct record_batch_rules rules = rules_of(choice);
    struct record_batch_verdict verdict;
    struct record_batch batch;
    struct buffer other;

    if (!record_batch_validate(bytes, len, &rules, &batch, &verdict)) {
        invariant(verdict.error != KAFKA_NONE);
        return;
    }
    invariant((size_t)batch.size_bytes == len && batch.record_count > 0);
    if (rules.is_log_append_time) /* it is a log's batch now, no client's */
        return;
    buffer_init(&other, BATCH_MAX);
    if (record_batch_recompress(slice_of(bytes, len), choice % 5, &other) == ERR_OK) {
        rules.max_message_bytes = BATCH_MAX;
        rules.produce_version = 9;
        invariant(record_batch_validate(other.data, other.len, &rules, &batch, &verdict));
    }
    buffer_done(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    uint8_t rules = fuzz_u8(&input), form = fuzz_u8(&input), codec = fuzz_u8(&input) % 5;
    struct sim_batch batch = {.count = 1 + form / 64,
                              .padding = 10,
                              .timestamp_ms = 1700000000000,
                              .producer_id = form & 4 ? 7 : -1};
    struct buffer plain, bytes;

    buffer_init(&plain, BATCH_MAX);
    buffer_init(&bytes, BATCH_MAX);
    if (form & 1) {
        invariant(buffer_append_slice(&bytes, fuzz_rest(&input)) == ERR_OK);
    } else {
        sim_batch_write(&batch, &plain);
        invariant(record_batch_recompress(buffer_slice(&plain), codec, &bytes) == ERR_OK);
        fuzz_patch(&input, bytes.data, &bytes.len);
    }
    if (form & 2)
        mend(bytes.data, bytes.len);
    if (bytes.len > 0)
        check(bytes.data, bytes.len, rules);
    buffer_done(&plain);
    buffer_done(&bytes);
    return 0;
}

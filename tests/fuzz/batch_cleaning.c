/* SPDX-License-Identifier: Apache-2.0 */
/* Record batches on their way through compaction. The input is a batch, or changes a good one, with length and CRC
 * mended: whatever it is, cleaning says that it is damaged or writes a batch of the same offsets with no more records,
 * and cleaning that once more changes nothing. */
#include "dataplane/storage/cleaner/batch_cleaning.h"

#include "common/wire/crc32c.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/simulation/sim_records.h"

enum { BATCH_MAX = 1 << 20, LENGTH_AT = 8, MAGIC_AT = 16, CRC_AT = 17, CRC_FROM = 21 };

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void mend(struct buffer *bytes)
{
    if (bytes->len < RECORD_BATCH_HEADER_BYTES)
        return;
    put_u32(bytes->data + LENGTH_AT, (uint32_t)(bytes->len - RECORD_BATCH_LOG_OVERHEAD));
    bytes->data[MAGIC_AT] = 2;
    put_u32(bytes->data + CRC_AT, crc32c(bytes->data + CRC_FROM, bytes->len - CRC_FROM));
}

static void check_same_range(const struct record_batch *before, const struct record_batch *after)
{
    invariant(after->base_offset == before->base_offset);
    invariant(after->last_offset_delta == before->last_offset_delta);
    invariant(after->record_count <= before->record_count);
    invariant(after->producer_id == before->producer_id);
    invariant(after->base_sequence == before->base_sequence);
}

/* False = nothing stays, or it is damaged. */
static bool clean(struct batch_cleaning *cleaning, struct slice bytes, struct buffer *out)
{
    struct record_batch before, after, parsed;
    bool is_gone = false;

    if (record_batch_parse(bytes, &before) != ERR_OK || before.size_bytes != (int64_t)bytes.len ||
        before.last_offset_delta < 0 || before.base_offset < 0)
        return false;
    if (batch_cleaning_run(cleaning, &before, bytes, out, &after, &is_gone) != ERR_OK || is_gone) {
        invariant(out->len == 0);
        return false;
    }
    invariant(record_batch_parse(buffer_slice(out), &parsed) == ERR_OK);
    invariant(parsed.size_bytes == (int64_t)out->len);
    invariant(parsed.crc == after.crc && parsed.record_count == after.record_count);
    invariant(record_batch_is_crc_right(&parsed, buffer_slice(out)));
    check_same_range(&before, &parsed);
    return true;
}

static void note(struct batch_cleaning *cleaning, struct slice bytes, uint8_t from)
{
    struct record_batch batch;
    int64_t end = 0;

    if (record_batch_parse(bytes, &batch) != ERR_OK || batch.size_bytes != (int64_t)bytes.len ||
        batch.last_offset_delta < 0 || batch.base_offset < 0)
        return;
    if (batch_cleaning_note(cleaning, &batch, bytes, from, &end) == ERR_OK)
        cleaning->map_end = end;
}

static void run(struct batch_cleaning *cleaning, const struct buffer *bytes)
{
    struct buffer once, twice;

    buffer_init(&once, BATCH_MAX * 4);
    buffer_init(&twice, BATCH_MAX * 4);
    if (clean(cleaning, buffer_slice(bytes), &once)) {
        invariant(clean(cleaning, buffer_slice(&once), &twice));
        invariant(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
    }
    buffer_done(&once);
    buffer_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    uint8_t form = fuzz_u8(&input), codec = fuzz_u8(&input) % 5, keys = fuzz_u8(&input);
    struct sim_batch batch = {
        .count = 1 + form / 16,
        .padding = 10,
        .key_count = keys % 16,
        .tombstone_every = keys / 64,
        .timestamp_ms = 1700000000000,
        .producer_id = form & 4 ? 7 : -1,
    };
    struct batch_cleaning cleaning = {
        .codec = (int)(fuzz_u8(&input) % 6) - 1,
        .now_ms = 1700000000000,
        .delete_retention_ms = 1 + fuzz_u8(&input),
        .map_end = INT64_MAX,
    };
    struct buffer plain, bytes;

    buffer_init(&plain, BATCH_MAX);
    buffer_init(&bytes, BATCH_MAX);
    batch_cleaning_init(&cleaning);
    invariant(offset_map_init(&cleaning.map, 512, (struct hash_seed){1, 2}) == ERR_OK);
    sim_batch_write(&batch, &plain);
    if (form & 8)
        note(&cleaning, buffer_slice(&plain), fuzz_u8(&input));
    if (form & 1) {
        invariant(buffer_append_slice(&bytes, fuzz_rest(&input)) == ERR_OK);
    } else {
        invariant(record_batch_recompress(buffer_slice(&plain), codec, &bytes) == ERR_OK);
        fuzz_patch(&input, bytes.data, &bytes.len);
    }
    mend(&bytes);
    run(&cleaning, &bytes);
    batch_cleaning_done(&cleaning);
    buffer_done(&plain);
    buffer_done(&bytes);
    return 0;
}

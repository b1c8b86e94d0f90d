/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/storage/compacted_log.h"

#include <check.h>
#include <string.h>

#include "dataplane/storage/record_batch.h"

int64_t compacted_shown[COMPACTED_OFFSETS_MAX];

void compacted_begin(void)
{
    one_log_begin();
    rig.config.segment_bytes = 1000;
    rig.config.cleanup_policy = CLEANUP_COMPACT;
    one_log_open();
}

log_offset compacted_put_batch(struct sim_batch batch)
{
    struct replica_append result = rig_append(&rig, replica, &batch);

    ck_assert_int_eq(result.error, KAFKA_NONE);
    return result.base_offset;
}

void compacted_put(int batches, int32_t keys)
{
    for (int i = 0; i < batches; i++) {
        struct sim_batch batch = rig_batch(&rig, 5);

        batch.key_count = keys;
        batch.timestamp_ms = clock_wall_ms(sim_executor_clock(rig.executor));
        (void)compacted_put_batch(batch);
    }
}

static void set_config(void *context)
{
    (void)context;
    replica_set_config(replica, &rig.config);
}

log_offset compacted_end(void)
{
    return replica_snapshot(replica)->high_watermark;
}

void compacted_take_config(void)
{
    rig_call(&rig, set_config, NULL);
}

void compacted_set_policy(unsigned policy)
{
    rig.config.cleanup_policy = policy;
    compacted_take_config();
}

static void on_record(void *context, int64_t offset, int64_t number)
{
    log_offset *last = context;

    ck_assert_int_gt(offset, *last);
    ck_assert_int_lt(offset, COMPACTED_OFFSETS_MAX);
    *last = offset;
    compacted_shown[offset] = number;
}

log_offset compacted_show(const struct replica_read *read)
{
    log_offset last = -1;

    sim_records_read(slice_of(read->records, read->records_len), on_record, &last);
    return last;
}

log_offset compacted_end_of(const struct replica_read *read)
{
    struct slice rest = slice_of(read->records, read->records_len);
    log_offset end = -1;

    while (rest.len > 0) {
        struct record_batch batch;

        ck_assert_int_eq(record_batch_parse(rest, &batch), ERR_OK);
        ck_assert(!record_batch_is_gap(&batch) || (size_t)batch.size_bytes == read->records_len);
        ck_assert_int_gt(record_batch_next_offset(&batch), end);
        end = record_batch_next_offset(&batch);
        rest = slice_of(rest.data + batch.size_bytes, rest.len - (size_t)batch.size_bytes);
    }
    return end;
}

void compacted_look(size_t max_bytes)
{
    log_offset at = replica_snapshot(replica)->log_start;

    memset(compacted_shown, -1, sizeof(compacted_shown));
    while (at < compacted_end()) {
        struct replica_read read = rig_read(&rig, replica, at, max_bytes);

        ck_assert_int_eq(read.error, KAFKA_NONE);
        (void)compacted_show(&read);
        ck_assert_int_gt(compacted_end_of(&read), at);
        at = compacted_end_of(&read);
        replica_read_done(&read);
    }
    ck_assert_int_eq(at, compacted_end());
}

int64_t compacted_count(log_offset from, log_offset to)
{
    int64_t count = 0;

    for (log_offset i = from; i < to; i++)
        count += compacted_shown[i] >= 0;
    return count;
}

void compacted_check_newest(int32_t keys, log_offset cleaned_end)
{
    log_offset end = compacted_end();

    for (log_offset i = 0; i < end; i++) {
        bool is_newest = i + keys >= end;

        if (compacted_shown[i] >= 0)
            ck_assert_int_eq(compacted_shown[i], i);
        if (is_newest)
            ck_assert_int_eq(compacted_shown[i], i);
        else if (i + keys < cleaned_end)
            ck_assert_int_eq(compacted_shown[i], -1);
    }
}

const char *compacted_path(log_offset base, const char *suffix)
{
    static char path[128];

    rig_path(&rig, 0, base, suffix, path);
    return path;
}

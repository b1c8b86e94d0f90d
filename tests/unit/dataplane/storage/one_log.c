/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/storage/one_log.h"

#include <check.h>

struct storage_rig rig;
struct replica *replica;

const struct log_config one_log_rolling = {
    .segment_bytes = 1 << 20,
    .segment_ms = 1000,
    .segment_index_bytes = 1200,
    .cleanup_policy = CLEANUP_DELETE,
    .retention_ms = -1,
    .retention_bytes = -1,
    .max_compaction_lag_ms = INT64_MAX,
};

void one_log_begin(void)
{
    rig_init(&rig, 1);
    ck_assert_int_eq(rig_start(&rig, NULL), ERR_OK);
}

void one_log_end(void)
{
    rig_done(&rig);
}

void one_log_open(void)
{
    static leader_epoch epoch;

    replica = rig_open(&rig, 0, epoch++);
    ck_assert_ptr_nonnull(replica);
}

void one_log_start(void)
{
    struct error error;

    ck_assert_msg(rig_start(&rig, &error) == ERR_OK, "%s", error.message);
    one_log_open();
}

void one_log_restart(enum rig_end end)
{
    rig_stop(&rig, end);
    one_log_start();
}

log_offset one_log_put_at(int64_t timestamp_ms)
{
    struct sim_batch batch = rig_batch(&rig, 1);
    struct replica_append append;

    batch.timestamp_ms = timestamp_ms;
    append = rig_append(&rig, replica, &batch);
    ck_assert_int_eq(append.error, KAFKA_NONE);
    return append.base_offset;
}

void one_log_put(int count)
{
    for (int i = 0; i < count; i++)
        rig_put(&rig, replica, 1);
}

int64_t one_log_file_size(log_offset base, const char *suffix)
{
    char path[128];

    rig_path(&rig, 0, base, suffix, path);
    return sim_disk_file_size(rig.disk, path);
}

bool one_log_begins_segment(log_offset base)
{
    return one_log_file_size(base, ".log") >= 0;
}

void one_log_pass_seconds(int64_t seconds)
{
    sim_executor_run_for(rig.executor, seconds * SECOND_US);
}

struct log_identity one_log_identity(uint8_t number)
{
    return (struct log_identity){.topic_id = {{number}}, .partition = number};
}

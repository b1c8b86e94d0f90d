/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/storage/late_rig.h"

#include <check.h>

void late_rig_start(struct storage_rig *rig)
{
    rig_init(rig, 1);
    rig->wal_file_bytes = 16 << 20;
    ck_assert_int_eq(rig_start(rig, NULL), ERR_OK);
}

void late_rig_restart(struct storage_rig *rig, enum rig_end end)
{
    rig_stop(rig, end);
    ck_assert_int_eq(rig_start(rig, NULL), ERR_OK);
}

int64_t late_rig_file_size(const struct storage_rig *rig, int32_t partition)
{
    char path[128];
    int64_t size = 0;

    rig_path(rig, partition, 0, ".log", path);
    size = sim_disk_file_size(rig->disk, path);
    return size > 0 ? size : 0;
}

void late_rig_put_padded(struct storage_rig *rig, struct replica *replica, int64_t timestamp_ms,
                         int padding)
{
    struct sim_batch batch = rig_batch(rig, 1);

    batch.timestamp_ms = timestamp_ms;
    batch.padding = padding;
    ck_assert_int_eq(rig_append(rig, replica, &batch).error, KAFKA_NONE);
}

void late_rig_put(struct storage_rig *rig, struct replica *replica)
{
    late_rig_put_padded(rig, replica, rig->wall_ms, BATCH_BYTES);
}

static void append_ended(struct replica_append *append)
{
    container_of(append, struct appending, append)->is_done = true;
}

void late_rig_prepare(struct storage_rig *rig, struct appending *appending, struct replica *replica,
                      size_t padding, struct buffer *bytes)
{
    struct sim_batch batch = rig_batch(rig, 1);

    batch.padding = (int)padding;
    buffer_init(bytes, 1 << 20);
    sim_batch_write(&batch, bytes);
    *appending = (struct appending){.append = {.replica = replica,
                                               .records = bytes->data,
                                               .records_len = bytes->len,
                                               .acks = -1,
                                               .produce_version = 9,
                                               .home = sim_executor_loop(rig->executor, 0),
                                               .done = append_ended}};
}

void late_rig_stall_write(struct storage_rig *rig, struct replica *replica, int64_t duration_us)
{
    for (int i = 0; i < 6; i++)
        late_rig_put(rig, replica);
    sim_executor_stall(rig->executor, WORKER_WRITE, duration_us);
    late_rig_put(rig, replica);
    ck_assert_int_eq(late_rig_file_size(rig, 0), 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A data directory with one partition, after a clean stop or a kill, and one of its files changed. It starts or
 * says why not, isolates the partition or serves it, and has no more than was written. */
#include "dataplane/storage/record_batch.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/unit/dataplane/storage/storage_rig.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILES = 8, BATCHES = 9, RECORDS = 90, PATH_BYTES = 128, FILE_MAX = 1 << 20 };

static void choose_file(const struct storage_rig *rig, uint8_t choice, char path[PATH_BYTES])
{
    switch (choice % FILES) {
    case 0:
        snprintf(path, PATH_BYTES, "catalogue");
        break;
    case 1:
        snprintf(path, PATH_BYTES, "meta.json");
        break;
    case 2:
        rig_path(rig, 0, 0, ".log", path);
        break;
    case 3:
        rig_path(rig, 0, 0, ".index", path);
        break;
    case 4:
        rig_path(rig, 0, 40, ".log", path);
        break;
    case 5:
        rig_path(rig, 0, 80, ".log", path);
        break;
    case 6:
        snprintf(path, PATH_BYTES, "wal/0");
        break;
    default:
        rig_path(rig, 0, 80, ".producers", path);
        break;
    }
}

static void change_file(struct storage_rig *rig, struct fuzz_input *input)
{
    char path[PATH_BYTES];
    struct file *file = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct iovec iov;

    choose_file(rig, fuzz_u8(input), path);
    if (disk_read_file(rig->disk, path, FILE_MAX, &bytes, &len) != ERR_OK)
        return;
    fuzz_patch(input, bytes, &len);
    iov = (struct iovec){bytes, len};
    if (rig->disk->ops->open(rig->disk, path, 0, &file) == ERR_OK) {
        invariant(file->ops->truncate(file, 0) == ERR_OK);
        invariant(len == 0 || file->ops->write_at(file, 0, &iov, 1) == ERR_OK);
        invariant(file->ops->sync(file) == ERR_OK);
        file->ops->close(file);
    }
    free(bytes);
}

static void write_log(struct storage_rig *rig)
{
    struct replica *replica = rig_open(rig, 0, 1);

    for (int i = 0; i < BATCHES; i++) {
        struct sim_batch batch = rig_batch(rig, RECORDS / BATCHES);

        batch.producer_id = 5;
        batch.base_sequence = i * RECORDS / BATCHES;
        invariant(rig_append(rig, replica, &batch).error == KAFKA_NONE);
    }
}

/* The offset after the last batch that was read; -1 = no batch there. */
static log_offset next_offset(const struct replica_read *read)
{
    struct slice rest = slice_of(read->records, read->records_len);
    log_offset next = -1;
    struct record_batch batch;

    while (rest.len > 0 && record_batch_parse(rest, &batch) == ERR_OK &&
           (size_t)batch.size_bytes <= rest.len) {
        next = record_batch_next_offset(&batch);
        rest = slice_of(rest.data + batch.size_bytes, rest.len - (size_t)batch.size_bytes);
    }
    return next;
}

static void read_log(struct storage_rig *rig)
{
    struct replica *replica = rig_open(rig, 0, 2);
    log_offset at = 0, end = 0;

    if (replica == NULL) /* isolated */
        return;
    at = replica_snapshot(replica)->log_start;
    end = replica_snapshot(replica)->high_watermark;
    invariant(at >= 0 && at <= end && end <= RECORDS);
    while (at < end) {
        struct replica_read read = rig_read(rig, replica, at, 1 << 20);
        log_offset next = read.error == KAFKA_NONE ? next_offset(&read) : -1;

        replica_read_done(&read);
        if (next <= at)
            return;
        at = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct storage_rig rig;
    struct error error;

    rig_init(&rig, 1);
    rig.wal_file_bytes = 16384;
    rig.config.segment_bytes = 1500;
    invariant(rig_start(&rig, &error) == ERR_OK);
    write_log(&rig);
    rig_stop(&rig, fuzz_u8(&input) % 2 == 0 ? RIG_CLEAN : RIG_KILL);
    change_file(&rig, &input);
    if (rig_start(&rig, &error) == ERR_OK)
        read_log(&rig);
    else
        invariant(error.message[0] != '\0');
    rig_done(&rig);
    return 0;
}

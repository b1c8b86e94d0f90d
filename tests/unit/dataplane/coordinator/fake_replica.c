/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/coordinator/fake_replica.h"

#include "common/base/list.h"
#include "dataplane/storage/record_batch.h"

#include <stdlib.h>

void fake_replica_init(struct replica *replica, struct loop *loop)
{
    *replica = (struct replica){.loop = loop, .references = 1};
    buffer_init(&replica->log, 64 << 20);
}

void fake_replica_done(struct replica *replica)
{
    invariant(replica->references == 1 && replica->held_count == 0 && replica->waiter == NULL);
    buffer_done(&replica->log);
}

struct loop *replica_loop(const struct replica *replica)
{
    return replica->loop;
}

void replica_ref(struct replica *replica)
{
    replica->references++;
}

void replica_unref(struct replica *replica)
{
    replica->references--;
}

const struct log_snapshot *replica_snapshot(const struct replica *replica)
{
    return &replica->snapshot;
}

/* --- appends --- */

static void deliver_append(struct mail *mail)
{
    struct replica_append *append = container_of(mail, struct replica_append, mail);

    append->done(append);
}

static void finish_append(struct replica *replica, struct replica_append *append)
{
    struct record_batch batch;
    struct slice bytes = slice_of(append->records, append->records_len);

    append->error = replica->append_error;
    append->mail.deliver = deliver_append;
    if (append->error == KAFKA_NONE) {
        invariant(record_batch_parse(bytes, &batch) == ERR_OK);
        invariant(record_batch_is_crc_right(&batch, bytes));
        invariant((size_t)batch.size_bytes == append->records_len);
        record_batch_set_offset(append->records, replica->snapshot.log_end, 3);
        append->base_offset = replica->snapshot.log_end;
        replica->snapshot.log_end += batch.last_offset_delta + 1;
        replica->snapshot.high_watermark = replica->snapshot.log_end;
        invariant(buffer_append_slice(&replica->log, bytes) == ERR_OK);
    }
    loop_post(append->home, &append->mail);
}

void replica_append_submit(struct replica_append *append)
{
    struct replica *replica = append->replica;

    invariant(append->acks == -1 && append->origin == APPEND_COORDINATOR);
    if (replica->holds_appends)
        replica->held[replica->held_count++] = append;
    else
        finish_append(replica, append);
}

void fake_replica_release_appends(struct replica *replica)
{
    replica->holds_appends = false;
    for (size_t i = 0; i < replica->held_count; i++)
        finish_append(replica, replica->held[i]);
    replica->held_count = 0;
}

/* --- reads --- */

static void deliver_read(struct mail *mail)
{
    struct replica_read *read = container_of(mail, struct replica_read, work.mail);

    read->done(read);
}

/* One batch a read, so that a load takes several. */
static void fill_read(struct replica *replica, struct replica_read *read)
{
    struct slice log = buffer_slice(&replica->log);

    while (log.len > 0) {
        struct record_batch batch;

        if (record_batch_parse(log, &batch) != ERR_OK || (size_t)batch.size_bytes > log.len)
            batch.size_bytes = (int64_t)log.len; /* damaged by the test: given as it is */
        else if (record_batch_last_offset(&batch) < read->offset) {
            log = slice_of(log.data + batch.size_bytes, log.len - (size_t)batch.size_bytes);
            continue;
        } else if (batch.base_offset >= replica->snapshot.high_watermark) {
            return;
        }
        read->records_len = (size_t)batch.size_bytes;
        read->room.larger = malloc(read->records_len);
        invariant(read->room.larger != NULL);
        memcpy(read->room.larger, log.data, read->records_len);
        read->records = read->room.larger;
        return;
    }
}

void replica_read_submit(struct replica_read *read)
{
    struct replica *replica = read->replica;

    replica->reads++;
    read->room = (struct read_room){.block = NULL};
    read->records = NULL;
    read->records_len = 0;
    read->error = replica->read_error;
    read->high_watermark = replica->snapshot.high_watermark;
    read->log_start = replica->snapshot.log_start;
    if (read->error == KAFKA_NONE)
        fill_read(replica, read);
    read->work.mail.deliver = deliver_read;
    loop_post(read->home, &read->work.mail);
}

void replica_read_done(struct replica_read *read)
{
    free(read->room.larger);
    read->room.larger = NULL;
    read->records = NULL;
}

/* --- waits --- */

static void deliver_wake(struct mail *mail)
{
    struct replica_waiter *waiter = container_of(mail, struct replica_waiter, mail);

    waiter->wake(waiter);
}

void replica_wait(struct replica_waiter *waiter)
{
    invariant(waiter->replica->waiter == NULL);
    waiter->replica->waiter = waiter;
    waiter->mail.deliver = deliver_wake;
}

void fake_replica_commit(struct replica *replica, log_offset high_watermark)
{
    struct replica_waiter *waiter = replica->waiter;

    replica->snapshot.high_watermark = high_watermark;
    if (waiter == NULL || waiter->offset >= high_watermark)
        return;
    replica->waiter = NULL;
    loop_post(waiter->home, &waiter->mail);
}

void replica_wait_cancel(struct replica_waiter *waiter,
                         void (*cancelled)(struct replica_waiter *waiter))
{
    if (waiter->replica->waiter == waiter)
        waiter->replica->waiter = NULL;
    cancelled(waiter);
}

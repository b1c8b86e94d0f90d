/* SPDX-License-Identifier: Apache-2.0 */
/* On the loop: up to INLINE_BYTES of batch, and as many of unpacked records. Beyond either, and whenever the
 * topic wants another codec, a worker does it all from the beginning. A check changes nothing in a batch
 * that it refuses. */
#include "dataplane/storage/append_check.h"

#include "dataplane/storage/record_batch.h"
#include "dataplane/storage/record_stream.h"
#include "dataplane/storage/replica_internal.h"

#include <stdlib.h>

enum {
    INLINE_BYTES = 1 << 20,
    INLINE_PACKED_BYTES = 64 << 10,
    LEAST_UNPACKED_BYTES = 16 << 20,
    MOST_RATIO = 16
};

static struct published_node *pins_of(const struct log_view *view)
{
    return (struct published_node *)(uintptr_t)&view->node;
}

static void refuse(struct replica_append *append, enum kafka_error error, const char *message)
{
    append->error = error;
    append->error_message = message;
}

/* --- another codec --- */

static enum err recompress(struct replica_append *append, int codec, int32_t max_message_bytes,
                           struct record_batch *batch)
{
    struct buffer out;
    size_t len = 0;
    enum err rc = ERR_OK;

    /* Room for what does not compress well; the limit is checked on the result. */
    buffer_init(&out, ((size_t)max_message_bytes + 4096) * 4);
    rc = record_batch_recompress(slice_of(append->records, append->records_len), codec, &out);
    if (rc == ERR_OK && out.len > (size_t)max_message_bytes)
        rc = ERR_TOO_LARGE;
    if (rc == ERR_OK)
        rc = record_batch_parse(buffer_slice(&out), batch);
    if (rc == ERR_OK)
        append->recompressed = buffer_take(&out, &len);
    buffer_done(&out);
    return rc;
}

static void apply_codec(struct replica_append *append, const struct log_config *config,
                        struct record_batch *batch)
{
    enum err rc = ERR_OK;

    if (config->compression < 0 || config->compression == record_batch_codec(batch))
        return;
    rc = recompress(append, config->compression, config->max_message_bytes, batch);
    if (rc == ERR_TOO_LARGE)
        refuse(append, KAFKA_MESSAGE_TOO_LARGE,
               "with the topic's compression.type the batch is over max.message.bytes");
    else if (rc != ERR_OK)
        refuse(append, KAFKA_KAFKA_STORAGE_ERROR, "the broker is short of memory");
}

/* --- checking; any thread --- */

/* Producers bound a batch before they pack it, by some megabytes at most: what unpacks to more than 16 MiB,
 * and to more than 16 times its size, is no batch of theirs. */
static size_t most_unpacked_bytes(const struct replica_append *append)
{
    size_t bytes = append->records_len * MOST_RATIO;

    if (bytes < LEAST_UNPACKED_BYTES)
        return LEAST_UNPACKED_BYTES;
    return bytes < RECORD_STREAM_MAX_BYTES ? bytes : RECORD_STREAM_MAX_BYTES;
}

/* False = the records unpack to more than max_unpacked_bytes: nothing is decided. */
static bool check(struct replica_append *append, const struct log_config *config,
                  size_t max_unpacked_bytes)
{
    struct record_batch_rules rules = {
        .segment_bytes = config->segment_bytes,
        .max_message_bytes = config->max_message_bytes,
        .max_unpacked_bytes = max_unpacked_bytes,
        .timestamp_before_max_ms = config->timestamp_before_max_ms,
        .timestamp_after_max_ms = config->timestamp_after_max_ms,
        .now_ms = append->submitted_ms,
        .produce_version = append->produce_version,
        .is_log_append_time = config->is_log_append_time,
        .is_compacted = (config->cleanup_policy & CLEANUP_COMPACT) != 0,
        .may_be_control = append->origin == APPEND_COORDINATOR,
    };
    struct record_batch_verdict verdict;
    struct record_batch batch;

    if (record_batch_validate(append->records, append->records_len, &rules, &batch, &verdict)) {
        apply_codec(append, config, &batch);
        return true;
    }
    if (verdict.is_unpacked_too_much && max_unpacked_bytes < most_unpacked_bytes(append))
        return false;
    append->bad_record_index = verdict.bad_record_index;
    refuse(append, verdict.error, verdict.message);
    return true;
}

static void run_check(struct work *work)
{
    struct replica_append *append = container_of(work, struct replica_append, work);

    (void)check(append, &append->view->config->config, most_unpacked_bytes(append));
}

static void check_done(struct work *work)
{
    struct replica_append *append = container_of(work, struct replica_append, work);

    published_unpin(pins_of(append->view));
    append->view = NULL;
    append->checked(append);
}

/* --- where --- */

/* By the header alone, which the check looks at first. */
static bool is_light(const struct replica_append *append, const struct log_config *config)
{
    struct record_batch batch;
    int codec = 0;

    if (append->records_len > (size_t)config->max_message_bytes ||
        record_batch_parse(slice_of(append->records, append->records_len), &batch) != ERR_OK)
        return true; /* refused at once */
    codec = record_batch_codec(&batch);
    if (config->compression >= 0 && config->compression != codec)
        return false;
    return append->records_len <= (codec == 0 ? INLINE_BYTES : INLINE_PACKED_BYTES);
}

void append_check(struct replica_append *append, void (*checked)(struct replica_append *append))
{
    const struct log_view *view = log_view_of(published_load(&append->replica->view));
    const struct log_config *config = &view->config->config;

    append->submitted_ms = loop_wall_ms(append->home);
    append->checked = checked;
    if (config->is_internal && append->origin == APPEND_CLIENT) {
        refuse(append, KAFKA_INVALID_TOPIC_EXCEPTION, "the topic is internal");
        checked(append);
        return;
    }
    if (append->origin == APPEND_COORDINATOR ||
        (is_light(append, config) && check(append, config, INLINE_BYTES))) {
        if (append->origin == APPEND_COORDINATOR)
            (void)check(append, config, most_unpacked_bytes(append));
        checked(append);
        return;
    }
    published_pin(pins_of(view));
    append->view = view;
    append->work.run = run_check;
    append->work.done = check_done;
    if (append->wants_worker != NULL)
        append->wants_worker(append);
    else
        replica_append_check(append);
}

void replica_append_check(struct replica_append *append)
{
    worker_submit(append->home, WORKER_CHECK, &append->work);
}

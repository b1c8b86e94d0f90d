/* SPDX-License-Identifier: Apache-2.0 */
/* When the newest segment of a log is closed and another begun. Apache Kafka's rules, before a batch is appended:
 *   size    it would have more than segment.bytes
 *   age     the batch is more than segment.ms (less a jitter) younger than the segment's first one, by their
 *           timestamps; by the wall clock when the first one has none
 *   index   its index has segment.index.bytes / 12 entries: there the time index, 12 bytes an entry, is full before
 *           the offset index. Ours holds both in 24 bytes, so its file stays within the 2 x segment.index.bytes
 *           that a partition reserves
 *   offsets they would be more than 2^31-1 above its first one
 *
 * The jitter of a segment is drawn from its name: another one for each, and the same after a start. */
#include "dataplane/storage/partition_log.h"

#include <string.h>

#include "common/port/random.h"

#define KAFKA_TIME_INDEX_ENTRY_BYTES 12

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t jitter_ms(const struct segment *segment, int64_t most_ms)
{
    struct seeded_random random;
    uint64_t halves[2];

    if (most_ms <= 0)
        return 0;
    _Static_assert(sizeof(halves) == sizeof(segment->id.topic_id.bytes), "a UUID is two halves");
    memcpy(halves, segment->id.topic_id.bytes, sizeof(halves));
    seeded_random_init(&random, halves[0] ^ halves[1] ^ (uint64_t)segment->base_offset ^
                                    (uint64_t)(uint32_t)segment->id.partition << 32);
    return (int64_t)seeded_random_below(&random, (uint64_t)most_ms);
}

int64_t segment_age_max_ms(const struct segment *segment, const struct log_config *config)
{
    int64_t age_ms = (config->cleanup_policy & CLEANUP_COMPACT) != 0
                         ? smaller(config->segment_ms, config->max_compaction_lag_ms)
                         : config->segment_ms;

    return age_ms - jitter_ms(segment, smaller(config->segment_jitter_ms, age_ms));
}

static bool is_too_old(const struct segment_view *active, const struct log_config *config,
                       const struct record_batch *batch, int64_t now_ms)
{
    int64_t age_ms = active->first_timestamp >= 0 ? batch->max_timestamp - active->first_timestamp
                                                  : now_ms - active->first_append_ms;

    return age_ms > segment_age_max_ms(active->segment, config);
}

static bool is_index_full(const struct segment_view *active, const struct log_config *config)
{
    int64_t most = config->segment_index_bytes / KAFKA_TIME_INDEX_ENTRY_BYTES;

    return active->index_entries >= (most > 1 ? most : 1);
}

bool segment_must_roll(const struct segment_view *active, const struct log_config *config,
                       const struct record_batch *batch, int64_t now_ms)
{
    if (active->segment == NULL || active->size_bytes == 0)
        return false;
    return active->size_bytes + batch->size_bytes > config->segment_bytes ||
           is_too_old(active, config, batch, now_ms) || is_index_full(active, config) ||
           active->end_offset + batch->last_offset_delta - active->base_offset > INT32_MAX;
}

void segment_view_add(struct segment_view *active, const struct record_batch *batch)
{
    if (active->size_bytes == 0)
        active->first_timestamp = batch->max_timestamp;
    if (offset_index_wants(active->size_bytes, active->indexed_bytes,
                           active->segment->index_interval_bytes)) {
        active->indexed_bytes = active->size_bytes;
        active->index_entries++;
    }
    active->end_offset = record_batch_next_offset(batch);
    active->size_bytes += batch->size_bytes;
    if (batch->max_timestamp > active->max_timestamp)
        active->max_timestamp = batch->max_timestamp;
}

static void set_index_interval(struct segment *segment, int32_t interval_bytes)
{
    segment->index_interval_bytes = interval_bytes;
    offset_index_init(&segment->index, interval_bytes);
}

void recovered_log_configure(struct recovered_log *found, const struct log_config *config)
{
    int64_t apart = config->index_interval_bytes > RECORD_BATCH_HEADER_BYTES
                        ? config->index_interval_bytes
                        : RECORD_BATCH_HEADER_BYTES;

    for (int i = 0; i < found->closed->count; i++)
        set_index_interval(found->closed->views[i].segment, config->index_interval_bytes);
    if (found->active.segment == NULL)
        return;
    set_index_interval(found->active.segment, config->index_interval_bytes);
    /* As many as there can be: it may end a little early, once. */
    found->active.index_entries = found->active.size_bytes / apart;
}

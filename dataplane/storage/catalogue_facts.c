/* SPDX-License-Identifier: Apache-2.0 */
/* What the entries of the catalogue add up to. */
#include <stdlib.h>

#include "common/wire/reader.h"
#include "dataplane/storage/catalogue_internal.h"

static uint64_t hash_of(const struct catalogue *catalogue, const struct log_identity *id)
{
    return hash_bytes(catalogue->logs.seed, id, sizeof(*id));
}

static bool has_identity(const struct hash_node *node, const void *key)
{
    const struct log_identity *id = key;
    const struct log_facts *facts = container_of(node, const struct log_facts, node);

    return facts->id.partition == id->partition && uuid_equal(facts->id.topic_id, id->topic_id);
}

struct log_facts *catalogue_find_facts(const struct catalogue *catalogue,
                                       const struct log_identity *id)
{
    struct hash_node *node =
        hash_table_find(&catalogue->logs, hash_of(catalogue, id), has_identity, id);

    return node == NULL ? NULL : container_of(node, struct log_facts, node);
}

static void facts_free(struct log_facts *facts)
{
    free(facts->segments);
    free(facts->epochs);
    free(facts);
}

static enum err apply_added(struct catalogue *catalogue, const struct log_identity *id)
{
    struct log_facts *facts = catalogue_find_facts(catalogue, id);
    enum err rc = ERR_OK;

    if (facts != NULL)
        return ERR_OK;
    facts = calloc(1, sizeof(*facts));
    if (facts == NULL)
        return ERR_NO_MEMORY;
    facts->id = *id;
    facts->producers.offset = -1;
    rc = hash_table_insert(&catalogue->logs, hash_of(catalogue, id), &facts->node);
    if (rc != ERR_OK)
        free(facts);
    return rc;
}

static void apply_removed(struct catalogue *catalogue, struct log_facts *facts)
{
    hash_table_remove(&catalogue->logs, &facts->node);
    facts_free(facts);
}

static enum err grow(void **array, int count, int *capacity, size_t element_bytes)
{
    int wanted = *capacity == 0 ? 4 : *capacity * 2;
    void *larger = NULL;

    if (count < *capacity)
        return ERR_OK;
    larger = realloc(*array, (size_t)wanted * element_bytes);
    if (larger == NULL)
        return ERR_NO_MEMORY;
    *array = larger;
    *capacity = wanted;
    return ERR_OK;
}

static enum err apply_epoch(struct log_facts *facts, struct epoch_entry epoch)
{
    enum err rc = ERR_OK;

    while (facts->epoch_count > 0 && facts->epochs[facts->epoch_count - 1].start >= epoch.start)
        facts->epoch_count--;
    rc = grow((void **)&facts->epochs, facts->epoch_count, &facts->epoch_capacity,
              sizeof(facts->epochs[0]));
    if (rc == ERR_OK)
        facts->epochs[facts->epoch_count++] = epoch;
    return rc;
}

static enum err apply_segment(struct log_facts *facts, const struct segment_fact *segment)
{
    enum err rc = ERR_OK;

    while (facts->segment_count > 0 &&
           facts->segments[facts->segment_count - 1].base_offset >= segment->base_offset)
        facts->segment_count--;
    rc = grow((void **)&facts->segments, facts->segment_count, &facts->segment_capacity,
              sizeof(facts->segments[0]));
    if (rc == ERR_OK)
        facts->segments[facts->segment_count++] = *segment;
    return rc;
}

static int find_base(const struct log_facts *facts, log_offset base_offset)
{
    int i = 0;

    while (i < facts->segment_count && facts->segments[i].base_offset != base_offset)
        i++;
    return i;
}

bool catalogue_has_stretch(const struct log_facts *facts, log_offset base_offset,
                           log_offset end_offset)
{
    log_offset end = base_offset;

    for (int i = find_base(facts, base_offset); i < facts->segment_count && end < end_offset; i++) {
        if (facts->segments[i].base_offset != end)
            return false;
        end = facts->segments[i].end_offset;
    }
    return end == end_offset && end > base_offset;
}

static enum err apply_replaced(struct log_facts *facts, const struct segment_fact *segment)
{
    int first = find_base(facts, segment->base_offset);
    int after = first + 1;

    if (!catalogue_has_stretch(facts, segment->base_offset, segment->end_offset))
        return ERR_CORRUPT;
    while (facts->segments[after - 1].end_offset < segment->end_offset)
        after++;
    facts->segments[first] = *segment;
    memmove(facts->segments + first + 1, facts->segments + after,
            (size_t)(facts->segment_count - after) * sizeof(facts->segments[0]));
    facts->segment_count -= after - first - 1;
    /* How far the newest was flushed was said of one of those that are gone. */
    if (facts->flushed.base_offset >= segment->base_offset &&
        facts->flushed.base_offset < segment->end_offset)
        facts->flushed = *segment;
    return ERR_OK;
}

static void drop_epochs(struct log_facts *facts)
{
    int gone = epoch_entries_below(facts->epochs, facts->epoch_count, facts->log_start);

    if (gone == 0)
        return;
    facts->epoch_count -= gone;
    memmove(facts->epochs, facts->epochs + gone,
            (size_t)facts->epoch_count * sizeof(facts->epochs[0]));
}

/* What lies wholly below the log start is not needed any more. */
static void apply_log_start(struct log_facts *facts, log_offset log_start)
{
    int gone = 0;

    facts->log_start = log_start;
    drop_epochs(facts);
    /* The newest segment's file is never the cleaner's. */
    if (facts->flushed.generation > 0 && facts->flushed.end_offset <= log_start)
        facts->flushed = (struct segment_fact){.size_bytes = 0};
    while (gone < facts->segment_count && facts->segments[gone].end_offset <= log_start)
        gone++;
    facts->segment_count -= gone;
    if (gone > 0 && facts->segment_count > 0)
        memmove(facts->segments, facts->segments + gone,
                (size_t)facts->segment_count * sizeof(facts->segments[0]));
}

static struct log_identity read_identity(struct reader *reader)
{
    struct log_identity id = {.partition = 0};
    struct slice uuid = reader_bytes(reader, sizeof(id.topic_id.bytes));

    if (reader->err == ERR_OK)
        memcpy(id.topic_id.bytes, uuid.data, uuid.len);
    id.partition = reader_i32(reader);
    return id;
}

static struct segment_fact read_segment(struct reader *reader)
{
    struct segment_fact segment;

    segment.base_offset = reader_i64(reader);
    segment.end_offset = reader_i64(reader);
    segment.size_bytes = reader_i64(reader);
    segment.max_timestamp = reader_i64(reader);
    segment.generation = reader_i32(reader);
    return segment;
}

static enum err apply_to_log(struct log_facts *facts, enum entry_type type, struct reader *reader)
{
    struct epoch_entry epoch;
    struct segment_fact segment;

    if (type == ENTRY_EPOCH) {
        epoch.epoch = reader_i32(reader);
        epoch.start = reader_i64(reader);
        return reader->err != ERR_OK ? reader->err : apply_epoch(facts, epoch);
    }
    if (type == ENTRY_SEGMENT || type == ENTRY_FLUSHED || type == ENTRY_SEGMENTS_REPLACED) {
        segment = read_segment(reader);
        if (reader->err == ERR_OK && type == ENTRY_SEGMENT)
            return apply_segment(facts, &segment);
        if (reader->err == ERR_OK && type == ENTRY_SEGMENTS_REPLACED)
            return apply_replaced(facts, &segment);
        if (reader->err == ERR_OK)
            facts->flushed = segment;
        return reader->err;
    }
    if (type == ENTRY_PRODUCERS) {
        facts->producers.offset = reader_i64(reader);
        facts->producers.segment = reader_i64(reader);
        facts->producers.position = reader_i64(reader);
        facts->producers.count = reader_i32(reader);
        return reader->err;
    }
    if (type == ENTRY_CLEANED)
        facts->cleaned_end = reader_i64(reader);
    else if (type == ENTRY_LOG_ISOLATED)
        facts->is_isolated = true;
    else
        apply_log_start(facts, reader_i64(reader));
    return reader->err;
}

static enum err apply_log_entry(struct catalogue *catalogue, enum entry_type type,
                                struct reader *reader)
{
    struct log_identity id = read_identity(reader);
    struct log_facts *facts = NULL;

    if (reader->err != ERR_OK)
        return reader->err;
    if (type == ENTRY_LOG_ADDED)
        return apply_added(catalogue, &id);
    facts = catalogue_find_facts(catalogue, &id);
    if (facts == NULL)
        return ERR_OK; /* removed meanwhile */
    if (type == ENTRY_LOG_REMOVED) {
        apply_removed(catalogue, facts);
        return ERR_OK;
    }
    return apply_to_log(facts, type, reader);
}

enum err catalogue_apply(struct catalogue *catalogue, int type, struct slice payload)
{
    struct reader reader;

    reader_init(&reader, payload);
    catalogue->is_clean = type == ENTRY_CLEAN;
    if ((type >= ENTRY_LOG_ADDED && type <= ENTRY_LOG_ISOLATED) ||
        type == ENTRY_SEGMENTS_REPLACED || type == ENTRY_CLEANED)
        return apply_log_entry(catalogue, (enum entry_type)type, &reader);
    if (type == ENTRY_PRODUCER_IDS) {
        catalogue->registration = reader_i64(&reader);
        catalogue->counter = reader_i64(&reader);
        return reader.err;
    }
    if (type == ENTRY_WAL_FLOOR || type == ENTRY_WAL_OS_FLOOR) {
        catalogue->wal_floors[type == ENTRY_WAL_FLOOR ? WAL_SYNCED : WAL_WRITTEN] =
            reader_i64(&reader);
        return reader.err;
    }
    return type == ENTRY_CLEAN || type == ENTRY_OPENED ? ERR_OK : ERR_UNSUPPORTED;
}

void catalogue_forget_facts(struct catalogue *catalogue)
{
    struct hash_node *next = NULL;

    for (struct hash_node *node = hash_table_next(&catalogue->logs, NULL); node != NULL;
         node = next) {
        next = hash_table_next(&catalogue->logs, node);
        apply_removed(catalogue, container_of(node, struct log_facts, node));
    }
    hash_table_done(&catalogue->logs);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/cleaner/segment_exchange.h"

static bool is_exchanged(const struct log_facts *facts, const struct segment_fact *segment)
{
    for (int i = 0; i < facts->segment_count; i++) {
        if (facts->segments[i].base_offset == segment->base_offset)
            return facts->segments[i].generation == segment->generation;
    }
    return false;
}

static enum err exchange(struct log_store *store, const struct log_identity *id,
                         const struct segment_fact *segment)
{
    const struct log_facts *facts = catalogue_find(store->catalogue, id);
    enum err rc = ERR_OK;

    if (shared_flag_is_up(&store->failed))
        return ERR_IO;
    if (facts == NULL)
        return ERR_GONE;
    if (!is_exchanged(facts, segment)) {
        if (!catalogue_has_stretch(facts, segment->base_offset, segment->end_offset))
            return ERR_GONE;
        rc = catalogue_replace_segments(store->catalogue, id, segment);
        if (rc != ERR_OK)
            return ERR_GONE; /* no memory, or no room in the buffer: as if nothing had been asked */
    }
    rc = catalogue_commit(store->catalogue, true);
    if (rc != ERR_OK && rc != ERR_NO_SPACE)
        log_store_fail(store, "catalogue", rc);
    return rc;
}

enum err segment_exchange_run(struct log_store *store, const struct log_identity *id,
                              const struct segment_fact *segment)
{
    enum err rc = ERR_OK;

    log_store_lock(store);
    rc = exchange(store, id, segment);
    log_store_unlock(store);
    return rc;
}

static enum err note_cleaned(struct log_store *store, const struct log_identity *id,
                             log_offset cleaned_end)
{
    enum err rc = ERR_OK;

    if (shared_flag_is_up(&store->failed))
        return ERR_IO;
    if (catalogue_find(store->catalogue, id) == NULL)
        return ERR_GONE;
    rc = catalogue_set_cleaned(store->catalogue, id, cleaned_end);
    if (rc == ERR_OK)
        rc = catalogue_commit(store->catalogue, false);
    if (rc != ERR_OK && rc != ERR_NO_SPACE && rc != ERR_NO_MEMORY && rc != ERR_TOO_LARGE)
        log_store_fail(store, "catalogue", rc);
    return rc;
}

enum err segment_exchange_note_cleaned(struct log_store *store, const struct log_identity *id,
                                       log_offset cleaned_end)
{
    enum err rc = ERR_OK;

    log_store_lock(store);
    rc = note_cleaned(store, id, cleaned_end);
    log_store_unlock(store);
    return rc;
}

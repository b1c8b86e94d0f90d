/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/storage_model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/error.h"

void storage_model_init(struct storage_model *model)
{
    *model = (struct storage_model){.slots = NULL};
}

void storage_model_done(struct storage_model *model)
{
    free(model->slots);
    free(model->offset_of);
}

void storage_model_fail(struct storage_model *model, const char *format, ...)
{
    va_list arguments;

    if (model->why[0] != '\0')
        return;
    va_start(arguments, format);
    (void)vsnprintf(model->why, sizeof(model->why), format, arguments);
    va_end(arguments);
}

static void reserve_slots(struct storage_model *model, int64_t count)
{
    if (count <= model->slot_count)
        return;
    count += count / 2;
    model->slots = realloc(model->slots, (size_t)count * sizeof(model->slots[0]));
    invariant(model->slots != NULL);
    for (int64_t i = model->slot_count; i < count; i++)
        model->slots[i] = (struct model_slot){-1, false, false};
    model->slot_count = count;
}

static void reserve_numbers(struct storage_model *model, int64_t count)
{
    if (count <= model->number_count)
        return;
    count += count / 2;
    model->offset_of = realloc(model->offset_of, (size_t)count * sizeof(model->offset_of[0]));
    invariant(model->offset_of != NULL);
    for (int64_t i = model->number_count; i < count; i++)
        model->offset_of[i] = -1;
    model->number_count = count;
}

void storage_model_see(struct storage_model *model, int64_t offset, int64_t number, bool is_unique,
                       bool is_acknowledged)
{
    struct model_slot *slot = NULL;

    reserve_slots(model, offset + 1);
    reserve_numbers(model, number + 1);
    slot = &model->slots[offset];
    if (model->is_damaged && slot->number >= 0 && slot->number != number) {
        /* Cut with the damage, and used again. */
        model->offset_of[slot->number] = -1;
        slot->number = -1;
    }
    if (model->is_damaged && model->offset_of[number] >= 0 && model->offset_of[number] != offset)
        model->offset_of[number] = -1;
    if (slot->number >= 0 && slot->number != number)
        storage_model_fail(
            model, "offset %" PRId64 " held record %" PRId64 ", now %s record %" PRId64, offset,
            slot->number, is_acknowledged ? "acknowledged for" : "shows", number);
    if (is_unique && model->offset_of[number] >= 0 && model->offset_of[number] != offset)
        storage_model_fail(model,
                           "idempotent record %" PRId64 " is at offsets %" PRId64 " and %" PRId64,
                           number, model->offset_of[number], offset);
    slot->number = number;
    slot->is_acknowledged |= is_acknowledged;
    slot->is_shown |= !is_acknowledged;
    if (is_unique)
        model->offset_of[number] = offset;
    if (offset + 1 > model->required_end)
        model->required_end = offset + 1;
}

void storage_model_see_bounds(struct storage_model *model, int64_t log_start,
                              int64_t high_watermark, int64_t least_log_start,
                              int64_t least_high_watermark)
{
    if (log_start > high_watermark)
        storage_model_fail(model, "log start %" PRId64 " is above the high watermark %" PRId64,
                           log_start, high_watermark);
    if (!model->is_damaged && high_watermark < least_high_watermark)
        storage_model_fail(model, "the high watermark fell from %" PRId64 " to %" PRId64,
                           least_high_watermark, high_watermark);
    if (!model->is_damaged && log_start < least_log_start)
        storage_model_fail(model, "the log start fell from %" PRId64 " to %" PRId64,
                           least_log_start, log_start);
    if (high_watermark > model->high_watermark)
        model->high_watermark = high_watermark;
    if (log_start > model->log_start)
        model->log_start = log_start;
}

void storage_model_begin_whole(struct storage_model *model)
{
    for (int64_t i = 0; i < model->slot_count; i++)
        model->slots[i].is_shown = false;
}

/* The newest offset in [log_start, end) that holds the key, as far as is known; -1 = none. */
static int64_t newest_of(const struct storage_model *model, int64_t key, int64_t log_start,
                         int64_t end, bool only_shown)
{
    for (int64_t i = end - 1; i >= log_start; i--) {
        const struct model_slot *slot = &model->slots[i];

        if (slot->number >= 0 && slot->number % model->key_count == key &&
            (slot->is_shown || !only_shown))
            return i;
    }
    return -1;
}

/* What nobody was told of and nobody read: it may have been a tombstone that is gone by now. */
static bool has_unknown(const struct storage_model *model, int64_t from, int64_t end)
{
    for (int64_t i = from; i < end; i++) {
        if (model->slots[i].number < 0)
            return true;
    }
    return false;
}

int64_t storage_model_check_whole(struct storage_model *model, int64_t log_start, int64_t end)
{
    int64_t gone = 0;

    if (model->is_damaged)
        return 0;
    reserve_slots(model, end); /* what nobody was told of may lie beyond all that somebody was */
    for (int64_t key = 0; key < model->key_count; key++) {
        int64_t newest = newest_of(model, key, log_start, end, false);
        int64_t shown = newest_of(model, key, log_start, end, true);

        if (newest == shown)
            continue;
        if (has_unknown(model, newest + 1, end))
            continue;
        if (model->slots[newest].number % model->tombstone_every != 0)
            storage_model_fail(model, "key %" PRId64 ": its newest record, at %" PRId64 ", is gone",
                               key, newest);
        else if (shown >= 0)
            storage_model_fail(
                model, "key %" PRId64 ": deleted at %" PRId64 " and found again at %" PRId64, key,
                newest, shown);
    }
    for (int64_t i = log_start; i < end; i++)
        gone += model->slots[i].number >= 0 && !model->slots[i].is_shown;
    return gone;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Appends: records of one decision, encoded one after the other into one buffer that is capped at what a
 * batch may hold. A record that does not fit, or cannot be written, leaves no trace. */
#include "dataplane/group/group_internal.h"

#include "common/wire/reader.h"

#include <stdlib.h>

bool append_is_exclusive(const struct group_append *append)
{
    return append->kind == GROUP_APPEND_ASSIGNMENT || append->kind == GROUP_APPEND_REPLACEMENT ||
           append->kind == GROUP_APPEND_REMOVAL;
}

struct group_append *append_new(struct group *group, enum group_append_kind kind)
{
    struct group_append *append = calloc(1, sizeof(*append));

    if (append == NULL)
        return NULL;
    append->group = group;
    append->kind = kind;
    buffer_init(&append->bytes, group->shard->options.max_append_bytes);
    list_init(&append->link);
    list_init(&append->out_link);
    list_init(&append->calls);
    return append;
}

void append_free(struct group_append *append)
{
    if (append == NULL)
        return;
    member_free(append->replacement);
    buffer_done(&append->bytes);
    free(append);
}

void append_begin_key(struct append_writer *out, struct group_append *append)
{
    out->append = append;
    writer_init(&out->writer, &append->bytes);
    out->length_at = writer_position(&out->writer);
    out->start_at = out->length_at;
    out->has_value = false;
    writer_i32(&out->writer, 0);
}

static void end_length(struct append_writer *out)
{
    size_t len = writer_position(&out->writer) - out->length_at - sizeof(int32_t);

    if (out->writer.err == ERR_OK)
        writer_patch_i32(&out->writer, out->length_at, (int32_t)len);
}

void append_begin_value(struct append_writer *out)
{
    end_length(out);
    out->has_value = true;
    out->length_at = writer_position(&out->writer);
    writer_i32(&out->writer, 0);
}

enum err append_end_record(struct append_writer *out)
{
    end_length(out);
    if (!out->has_value)
        writer_i32(&out->writer, -1);
    if (out->writer.err != ERR_OK)
        out->append->bytes.len = out->start_at;
    else
        out->append->record_count++;
    return out->writer.err;
}

bool group_append_next_record(const struct group_append *append, size_t *position,
                              struct group_record *ret_record)
{
    struct reader reader;
    struct slice all = buffer_slice(&append->bytes);
    int32_t len = 0;

    if (*position >= all.len)
        return false;
    reader_init(&reader, slice_of(all.data + *position, all.len - *position));
    len = reader_i32(&reader);
    ret_record->key = reader_bytes(&reader, (size_t)len);
    len = reader_i32(&reader);
    ret_record->value = len < 0 ? SLICE_NULL : reader_bytes(&reader, (size_t)len);
    invariant(reader.err == ERR_OK);
    *position = all.len - reader_left(&reader);
    return true;
}

void append_submit(struct group_append *append)
{
    struct group *group = append->group;
    struct group_shard *shard = group->shard;

    invariant(append->record_count > 0 && group->exclusive == NULL);
    append->sequence = ++shard->sequence;
    append->timestamp_ms = shard->time.wall_ms;
    list_push_back(&shard->appends, &append->link);
    list_push_back(&shard->outbox, &append->out_link);
    group->append_count++;
    if (append_is_exclusive(append))
        group->exclusive = append;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/view_file.h"

static enum err read_at(struct file *base, int64_t offset, void *data, size_t len, size_t *ret_len)
{
    const struct view_file *file = container_of(base, struct view_file, base);
    size_t below = len;
    size_t got = 0;
    enum err rc = ERR_OK;

    if (offset >= file->written_bytes)
        below = 0;
    else if ((int64_t)len > file->written_bytes - offset)
        below = (size_t)(file->written_bytes - offset);
    if (below > 0)
        rc = file->below->ops->read_at(file->below, offset, data, below, &got);
    if (rc == ERR_OK && got == below && below < len)
        got +=
            log_view_read_end(file->view, offset + (int64_t)got, (uint8_t *)data + got, len - got);
    *ret_len = got;
    return rc;
}

static const struct file_ops view_file_ops = {.read_at = read_at};

enum err view_file_open(struct view_file *file, struct segment_files *files,
                        const struct segment_view *segment, const struct log_view *view)
{
    bool ends_in_memory = view != NULL && view->active.segment == segment->segment &&
                          view->written_bytes < segment->size_bytes;

    *file = (struct view_file){
        .base = {&view_file_ops},
        .files = files,
        .segment = segment->segment,
        .written_bytes = ends_in_memory ? view->written_bytes : INT64_MAX,
        .view = ends_in_memory ? view : NULL,
    };
    if (file->written_bytes == 0)
        return ERR_OK;
    return segment_files_acquire(files, segment->segment, 0, &file->below);
}

void view_file_close(struct view_file *file)
{
    if (file->below != NULL)
        segment_files_release(file->files, file->segment);
}

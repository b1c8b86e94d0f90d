/* SPDX-License-Identifier: Apache-2.0 */
/* A segment of a view as one file to read: what its file has, and after that what only the tail in memory has.
 * Workers. */
#ifndef DATAPLANE_STORAGE_VIEW_FILE_H
#define DATAPLANE_STORAGE_VIEW_FILE_H

#include "dataplane/storage/log_view.h"

struct view_file {
    struct file base; /* read_at only */
    struct segment_files *files;
    struct segment *segment;
    struct file *below; /* NULL = nothing was written yet */
    int64_t written_bytes;
    const struct log_view *view; /* NULL = the file has it all */
};

/* view is borrowed, and may be NULL: then the file has it all. Errors as of segment_files_acquire; close it only after
 * ERR_OK. */
enum err view_file_open(struct view_file *file, struct segment_files *files,
                        const struct segment_view *segment,
                        const struct log_view *view) WARN_UNUSED;
void view_file_close(struct view_file *file);

#endif

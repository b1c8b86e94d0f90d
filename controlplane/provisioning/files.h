/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the state directory: written whole or not at all, secrets readable by their owner only. Paths are
 * made by us from ids and configuration. */
#ifndef CONTROLPLANE_PROVISIONING_FILES_H
#define CONTROLPLANE_PROVISIONING_FILES_H

#include "common/base/error.h"
#include "common/base/slice.h"

#define PATH_ROOM 1024

/* printf into a path; ERR_TOO_LARGE. */
enum err path_format(char path[PATH_ROOM], struct error *error, const char *format, ...)
    PRINTF_LIKE(3, 4) WARN_UNUSED;

/* With parents, mode 0750. There already: fine. */
enum err directory_make(const char *path, struct error *error) WARN_UNUSED;
/* The tree below and the directory itself; symbolic links are removed, never followed. Not there: fine. */
enum err directory_remove(const char *path, struct error *error) WARN_UNUSED;

bool file_exists(const char *path);
/* Writes path.new, syncs, renames, syncs the directory: the old or the new content, never between. */
enum err file_replace(const char *path, struct slice content, unsigned mode,
                      struct error *error) WARN_UNUSED;
/* The same, unless it has that content already. */
enum err file_keep(const char *path, struct slice content, unsigned mode,
                   struct error *error) WARN_UNUSED;
/* Owned text (free), at most max_bytes; ERR_NOT_FOUND, ERR_TOO_LARGE. */
enum err file_read(const char *path, size_t max_bytes, char **ret_text,
                   struct error *error) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/provisioning/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 32 };

static enum err set_errno(struct error *error, const char *what, const char *path)
{
    int number = errno;

    return error_set(error, err_from_errno(number), "%s %s: %s", what, path, strerror(number));
}

enum err path_format(char path[PATH_ROOM], struct error *error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(path, PATH_ROOM, format, arguments);
    va_end(arguments);
    if (len < 0 || len >= PATH_ROOM)
        return error_set(error, ERR_TOO_LARGE, "path is longer than %d bytes", PATH_ROOM - 1);
    return ERR_OK;
}

enum err directory_make(const char *path, struct error *error)
{
    char parent[PATH_ROOM];

    if (mkdir(path, 0750) == 0 || errno == EEXIST)
        return ERR_OK;
    if (errno != ENOENT)
        return set_errno(error, "make directory", path);
    enum err rc = path_format(parent, error, "%s", path);
    if (rc == ERR_OK)
        rc = directory_make(dirname(parent), error);
    if (rc != ERR_OK)
        return rc;
    if (mkdir(path, 0750) == 0 || errno == EEXIST)
        return ERR_OK;
    return set_errno(error, "make directory", path);
}

static enum err remove_entries(int directory, int depth, struct error *error);

/* A name below `parent` that is a directory; emptied, then removed. */
static enum err remove_subdirectory(int parent, const char *name, int depth, struct error *error)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? ERR_OK : set_errno(error, "open directory", name);
    enum err rc = remove_entries(fd, depth + 1, error);
    close(fd);
    if (rc == ERR_OK && unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        rc = set_errno(error, "remove directory", name);
    return rc;
}

static enum err remove_entries(int directory, int depth, struct error *error)
{
    enum err rc = ERR_OK;
    struct dirent *entry = NULL;
    int fd = fcntl(directory, F_DUPFD_CLOEXEC, 0);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

    if (depth > MAX_DEPTH)
        rc = error_set(error, ERR_CORRUPT, "directories nest deeper than %d", MAX_DEPTH);
    else if (stream == NULL)
        rc = set_errno(error, "list", "a directory");
    while (rc == ERR_OK && (entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(directory, entry->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno == EISDIR || errno == EPERM)
            rc = remove_subdirectory(directory, entry->d_name, depth, error);
        else
            rc = set_errno(error, "remove", entry->d_name);
    }
    if (stream != NULL)
        closedir(stream);
    else if (fd >= 0)
        close(fd);
    return rc;
}

enum err directory_remove(const char *path, struct error *error)
{
    return remove_subdirectory(AT_FDCWD, path, 0, error);
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static enum err write_whole(const char *path, struct slice content, unsigned mode,
                            struct error *error)
{
    size_t written = 0;
    enum err rc = ERR_OK;

    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return set_errno(error, "create", path);
    while (rc == ERR_OK && written < content.len) {
        ssize_t now = write(fd, content.data + written, content.len - written);
        if (now > 0)
            written += (size_t)now;
        else if (errno != EINTR)
            rc = set_errno(error, "write", path);
    }
    if (rc == ERR_OK && fsync(fd) != 0)
        rc = set_errno(error, "sync", path);
    close(fd);
    return rc;
}

static enum err sync_parent(const char *path, struct error *error)
{
    char parent[PATH_ROOM];
    enum err rc = path_format(parent, error, "%s", path);

    if (rc != ERR_OK)
        return rc;
    int fd = open(dirname(parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return set_errno(error, "open the directory of", path);
    if (fsync(fd) != 0)
        rc = set_errno(error, "sync the directory of", path);
    close(fd);
    return rc;
}

enum err file_replace(const char *path, struct slice content, unsigned mode, struct error *error)
{
    char fresh[PATH_ROOM];
    enum err rc = path_format(fresh, error, "%s.new", path);

    if (rc == ERR_OK)
        rc = write_whole(fresh, content, mode, error);
    if (rc == ERR_OK && rename(fresh, path) != 0)
        rc = set_errno(error, "rename to", path);
    if (rc == ERR_OK)
        rc = sync_parent(path, error);
    return rc;
}

enum err file_keep(const char *path, struct slice content, unsigned mode, struct error *error)
{
    char *present = NULL;
    bool is_same = file_read(path, content.len, &present, NULL) == ERR_OK &&
                   slice_equal(slice_from_cstring(present), content);

    free(present);
    return is_same ? ERR_OK : file_replace(path, content, mode, error);
}

enum err file_read(const char *path, size_t max_bytes, char **ret_text, struct error *error)
{
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return set_errno(error, "open", path);
    char *text = malloc(max_bytes + 1);
    enum err rc = text ? ERR_OK : error_set(error, ERR_NO_MEMORY, "read %s", path);
    while (rc == ERR_OK && len <= max_bytes) {
        ssize_t now = read(fd, text + len, max_bytes + 1 - len);
        if (now == 0)
            break;
        if (now > 0)
            len += (size_t)now;
        else if (errno != EINTR)
            rc = set_errno(error, "read", path);
    }
    close(fd);
    if (rc == ERR_OK && len > max_bytes)
        rc = error_set(error, ERR_TOO_LARGE, "%s is larger than %zu bytes", path, max_bytes);
    if (rc != ERR_OK) {
        free(text);
        return rc;
    }
    text[len] = '\0';
    *ret_text = text;
    return ERR_OK;
}

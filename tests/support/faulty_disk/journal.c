/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/faulty_disk/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define COPY_BYTES 65536

bool journal_is_kept(void)
{
    return shim.journal_dir != NULL;
}

static void open_journal(void)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/" JOURNAL_INODES, shim.journal_dir);
    if ((REAL(mkdirat)(AT_FDCWD, shim.journal_dir, 0750) != 0 && errno != EEXIST) ||
        (REAL(mkdirat)(AT_FDCWD, path, 0750) != 0 && errno != EEXIST))
        give_up("the journal cannot be made");
    for (int i = 1; shim.journal < 0; i++) {
        snprintf(path, sizeof(path), "%s/%08d" JOURNAL_SUFFIX, shim.journal_dir, i);
        shim.journal =
            REAL(openat)(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
        if (shim.journal < 0 && errno != EEXIST)
            give_up("the journal cannot be made");
    }
}

void journal_put(struct journal_record *record, const char *path, const void *data)
{
    struct iovec iov[] = {{record, sizeof(*record)},
                          {(void *)(uintptr_t)path, record->path_len},
                          {(void *)(uintptr_t)data, record->data_len}};
    size_t len = sizeof(*record) + record->path_len + record->data_len;

    if (shim.journal < 0)
        open_journal();
    record->magic = JOURNAL_MAGIC;
    record->number = ++shim.number;
    if (writev(shim.journal, iov, 3) != (ssize_t)len)
        give_up("the journal cannot be written");
}

/* A descriptor that writes past the page cache may not read, or not every length: another one is. To be closed. */
static int open_to_read(int fd)
{
    char link[64];
    int again = -1;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    again = REAL(openat)(AT_FDCWD, link, O_RDONLY | O_CLOEXEC);
    if (again < 0)
        give_up("a file cannot be read");
    return again;
}

void journal_note_bytes(int fd, const struct stat *before, int64_t offset, int64_t len)
{
    static uint8_t old[COPY_BYTES];
    int64_t end = offset + len < before->st_size ? offset + len : before->st_size;
    int reader = (fcntl(fd, F_GETFL) & O_DIRECT) != 0 && offset < end ? open_to_read(fd) : fd;

    do {
        int64_t part = end - offset < COPY_BYTES ? end - offset : COPY_BYTES;
        struct journal_record record = {.type = JOURNAL_BYTES,
                                        .inode = before->st_ino,
                                        .offset = offset,
                                        .old_size = before->st_size};

        if (part > 0 && REAL(pread)(reader, old, (size_t)part, offset) != part)
            give_up("old bytes cannot be read");
        record.data_len = part > 0 ? (uint32_t)part : 0;
        journal_put(&record, "", old);
        offset += part;
    } while (offset < end);
    if (reader != fd)
        REAL(close)(reader);
}

void journal_note_name(const char *path)
{
    struct journal_record record = {.type = JOURNAL_NAME, .path_len = (uint32_t)strlen(path) + 1};
    char full[2 * PATH_MAX];
    char kept[PATH_MAX];
    struct stat status;

    snprintf(full, sizeof(full), "%s/%s", shim.data, path);
    if (lstat(full, &status) == 0 && S_ISDIR(status.st_mode)) {
        record.inode = JOURNAL_DIRECTORY;
    } else if (lstat(full, &status) == 0) {
        record.inode = status.st_ino;
        if (shim.journal < 0)
            open_journal();
        snprintf(kept, sizeof(kept), "%s/" JOURNAL_INODES "/%llu", shim.journal_dir,
                 (unsigned long long)status.st_ino);
        if (link(full, kept) != 0 && errno != EEXIST)
            give_up("a file that loses its name cannot be kept");
    }
    journal_put(&record, path, "");
}

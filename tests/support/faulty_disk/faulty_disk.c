/* SPDX-License-Identifier: Apache-2.0 */
/* A library for LD_PRELOAD that stands between an unmodified program and one directory of its files.
 *
 *   FAULTY_DISK_DATA     the directory, absolute; everything else is passed through
 *   FAULTY_DISK_JOURNAL  where journal.h goes, on the same file system and outside DATA; unset: no
 *                        journal, so no power cut
 *   FAULTY_DISK_FAULTS   the file of faults.h; unset: none
 *
 * Changes run one at a time, each after its journal record. A sync notes the number of the newest record
 * before it begins, and tells the journal after it succeeded: what another thread wrote meanwhile is not
 * counted as synced.
 *
 * Known are the calls that the disk port makes (common/port/posix_disk.c), by descriptors that were not
 * duplicated. A change that could not be taken back ends the program, loudly. */
#include <errno.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/support/faulty_disk/faults.h"
#include "tests/support/faulty_disk/shim.h"

#define IOV_COUNT 1024

struct shim shim = {.journal = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

void give_up(const char *what)
{
    dprintf(STDERR_FILENO, "faulty_disk: %s: %s\n", what, strerror(errno));
    abort();
}

__attribute__((constructor)) static void begin(void)
{
    const char *data = getenv("FAULTY_DISK_DATA");

    if (data == NULL || realpath(data, shim.data) == NULL)
        return;
    shim.data_len = strlen(shim.data);
    shim.journal_dir = getenv("FAULTY_DISK_JOURNAL");
    faults_init(getenv("FAULTY_DISK_FAULTS"));
}

/* --- which path is it --- */

static bool path_of_descriptor(int fd, char path[PATH_MAX])
{
    char link[64];
    ssize_t len = 0;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, PATH_MAX - 1);
    if (len <= 0)
        return false;
    path[len] = '\0';
    return true;
}

/* "" = the directory itself. False = it is not below it. */
static bool below_data(const char *path, char ret_path[JOURNAL_PATH_BYTES])
{
    const char *rest = path + shim.data_len;

    if (shim.data_len == 0 || strncmp(path, shim.data, shim.data_len) != 0)
        return false;
    if (rest[0] != '\0' && rest[0] != '/')
        return false;
    while (rest[0] == '/' || (rest[0] == '.' && (rest[1] == '/' || rest[1] == '\0')))
        rest++;
    if (strlen(rest) >= JOURNAL_PATH_BYTES)
        give_up("a path is too long");
    memcpy(ret_path, rest, strlen(rest) + 1);
    return true;
}

static bool resolve(int dir, const char *name, char ret_path[JOURNAL_PATH_BYTES])
{
    char path[2 * PATH_MAX];
    char base[PATH_MAX];

    if (shim.data_len == 0)
        return false;
    if (name[0] == '/')
        return below_data(name, ret_path);
    if (dir == AT_FDCWD ? getcwd(base, sizeof(base)) == NULL : !path_of_descriptor(dir, base))
        return false;
    snprintf(path, sizeof(path), "%s/%s", base, name);
    return below_data(path, ret_path);
}

static bool is_watched(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS && shim.is_watched[fd];
}

/* The path of a watched file, if somebody wants to know it now. */
static bool has_faults(int fd, char ret_path[JOURNAL_PATH_BYTES])
{
    char path[PATH_MAX];

    return faults_are_on() && path_of_descriptor(fd, path) && below_data(path, ret_path);
}

static void lock_changes(void)
{
    pthread_mutex_lock(&shim.lock);
}

static void unlock_changes(void)
{
    int kept = errno;

    pthread_mutex_unlock(&shim.lock);
    errno = kept;
}

/* --- names --- */

static int fail(int number)
{
    errno = number;
    return -1;
}

static bool is_name_there(int dir, const char *name)
{
    struct stat status;

    return fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_full(const char *path)
{
    return faults_are_on() && faults_is_full(path);
}

static int open_watched(int dir, const char *name, int flags, mode_t mode, const char *path)
{
    bool is_new = (flags & O_CREAT) != 0 && !is_name_there(dir, name);
    struct stat status;
    int fd = -1;

    if ((flags & O_TRUNC) != 0)
        give_up("O_TRUNC is not known here");
    if (is_new && is_full(path))
        return fail(ENOSPC);
    lock_changes();
    if (is_new && journal_is_kept())
        journal_note_name(path);
    fd = REAL(openat)(dir, name, flags, mode);
    unlock_changes();
    if (fd >= DESCRIPTORS)
        give_up("too many descriptors");
    if (fd >= 0)
        shim.is_watched[fd] = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    return fd;
}

int openat(int dir, const char *name, int flags, ...)
{
    char path[JOURNAL_PATH_BYTES];
    mode_t mode = 0;

    if ((flags & (O_CREAT | __O_TMPFILE)) != 0) {
        va_list arguments;

        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if (!resolve(dir, name, path))
        return REAL(openat)(dir, name, flags, mode);
    return open_watched(dir, name, flags, mode, path);
}

int open(const char *name, int flags, ...)
{
    mode_t mode = 0;

    if ((flags & (O_CREAT | __O_TMPFILE)) != 0) {
        va_list arguments;

        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return openat(AT_FDCWD, name, flags, mode);
}

int close(int fd)
{
    if (is_watched(fd))
        shim.is_watched[fd] = false;
    return REAL(close)(fd);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    char old_path[JOURNAL_PATH_BYTES];
    char new_path[JOURNAL_PATH_BYTES];
    bool is_from = resolve(from_dir, from, old_path);
    bool is_to = resolve(to_dir, to, new_path);
    struct stat status;
    int rc = 0;

    if (is_from != is_to ||
        (is_from && fstatat(from_dir, from, &status, 0) == 0 && S_ISDIR(status.st_mode)))
        give_up("a rename across the border, or of a directory");
    if (!is_from || !journal_is_kept())
        return REAL(renameat)(from_dir, from, to_dir, to);
    lock_changes();
    journal_note_name(old_path);
    journal_note_name(new_path);
    rc = REAL(renameat)(from_dir, from, to_dir, to);
    unlock_changes();
    return rc;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int dir, const char *name, int flags)
{
    char path[JOURNAL_PATH_BYTES];
    int rc = 0;

    if (!journal_is_kept() || !resolve(dir, name, path) || !is_name_there(dir, name))
        return REAL(unlinkat)(dir, name, flags);
    lock_changes();
    journal_note_name(path);
    rc = REAL(unlinkat)(dir, name, flags);
    unlock_changes();
    return rc;
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int rmdir(const char *name)
{
    return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
    char path[JOURNAL_PATH_BYTES];
    int rc = 0;

    if (!resolve(dir, name, path) || is_name_there(dir, name))
        return REAL(mkdirat)(dir, name, mode);
    if (is_full(path))
        return fail(ENOSPC);
    if (!journal_is_kept())
        return REAL(mkdirat)(dir, name, mode);
    lock_changes();
    journal_note_name(path);
    rc = REAL(mkdirat)(dir, name, mode);
    unlock_changes();
    return rc;
}

int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}

/* --- bytes --- */

static int64_t total_bytes(const struct iovec *iov, int count)
{
    int64_t len = 0;

    for (int i = 0; i < count; i++)
        len += (int64_t)iov[i].iov_len;
    return len;
}

/* The first `allowed` bytes of the vectors. */
static int cut_vectors(struct iovec *to, const struct iovec *iov, int count, int64_t allowed)
{
    int kept = 0;

    while (kept < count && allowed > 0) {
        to[kept] = iov[kept];
        if ((int64_t)to[kept].iov_len > allowed)
            to[kept].iov_len = (size_t)allowed;
        allowed -= (int64_t)to[kept++].iov_len;
    }
    return kept;
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
    char path[JOURNAL_PATH_BYTES];
    struct iovec cut[IOV_COUNT];
    int64_t len = total_bytes(iov, count);
    struct stat before;
    ssize_t done = 0;

    if (!is_watched(fd) || len == 0 || count > IOV_COUNT || fstat(fd, &before) != 0)
        return REAL(pwritev)(fd, iov, count, offset);
    if (has_faults(fd, path)) {
        int64_t growth = offset + len > before.st_size ? offset + len - before.st_size : 0;

        if (faults_hit(FAULT_WRITE_ERROR, path))
            return fail(EIO);
        len = faults_allow_write(path, len, growth);
        if (len < 0)
            return fail(ENOSPC);
    }
    count = cut_vectors(cut, iov, count, len);
    lock_changes();
    if (fstat(fd, &before) != 0)
        give_up("a file cannot be looked at");
    if (journal_is_kept())
        journal_note_bytes(fd, &before, offset, len);
    done = REAL(pwritev)(fd, cut, count, offset);
    unlock_changes();
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    struct iovec iov = {(void *)(uintptr_t)data, len};

    return is_watched(fd) ? pwritev(fd, &iov, 1, offset) : REAL(pwrite)(fd, data, len, offset);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    if (!is_watched(fd))
        return REAL(pwritev2)(fd, iov, count, offset, flags);
    if (flags != 0 || offset < 0)
        give_up("this kind of pwritev2 is not known here");
    return pwritev(fd, iov, count, offset);
}

ssize_t write(int fd, const void *data, size_t len)
{
    if (is_watched(fd))
        give_up("write without an offset is not known here");
    return REAL(write)(fd, data, len);
}

int ftruncate(int fd, off_t size)
{
    struct stat before;
    int rc = 0;

    if (!is_watched(fd) || !journal_is_kept())
        return REAL(ftruncate)(fd, size);
    lock_changes();
    if (fstat(fd, &before) != 0)
        give_up("a file cannot be looked at");
    if (before.st_size != size)
        journal_note_bytes(fd, &before, size, before.st_size > size ? before.st_size - size : 0);
    rc = REAL(ftruncate)(fd, size);
    unlock_changes();
    return rc;
}

/* Only the growing kind: its new bytes are zeros. */
int fallocate(int fd, int mode, off_t offset, off_t len)
{
    char path[JOURNAL_PATH_BYTES];
    struct stat before;
    int rc = 0;

    if (!is_watched(fd))
        return REAL(fallocate)(fd, mode, offset, len);
    if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0)
        give_up("this kind of fallocate is not known here");
    if (fstat(fd, &before) == 0 && has_faults(fd, path) && offset + len > before.st_size &&
        faults_allow_write(path, len, offset + len - before.st_size) < len)
        return fail(ENOSPC);
    lock_changes();
    if (fstat(fd, &before) != 0)
        give_up("a file cannot be looked at");
    if (journal_is_kept())
        journal_note_bytes(fd, &before, before.st_size, 0);
    rc = REAL(fallocate)(fd, mode, offset, len);
    unlock_changes();
    return rc;
}

int posix_fallocate(int fd, off_t offset, off_t len)
{
    if (!is_watched(fd))
        return REAL(posix_fallocate)(fd, offset, len);
    return fallocate(fd, 0, offset, len) == 0 ? 0 : errno;
}

ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
    char path[JOURNAL_PATH_BYTES];

    if (is_watched(fd) && has_faults(fd, path) && faults_hit(FAULT_READ_ERROR, path))
        return fail(EIO);
    return REAL(pread)(fd, data, len, offset);
}

/* --- syncs --- */

static int sync_watched(int fd, int (*sync_now)(int fd), const struct stat *status,
                        const char *path)
{
    bool is_directory = S_ISDIR(status->st_mode);
    struct journal_record record = {
        .type = is_directory ? JOURNAL_NAMES_SYNCED : JOURNAL_FILE_SYNCED, .inode = status->st_ino};

    lock_changes();
    record.until = shim.number + 1;
    unlock_changes();
    if (faults_are_on()) {
        (void)usleep((useconds_t)faults_sync_delay_us(path));
        if (faults_hit(FAULT_SYNC_ERROR, path))
            return fail(EIO);
        if (faults_hit(FAULT_SYNC_LIE, path))
            return 0;
    }
    if (sync_now(fd) != 0)
        return -1;
    if (!journal_is_kept())
        return 0;
    lock_changes();
    record.path_len = is_directory ? (uint32_t)strlen(path) + 1 : 0;
    journal_put(&record, path, "");
    unlock_changes();
    return 0;
}

static int sync_descriptor(int fd, int (*sync_now)(int fd))
{
    char path[JOURNAL_PATH_BYTES];
    char full[PATH_MAX];
    struct stat status;

    if (shim.data_len == 0 || fstat(fd, &status) != 0 ||
        (!is_watched(fd) && !S_ISDIR(status.st_mode)) || !path_of_descriptor(fd, full) ||
        !below_data(full, path))
        return sync_now(fd);
    return sync_watched(fd, sync_now, &status, path);
}

int fsync(int fd)
{
    return sync_descriptor(fd, REAL(fsync));
}

int fdatasync(int fd)
{
    return sync_descriptor(fd, REAL(fdatasync));
}

int fstatvfs(int fd, struct statvfs *status)
{
    char path[JOURNAL_PATH_BYTES];
    int rc = REAL(fstatvfs)(fd, status);

    if (rc == 0 && shim.data_len > 0 && has_faults(fd, path) && faults_free_bytes() >= 0)
        status->f_bavail = (fsblkcnt_t)faults_free_bytes() / status->f_frsize;
    return rc;
}

/* Programs that were built for large files call the same by other names. */
int open64(const char *name, int flags, ...) __attribute__((alias("open")));
int openat64(int dir, const char *name, int flags, ...) __attribute__((alias("openat")));
ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
    __attribute__((alias("pwrite")));
ssize_t pwritev64(int fd, const struct iovec *iov, int count, off_t offset)
    __attribute__((alias("pwritev")));
ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
    __attribute__((alias("pwritev2")));
ssize_t pread64(int fd, void *data, size_t len, off_t offset) __attribute__((alias("pread")));
int ftruncate64(int fd, off_t size) __attribute__((alias("ftruncate")));
int fallocate64(int fd, int mode, off_t offset, off_t len) __attribute__((alias("fallocate")));
int posix_fallocate64(int fd, off_t offset, off_t len) __attribute__((alias("posix_fallocate")));

int fstatvfs64(int fd, struct statvfs64 *status)
{
    _Static_assert(sizeof(struct statvfs) == sizeof(struct statvfs64), "the same by another name");
    return fstatvfs(fd, (struct statvfs *)(void *)status);
}

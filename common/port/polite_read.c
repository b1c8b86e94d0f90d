/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/polite_read.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_LEAST_BYTES 4096

/* Every page of a piece; reads nothing. When that cannot be told, it counts as there: nobody has to give way. */
static bool is_in_memory(int fd, int64_t offset, size_t len)
{
    unsigned char pages[POLITE_READ_PIECE_BYTES / PAGE_LEAST_BYTES + 1];
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t before = (size_t)offset % page_bytes;
    size_t bytes = before + len;
    bool is_there = true;
    void *mapped = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, offset - (int64_t)before);

    if (mapped == MAP_FAILED)
        return true;
    if (mincore(mapped, bytes, pages) == 0) {
        for (size_t i = 0; i < (bytes + page_bytes - 1) / page_bytes && is_there; i++)
            is_there = (pages[i] & 1) != 0;
    }
    (void)munmap(mapped, bytes);
    return is_there;
}

static ssize_t read_piece(int fd, int64_t offset, void *data, size_t len)
{
    ssize_t n = 0;

    do
        n = pread(fd, data, len, offset);
    while (n < 0 && errno == EINTR);
    return n;
}

enum err polite_read(struct right_of_way *way, int fd, int64_t offset, void *data, size_t len,
                     size_t *ret_len)
{
    size_t got = 0;

    while (got < len) {
        int64_t at = offset + (int64_t)got;
        size_t piece = len - got < POLITE_READ_PIECE_BYTES ? len - got : POLITE_READ_PIECE_BYTES;
        ssize_t n = 0;

        if (right_of_way_is_taken(way) && !is_in_memory(fd, at, piece))
            right_of_way_give(way);
        n = read_piece(fd, at, (uint8_t *)data + got, piece);
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *ret_len = got;
    return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What bounds any server here: what goes over loopback (probe_network.h); large overwrites of
 * a file that was written before, each synced; small ones, likewise; and large writes to where nothing was before, which is where
 * a log's bytes go: a disk that gets its blocks only when they are first written takes those at half the rate. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/load/latency.h"
#include "tests/bench/load/link.h"
#include "tests/bench/load/loads.h"
#include "tests/bench/load/probe_network.h"

#define LARGE ((size_t)1 << 20)
#define LARGEST (LARGE * 16)
#define SMALL ((size_t)4096)
#define ANSWER_RUNS 3
#define FILE_BYTES ((off_t)256 << 20)
#define APPENDED_BYTES_MAX ((int64_t)4 << 30)
#define SECONDS_NS ((int64_t)2 * 1000000000)

static int make_file(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    uint8_t *bytes = allocate(LARGE, 1);

    if (fd < 0)
        err(1, "%s", directory);
    for (off_t at = 0; at < FILE_BYTES; at += (off_t)LARGE) {
        if (pwrite(fd, bytes, LARGE, at) != (ssize_t)LARGE)
            err(1, "%s", directory);
    }
    if (fsync(fd) != 0)
        err(1, "%s", directory);
    free(bytes);
    return fd;
}

/* Bytes a second; each flush is noted. */
static double overwrite(int fd, size_t size, struct latency *flushes)
{
    uint8_t *bytes = allocate(size, 1);
    int64_t began = now_ns(), now = began, written = 0;

    while (now - began < SECONDS_NS) {
        if (pwrite(fd, bytes, size, written % FILE_BYTES) != (ssize_t)size || fdatasync(fd) != 0)
            err(1, "disk");
        written += (int64_t)size;
        latency_note(flushes, now_ns() - now);
        now = now_ns();
    }
    free(bytes);
    return (double)written / ((double)(now - began) / 1e9);
}

/* A new file, past the page cache, synced after each write. */
static double append(const char *directory, size_t size)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | O_DIRECT, 0600);
    void *bytes = aligned_alloc(SMALL, size);
    int64_t began = now_ns(), now = began, written = 0;

    if (fd < 0 || bytes == NULL)
        err(1, "%s", directory);
    memset(bytes, 'x', size);
    while (now - began < SECONDS_NS && written < APPENDED_BYTES_MAX) {
        if (pwrite(fd, bytes, size, written) != (ssize_t)size || fdatasync(fd) != 0)
            err(1, "disk");
        written += (int64_t)size;
        now = now_ns();
    }
    (void)close(fd);
    free(bytes);
    return (double)written / ((double)(now - began) / 1e9);
}

static void go_past_page_cache(int fd)
{
    if (fcntl(fd, F_SETFL, O_DIRECT) != 0)
        err(1, "disk");
}

/* Of several runs: the disk may still be busy with what others left it. */
static void best_answers(int fd, struct latency *ret_answers)
{
    static struct latency found;

    for (int i = 0; i < ANSWER_RUNS; i++) {
        found = (struct latency){.count = 0};
        probe_answers(fd, FILE_BYTES, &found);
        if (i == 0 || latency_quantile_ms(&found, 0.99) < latency_quantile_ms(ret_answers, 0.99))
            *ret_answers = found;
    }
}

void load_probe(const struct load_options *options)
{
    static struct latency large, small, answers;
    double network = probe_loopback();
    double encrypted = probe_tls();
    int fd = make_file(options->directory);
    double disk = 0, fresh = 0;

    /* A group commit may be larger than its requests: what is best of a few sizes is the bound. */
    for (size_t size = LARGE; size <= LARGEST; size *= 4) {
        double reached = overwrite(fd, size, &large);
        double appended = append(options->directory, size);

        disk = reached > disk ? reached : disk;
        fresh = appended > fresh ? appended : fresh;
    }

    (void)overwrite(fd, SMALL, &small);
    go_past_page_cache(fd);
    best_answers(fd, &answers);
    (void)close(fd);
    printf("{\"loopback_bytes_per_second\": %.0f, \"tls_bytes_per_second\": %.0f, "
           "\"disk_bytes_per_second\": %.0f, \"append_bytes_per_second\": %.0f, \"flush_ms\": ",
           network, encrypted, disk, fresh);
    latency_print(&small);
    printf(", \"answer_ms\": ");
    latency_print(&answers);
    printf("}\n");
}

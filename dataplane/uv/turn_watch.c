/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/uv/turn_watch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ASK_EVERY 64
#define STAT_BYTES 96

void turn_watch_init(struct turn_watch *watch)
{
    *watch = (struct turn_watch){.fd = -1};
}

void turn_watch_done(struct turn_watch *watch)
{
    if (watch->fd >= 0)
        (void)close(watch->fd);
}

static int64_t ran_us(void)
{
    struct timespec ran = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
    return (int64_t)ran.tv_sec * 1000000 + ran.tv_nsec / 1000;
}

/* The second number of schedstat (proc(5)): nanoseconds in a run queue. */
static int64_t ready_us(int fd)
{
    char text[STAT_BYTES];
    char *second = NULL;
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

    if (len <= 0)
        return 0;
    text[len] = '\0';
    (void)strtoll(text, &second, 10);
    return strtoll(second, NULL, 10) / 1000;
}

static void ask(struct turn_watch *watch)
{
    if (watch->fd < 0)
        watch->fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    watch->ran_us = ran_us();
    watch->ready_us = ready_us(watch->fd);
}

bool turn_watch_note(struct turn_watch *watch, int64_t busy_us, struct long_turn *ret_turn)
{
    bool is_long = busy_us > TURN_WATCH_LONG_US;
    struct turn_watch before = *watch;

    if (watch->turns++ % ASK_EVERY == 0 || is_long)
        ask(watch);
    *ret_turn =
        (struct long_turn){watch->ran_us - before.ran_us, watch->ready_us - before.ready_us};
    return is_long;
}

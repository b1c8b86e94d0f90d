/* SPDX-License-Identifier: Apache-2.0 */
#include <err.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/bench/load/link.h"
#include "tests/bench/load/loads.h"

#define AT_ONCE 64

static void on_answer(void *context, struct link *link, struct slice answer)
{
    (void)context;
    (void)answer;
    errx(1, "connection %d got an answer that nobody asked for", link->index);
}

void load_connections(const struct load_options *options)
{
    static struct link_set set;
    int64_t began = now_ns();
    double seconds = 0;
    char byte = 0;

    set.on_answer = on_answer;
    link_set_open(&set, options, options->connections, AT_ONCE);
    seconds = (double)(now_ns() - began) / 1e9;
    printf("{\"connections\": %d, \"seconds\": %.3f, \"logins_per_second\": %.1f}\n", set.count,
           seconds, set.count / seconds);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    link_set_close(&set);
}

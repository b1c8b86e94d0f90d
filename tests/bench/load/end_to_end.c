/* SPDX-License-Identifier: Apache-2.0 */
/* Batches at a rate, each with the time in it at which it was due, and one consumer at the ends of all partitions. */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/load/batches.h"
#include "tests/bench/load/loads.h"
#include "tests/bench/load/measure.h"
#include "tests/bench/load/requests.h"
#include "tests/bench/load/sender.h"

#define WAIT_MS 500

struct end_to_end {
    struct link_set producers;
    struct link_set consumers;
    struct sender sender;
    struct measure received;
    struct measure acknowledged;
    struct fetch_position *positions;
    struct slice request;
    bool is_at_end; /* of what was there before: what comes now is ours */
    int partitions_behind;
};

static void ask(struct end_to_end *load, int32_t wait_ms)
{
    free((void *)(uintptr_t)load->request.data);
    load->request = request_fetch(load->consumers.options, load->positions,
                                  load->consumers.options->partitions, wait_ms);
    link_send(&load->consumers.links[0], load->request);
}

static void on_partition(void *context, int32_t partition, int64_t high_watermark,
                         struct slice records)
{
    struct end_to_end *load = context;
    struct batch_walk walk = {.left = records};
    int64_t now = now_ns();

    if (partition < 0 || partition >= load->consumers.options->partitions)
        errx(1, "partition %d was not asked for", partition);
    if (!load->is_at_end) {
        load->positions[partition].offset = high_watermark;
        return;
    }
    while (batch_walk_next(&walk)) {
        load->positions[partition].offset = walk.next_offset;
        measure_note(&load->received, now, batch_stamped(walk.batch), walk.records,
                     (int64_t)walk.batch.len);
    }
}

static void on_fetched(void *context, struct link *link, struct slice answer)
{
    struct end_to_end *load = context;

    (void)link;
    answer_fetch(answer, on_partition, load);
    load->is_at_end = true;
    ask(load, WAIT_MS);
}

static void on_acknowledged(void *context, struct link *link, struct slice answer)
{
    struct end_to_end *load = context;
    int64_t due = sender_answered(&load->sender, link, answer);

    measure_note(&load->acknowledged, now_ns(), due, load->sender.batch_records,
                 (int64_t)load->sender.batch_bytes);
}

static void serve(struct end_to_end *load, int64_t until_ns)
{
    struct pollfd sets[] = {{.fd = load->producers.epoll, .events = POLLIN},
                            {.fd = load->consumers.epoll, .events = POLLIN}};
    int64_t left = until_ns - now_ns();
    struct timespec timeout = {left > 0 ? left / 1000000000 : 0, left > 0 ? left % 1000000000 : 0};

    if (ppoll(sets, 2, &timeout, NULL) < 0)
        err(1, "poll");
    link_set_wait(&load->consumers, 0);
    link_set_wait(&load->producers, 0);
}

static void run(struct end_to_end *load)
{
    int64_t began = now_ns();
    double interval =
        1e9 * (double)load->sender.batch_bytes / (double)load->producers.options->rate;
    int64_t sent = 0;

    for (int64_t now = began; !measure_is_over(&load->received, now); now = now_ns()) {
        int64_t due = began + (int64_t)((double)sent * interval);

        if (due > now) {
            serve(load, due);
            continue;
        }
        measure_note_late(&load->received, now, due);
        sender_send(&load->sender, &load->producers.links[sent++ % load->producers.count], due);
        serve(load, now);
    }
}

void load_end_to_end(const struct load_options *options)
{
    static struct end_to_end load;

    if (options->rate == 0 || options->batches != 1)
        errx(2, "e2e wants a --rate, and one batch a request");
    load.producers.on_answer = on_acknowledged;
    load.producers.context = &load;
    load.consumers.on_answer = on_fetched;
    load.consumers.context = &load;
    load.positions = allocate((size_t)options->partitions, sizeof(load.positions[0]));
    for (int32_t i = 0; i < options->partitions; i++)
        load.positions[i].partition = i;
    sender_init(&load.sender, options, true);
    link_set_open(&load.producers, options, options->connections, options->connections);
    link_set_open(&load.consumers, options, 1, 1);
    ask(&load, 0);
    while (!load.is_at_end)
        link_set_wait(&load.consumers, -1);
    measure_begin(&load.received, options);
    measure_begin(&load.acknowledged, options);
    run(&load);
    measure_print(&load.received);
    printf(", \"ack_ms\": ");
    latency_print(&load.acknowledged.latency);
    printf("}\n");
    link_set_close(&load.producers);
    link_set_close(&load.consumers);
    sender_done(&load.sender);
    free((void *)(uintptr_t)load.request.data);
    free(load.positions);
}

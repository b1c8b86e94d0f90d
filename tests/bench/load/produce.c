/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/bench/load/loads.h"
#include "tests/bench/load/measure.h"
#include "tests/bench/load/sender.h"

struct produce {
    struct link_set set;
    struct sender sender;
    struct measure measure;
    bool is_closed_loop;
};

static void on_answer(void *context, struct link *link, struct slice answer)
{
    struct produce *produce = context;
    int64_t due = sender_answered(&produce->sender, link, answer);
    int64_t now = now_ns();

    measure_note(&produce->measure, now, due, sender_request_records(&produce->sender),
                 sender_request_bytes(&produce->sender));
    if (produce->is_closed_loop && !measure_is_over(&produce->measure, now))
        sender_send(&produce->sender, link, now);
}

static void run_closed_loop(struct produce *produce)
{
    for (int i = 0; i < produce->set.count; i++) {
        for (int k = 0; k < produce->set.options->in_flight; k++)
            sender_send(&produce->sender, &produce->set.links[i], now_ns());
    }
    while (!measure_is_over(&produce->measure, now_ns()))
        link_set_wait(&produce->set, 100000000);
}

static void run_open_loop(struct produce *produce)
{
    int64_t began = now_ns();
    double interval =
        1e9 * (double)sender_request_bytes(&produce->sender) / (double)produce->set.options->rate;
    int64_t sent = 0;

    for (int64_t now = began; !measure_is_over(&produce->measure, now); now = now_ns()) {
        int64_t due = began + (int64_t)((double)sent * interval);

        if (due > now) {
            link_set_wait(&produce->set, due - now);
            continue;
        }
        measure_note_late(&produce->measure, now, due);
        sender_send(&produce->sender, &produce->set.links[sent++ % produce->set.count], due);
        link_set_wait(&produce->set, 0);
    }
}

void load_produce(const struct load_options *options)
{
    static struct produce produce;

    produce.set.on_answer = on_answer;
    produce.set.context = &produce;
    produce.is_closed_loop = options->rate == 0;
    sender_init(&produce.sender, options, false);
    link_set_open(&produce.set, options, options->connections, options->connections);
    measure_begin(&produce.measure, options);
    if (produce.is_closed_loop)
        run_closed_loop(&produce);
    else
        run_open_loop(&produce);
    measure_print(&produce.measure);
    printf("}\n");
    link_set_close(&produce.set);
    sender_done(&produce.sender);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Each connection reads its share of the partitions, one request at a time (as a consumer does), from the
 * beginning to the end, and again. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/load/batches.h"
#include "tests/bench/load/loads.h"
#include "tests/bench/load/measure.h"
#include "tests/bench/load/requests.h"
#include "tests/bench/load/link.h"

struct reader_link {
    struct fetch_position *positions;
    int position_count;
    struct slice request;
    int64_t sent_ns;
};

struct fetch {
    struct link_set set;
    struct reader_link *links;
    struct measure measure;
    struct reader_link *at_hand;
    int64_t records, bytes; /* of the answer at hand */
};

static void ask(struct fetch *fetch, struct link *link)
{
    struct reader_link *mine = &fetch->links[link->index];

    free((void *)(uintptr_t)mine->request.data);
    mine->request = request_fetch(fetch->set.options, mine->positions, mine->position_count, 500);
    mine->sent_ns = now_ns();
    link_send(link, mine->request);
}

static struct fetch_position *position_of(struct reader_link *mine, int32_t partition)
{
    for (int i = 0; i < mine->position_count; i++) {
        if (mine->positions[i].partition == partition)
            return &mine->positions[i];
    }
    errx(1, "partition %d was not asked for", partition);
}

/* A batch may begin below the offset that was asked for, never above it. */
static void on_partition(void *context, int32_t partition, int64_t high_watermark,
                         struct slice records)
{
    struct fetch *fetch = context;
    struct fetch_position *position = position_of(fetch->at_hand, partition);
    struct batch_walk walk = {.left = records};

    while (batch_walk_next(&walk)) {
        if (walk.next_offset - walk.records > position->offset)
            errx(1, "offset %lld of partition %d was left out", (long long)position->offset,
                 partition);
        position->offset = walk.next_offset;
        fetch->records += walk.records;
        fetch->bytes += (int64_t)walk.batch.len;
    }
    if (position->offset >= high_watermark)
        position->offset = 0;
}

static void on_answer(void *context, struct link *link, struct slice answer)
{
    struct fetch *fetch = context;
    int64_t now = now_ns();

    fetch->at_hand = &fetch->links[link->index];
    fetch->records = fetch->bytes = 0;
    answer_fetch(answer, on_partition, fetch);
    measure_note(&fetch->measure, now, fetch->at_hand->sent_ns, fetch->records, fetch->bytes);
    ask(fetch, link);
}

static void share_out(struct fetch *fetch, const struct load_options *options)
{
    fetch->links = allocate((size_t)options->connections, sizeof(fetch->links[0]));
    for (int i = 0; i < options->connections; i++)
        fetch->links[i].positions =
            allocate((size_t)options->partitions, sizeof(struct fetch_position));
    for (int32_t partition = 0; partition < options->partitions; partition++) {
        struct reader_link *mine = &fetch->links[partition % options->connections];

        mine->positions[mine->position_count++].partition = partition;
    }
}

void load_fetch(const struct load_options *options)
{
    static struct fetch fetch;

    if (options->connections > options->partitions)
        errx(2, "there are more --connections than partitions");
    fetch.set.on_answer = on_answer;
    fetch.set.context = &fetch;
    share_out(&fetch, options);
    link_set_open(&fetch.set, options, options->connections, options->connections);
    measure_begin(&fetch.measure, options);
    for (int i = 0; i < fetch.set.count; i++)
        ask(&fetch, &fetch.set.links[i]);
    while (!measure_is_over(&fetch.measure, now_ns()))
        link_set_wait(&fetch.set, 100000000);
    measure_print(&fetch.measure);
    printf("}\n");
    link_set_close(&fetch.set);
    for (int i = 0; i < options->connections; i++) {
        free(fetch.links[i].positions);
        free((void *)(uintptr_t)fetch.links[i].request.data);
    }
    free(fetch.links);
}

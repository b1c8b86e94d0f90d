/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/write_run.h"

#include "dataplane/storage/shard.h"

static bool goes_on(const struct write_run *last, const struct write_run *next)
{
    return last != NULL && last->segment == next->segment && last->chunk == next->chunk &&
           last->to == next->from;
}

static void free_run(struct shard *shard, struct write_run *run)
{
    shard_segment_unref(shard, run->segment);
    tail_chunk_unref(run->chunk);
    spare_pool_give(&shard->loop->spares, run, sizeof(*run));
}

static void push(struct run_list *list, struct write_run *run)
{
    if (list->first == NULL)
        list->first = run;
    else
        list->last->next = run;
    list->last = run;
}

void run_list_put(struct shard *shard, struct run_list *list, struct write_run *run,
                  const struct write_run *content)
{
    list->bytes += (int64_t)(content->to - content->from);
    if (goes_on(list->last, content)) {
        list->last->to = content->to;
        spare_pool_give(&shard->loop->spares, run, sizeof(*run));
        return;
    }
    *run = *content;
    run->next = NULL;
    run->segment->refs++;
    tail_chunk_ref(run->chunk);
    push(list, run);
}

void run_list_append(struct shard *shard, struct run_list *to, struct run_list *from)
{
    struct write_run *first = from->first;

    if (first == NULL)
        return;
    to->bytes += from->bytes;
    if (goes_on(to->last, first)) {
        to->last->to = first->to;
        from->first = first->next;
        free_run(shard, first);
    }
    if (from->first != NULL) {
        push(to, from->first);
        to->last = from->last;
    }
    *from = (struct run_list){.first = NULL};
}

void run_list_free(struct shard *shard, struct run_list *list)
{
    struct write_run *run = NULL;

    while ((run = list->first) != NULL) {
        list->first = run->next;
        free_run(shard, run);
    }
    *list = (struct run_list){.first = NULL};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load/sender.h"

#include <err.h>
#include <stdlib.h>

#include "tests/bench/load/batches.h"
#include "tests/bench/load/requests.h"

/* Requests go round the partitions until one begins at the first again, or there is one for each. */
void sender_init(struct sender *sender, const struct load_options *options, bool is_stamping)
{
    struct slice batch =
        batch_build(options->record_bytes, options->batch_bytes, &sender->batch_records);

    sender->options = options;
    sender->is_stamping = is_stamping;
    sender->batch_bytes = batch.len;
    sender->frame_count = options->partitions % options->batches == 0
                              ? options->partitions / options->batches
                              : options->partitions;
    sender->frames = allocate((size_t)sender->frame_count, sizeof(sender->frames[0]));
    for (int i = 0; i < sender->frame_count; i++)
        sender->frames[i] =
            request_produce(options, (int32_t)((int64_t)i * options->batches % options->partitions),
                            batch, &sender->batch_at);
    free((void *)(uintptr_t)batch.data);
    sender->link_count = options->connections;
    sender->links = allocate((size_t)sender->link_count, sizeof(sender->links[0]));
    for (int i = 0; i < sender->link_count; i++) {
        sender->links[i].due = allocate(LINK_QUEUE, sizeof(sender->links[i].due[0]));
        sender->links[i].copies = allocate(LINK_QUEUE, sizeof(sender->links[i].copies[0]));
    }
}

void sender_done(struct sender *sender)
{
    for (int i = 0; i < sender->link_count; i++) {
        for (int k = 0; k < LINK_QUEUE; k++)
            free(sender->links[i].copies[k]);
        free(sender->links[i].copies);
        free(sender->links[i].due);
    }
    for (int i = 0; i < sender->frame_count; i++)
        free((void *)(uintptr_t)sender->frames[i].data);
    free(sender->links);
    free(sender->frames);
}

static struct slice stamped(struct sender *sender, struct sender_link *mine, struct slice frame,
                            int64_t due_ns)
{
    uint8_t **copy = &mine->copies[mine->sent % LINK_QUEUE];

    if (*copy == NULL)
        *copy = allocate(1, frame.len);
    memcpy(*copy, frame.data, frame.len);
    batch_stamp(*copy + sender->batch_at, sender->batch_bytes, due_ns);
    return slice_of(*copy, frame.len);
}

void sender_send(struct sender *sender, struct link *link, int64_t due_ns)
{
    struct sender_link *mine = &sender->links[link->index];
    struct slice frame = sender->frames[sender->next_frame];

    if (mine->sent - mine->answered == LINK_QUEUE)
        errx(1,
             "%d requests of a connection wait for an answer: the server is slower than the load",
             LINK_QUEUE);
    sender->next_frame = (sender->next_frame + 1) % sender->frame_count;
    if (sender->is_stamping)
        frame = stamped(sender, mine, frame, due_ns);
    mine->due[mine->sent++ % LINK_QUEUE] = due_ns;
    link_send(link, frame);
}

int64_t sender_answered(struct sender *sender, const struct link *link, struct slice answer)
{
    struct sender_link *mine = &sender->links[link->index];
    int code = answer_produce_error(answer);

    if (code != 0)
        errx(1, "Produce was answered with error %d", code);
    return mine->due[mine->answered++ % LINK_QUEUE];
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Produce requests that were built before, for the partitions in turn, and when each was due. */
#ifndef TESTS_BENCH_LOAD_SENDER_H
#define TESTS_BENCH_LOAD_SENDER_H

#include "tests/bench/load/link.h"

/* What is under way on one connection: rings of LINK_QUEUE. */
struct sender_link {
    int64_t *due;
    uint8_t **copies; /* of stamped frames; each stays until its place is used again */
    unsigned sent, answered;
};

struct sender {
    const struct load_options *options;
    bool is_stamping;
    struct slice *frames;
    int frame_count;
    int next_frame;
    size_t batch_at; /* in a frame */
    size_t batch_bytes;
    int32_t batch_records;
    struct sender_link *links;
    int link_count;
};

/* is_stamping: each first batch carries its due time (batches.h), so one batch a request. */
void sender_init(struct sender *sender, const struct load_options *options, bool is_stamping);
void sender_done(struct sender *sender);
void sender_send(struct sender *sender, struct link *link, int64_t due_ns);
/* When it was due that is answered here; an error ends the process. */
int64_t sender_answered(struct sender *sender, const struct link *link, struct slice answer);

static inline int64_t sender_request_bytes(const struct sender *sender)
{
    return (int64_t)sender->batch_bytes * sender->options->batches;
}

static inline int64_t sender_request_records(const struct sender *sender)
{
    return (int64_t)sender->batch_records * sender->options->batches;
}

static inline unsigned sender_in_flight(const struct sender *sender, const struct link *link)
{
    const struct sender_link *mine = &sender->links[link->index];

    return mine->sent - mine->answered;
}

#endif

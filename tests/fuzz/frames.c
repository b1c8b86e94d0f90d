/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka's framing, however the bytes arrive: in pieces, into the reader's own room or not. No frame is larger
 * than allowed, and what was taken from the budget is given back. */
#include "dataplane/net/frame_reader.h"
#include "tests/fuzz/fuzz_input.h"

enum { MAX_FRAME = 65536 };

static void feed(struct frame_reader *reader, struct slice piece, enum err *rc)
{
    uint8_t *room = NULL;
    size_t room_len = 0;

    frame_reader_room(reader, &room, &room_len);
    if (room_len > 0 && piece.len > 0) {
        size_t part = piece.len < room_len ? piece.len : room_len;

        memcpy(room, piece.data, part);
        frame_reader_filled(reader, part);
        piece = slice_of(piece.data + part, piece.len - part);
    }
    while (*rc == ERR_OK) {
        struct frame frame;

        *rc = frame_reader_feed(reader, &piece);
        if (*rc != ERR_OK || !frame_reader_take(reader, &frame))
            break;
        invariant(frame.len <= MAX_FRAME);
        frame_free(reader->budget, &frame);
    }
    invariant(*rc != ERR_OK || piece.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    const struct memory_limits limits = {.limit_bytes = 4 * MAX_FRAME,
                                         .shared_bytes = 4 * MAX_FRAME,
                                         .guarantee_bytes = MAX_FRAME,
                                         .instance_bytes = 4 * MAX_FRAME,
                                         .stranger_bytes = MAX_FRAME / 2};
    struct frame_reader reader;
    struct memory_budget budget;
    enum err rc = ERR_OK;

    memory_budget_init(&budget, &limits);
    frame_reader_init(&reader, &budget, &budget.strangers, NULL, MAX_FRAME);
    while (input.len > 0 && rc == ERR_OK)
        feed(&reader, fuzz_piece(&input), &rc);
    invariant(rc == ERR_OK || rc == ERR_TOO_LARGE);
    frame_reader_done(&reader);
    invariant(budget.used_bytes == 0 && budget.strangers.used_bytes == 0);
    return 0;
}

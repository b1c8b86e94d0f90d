/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka's framing: i32 length, then so many bytes. Memory for a frame is taken from the budget as its bytes
 * come (a first chunk, then four times as much as there is), so a length alone buys nothing. While the budget is short no
 * byte is taken: the caller keeps them and feeds again later. The block behind it is that of the whole frame from the second chunk on, if
 * it is no larger than 2 MiB: pages that nobody has written to cost nothing, and bytes that are here need not move. */
#ifndef DATAPLANE_NET_FRAME_READER_H
#define DATAPLANE_NET_FRAME_READER_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/base/spare_pool.h"
#include "dataplane/quota/memory_budget.h"

struct frame_reader {
    uint8_t size_bytes[4];
    size_t size_len; /* how many of them are here */
    uint8_t *data;   /* the frame under way, owned; NULL = none */
    size_t len;      /* bytes here */
    size_t size;     /* bytes in all */
    size_t capacity; /* taken from the budget */
    size_t room;     /* of data: so much or more */
    size_t max_size; /* 64 KiB before login, 100 MiB after */
    struct memory_budget *budget;
    struct memory_account *account; /* changes between frames only */
    struct spare_pool *spares;      /* where the memory comes from */
    bool is_finisher;               /* memory_budget.h */
};

struct frame {
    uint8_t *data; /* owned by the receiver: frame_free */
    size_t len;
    struct memory_account *account; /* len bytes of it */
    struct spare_pool *spares;      /* the reader's */
    bool is_finisher;
};

void frame_reader_init(struct frame_reader *reader, struct memory_budget *budget,
                       struct memory_account *account, struct spare_pool *spares, size_t max_size);
void frame_reader_done(struct frame_reader *reader);
/* From the next frame on. */
void frame_reader_set_account(struct frame_reader *reader, struct memory_account *account);
/* Room to read straight into the frame under way; len 0 = none: use other memory and frame_reader_feed. */
void frame_reader_room(struct frame_reader *reader, uint8_t **ret_data, size_t *ret_len);
/* len bytes were read into that room. */
void frame_reader_filled(struct frame_reader *reader, size_t len);
/* Takes bytes from `bytes` (moving it on) until a frame is whole or they are used up.
 * ERR_TOO_LARGE: length negative or over max_size: close at once. ERR_LIMIT: the budget is short: feed
 * what is left again, later. ERR_NO_MEMORY. */
enum err frame_reader_feed(struct frame_reader *reader, struct slice *bytes) WARN_UNUSED;
/* True = a frame is whole; it is moved out. */
bool frame_reader_take(struct frame_reader *reader, struct frame *ret_frame);
/* Bytes of an unfinished frame are here: the peer is slow, or gone. */
bool frame_reader_is_partial(const struct frame_reader *reader);

/* Gives the memory back; safe to call again. */
void frame_free(struct memory_budget *budget, struct frame *frame);

#endif

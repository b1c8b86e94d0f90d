/* SPDX-License-Identifier: Apache-2.0 */
/* A request's arena is sized for reading the request. Some short requests have long answers ("describe
 * all"): they ask here for more. The bound stays fixed: what does not fit fails the request. */
#ifndef DATAPLANE_HANDLERS_ANSWER_ROOM_H
#define DATAPLANE_HANDLERS_ANSWER_ROOM_H

#include "dataplane/dispatch/request.h"

enum {
    ANSWER_ROOM_BYTES = 64 << 20,        /* answered within the turn */
    ANSWER_ROOM_WAITING_BYTES = 16 << 20 /* held while others are asked */
};

static inline void request_make_room(struct request *request, size_t bytes)
{
    if (request->arena.max_bytes < bytes)
        request->arena.max_bytes = bytes;
}

/* The arena is full. */
static inline void request_fail_no_room(struct request *request)
{
    request_fail(request, "no memory for the answer");
}

#endif

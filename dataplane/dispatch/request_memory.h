/* SPDX-License-Identifier: Apache-2.0 */
/* What a request holds beyond its frame: decoded bodies, answers, fetched records. All of it is given
 * back when the request is freed; a request may give back earlier. On the session's loop. */
#ifndef DATAPLANE_DISPATCH_REQUEST_MEMORY_H
#define DATAPLANE_DISPATCH_REQUEST_MEMORY_H

#include "dataplane/dispatch/request.h"

/* Up to `wanted` bytes, but at least `least`; 0 = not now: ask again soon. A connection whose other
 * requests hold next to nothing gets `least` whatever its own limit is. */
size_t request_take_memory(struct request *request, size_t wanted, size_t least);
/* What is there already. */
void request_force_memory(struct request *request, size_t bytes);
void request_give_memory(struct request *request, size_t bytes);

/* The budget had nothing for the session's next frame: reading stops, and goes on soon. */
void session_starve(struct session *session);
/* No more waiting for memory. */
void session_unstarve(struct session *session);

#endif

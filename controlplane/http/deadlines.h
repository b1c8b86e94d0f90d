/* SPDX-License-Identifier: Apache-2.0 */
/* How long a client may take. libmicrohttpd's own time-out is one of inactivity: a byte now and then holds a connection
 * for ever. Here each connection has a moment by which its next step must be done; one that misses it is shut down,
 * and libmicrohttpd finds it closed.
 *
 *   accepted ─▶ head whole ─▶ body whole ─▶ (no deadline while we work) ─▶ answer taken ─▶ next head …  */
#ifndef CONTROLPLANE_HTTP_DEADLINES_H
#define CONTROLPLANE_HTTP_DEADLINES_H

#include "common/base/error.h"

#include <stdint.h>

struct deadlines;
struct deadline;

enum err deadlines_start(struct deadlines **ret_deadlines, struct error *error) WARN_UNUSED;
/* All connections must have been removed. Takes NULL. */
void deadlines_stop(struct deadlines *deadlines);

/* The descriptor must stay open until deadline_remove. NULL when memory is out: then the connection has none. */
struct deadline *deadline_add(struct deadlines *deadlines, int fd, int64_t in_ms);
/* From now on; in_ms 0 = none. Takes NULL. Any thread. */
void deadline_set(struct deadlines *deadlines, struct deadline *deadline, int64_t in_ms);
/* Takes NULL. */
void deadline_remove(struct deadlines *deadlines, struct deadline *deadline);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Is a batch that a client sent what it says, and does it fit the topic? What is cheap to know is known on
 * the loop of the request; a batch that is large, or unpacks to much, is checked by a worker, so that no
 * loop is held by it. Either way `checked` is all that follows. */
#ifndef DATAPLANE_STORAGE_APPEND_CHECK_H
#define DATAPLANE_STORAGE_APPEND_CHECK_H

#include "dataplane/storage/replica.h"

/* Checks, and calls checked(append) once: before this returns, or later, on append->home. Then
 * append->error says NONE, or why not; append->recompressed may be set. */
void append_check(struct replica_append *append, void (*checked)(struct replica_append *append));

#endif

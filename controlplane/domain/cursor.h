/* SPDX-License-Identifier: Apache-2.0 */
/* Where a list goes on. `start` of a next_url is opaque to clients and ours alone: the last row seen and the filters
 * of the first page, sealed with HMAC-SHA-256, so that nobody can page through what he may not see.
 *
 *   base64url( {"after": 17, "filters": {…}} ) "." base64url( HMAC ) */
#ifndef CONTROLPLANE_DOMAIN_CURSOR_H
#define CONTROLPLANE_DOMAIN_CURSOR_H

#include "common/base/error.h"
#include "common/base/slice.h"

#include <jansson.h>

#define CURSOR_MAX_LEN 4096

/* kind tells lists apart, so that a cursor of one list is none of another. Owned text (free), NULL = no memory. */
char *cursor_encode(struct slice key, const char *kind, int64_t after, const json_t *filters);
/* ERR_INVALID for anything we did not make. ret_filters is owned by the caller. */
enum err cursor_decode(struct slice key, const char *kind, const char *text, int64_t *ret_after,
                       json_t **ret_filters, struct error *error) WARN_UNUSED;

#endif

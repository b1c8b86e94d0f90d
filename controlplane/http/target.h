/* SPDX-License-Identifier: Apache-2.0 */
/* The request target: "/v2/resource_keys/crn%3Av1%3A…a%2F6b…?limit=20" into decoded segments and query pairs.
 *
 * The path is split at '/' first and each segment decoded after, once: a CRN holds %2F, which must not become a
 * separator. What is not clean is refused, never repaired: bad or double percent-encoding, control bytes,
 * "." and "..", empty segments, absolute form, a query name given twice. */
#ifndef CONTROLPLANE_HTTP_TARGET_H
#define CONTROLPLANE_HTTP_TARGET_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/slice.h"

#define TARGET_MAX_BYTES 8192
#define TARGET_MAX_SEGMENTS 16
#define TARGET_MAX_PAIRS 32

struct target_pair {
    const char *name;
    const char *value; /* "" when there was no '=' */
};

struct target {
    const char *segments[TARGET_MAX_SEGMENTS]; /* NUL-terminated, decoded, in the arena */
    int segment_count;
    struct target_pair pairs[TARGET_MAX_PAIRS];
    int pair_count;
};

/* Errors: ERR_INVALID, ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err target_parse(struct slice raw, struct arena *arena, struct target *ret_target,
                      struct error *error) WARN_UNUSED;

/* a=b&c=d, '+' is a space: queries, and bodies of application/x-www-form-urlencoded. */
enum err target_parse_form(struct slice raw, struct arena *arena, struct target_pair *ret_pairs,
                           int max_pairs, int *ret_count, struct error *error) WARN_UNUSED;

/* NULL = not given. */
const char *target_pair_value(const struct target_pair *pairs, int count, const char *name);

#endif

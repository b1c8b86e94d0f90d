/* SPDX-License-Identifier: Apache-2.0 */
/* The first thing that happens to a request: are its head's lengths beyond doubt?
 *
 * A head that two parsers can read in two ways (two Content-Length, Content-Length with Transfer-Encoding, two
 * Host) is how requests are smuggled past a front. libmicrohttpd 0.9.75 accepts such heads, so we look
 * ourselves, answer 400 and close: what follows on that connection is never served. Also here: how many
 * headers, and how long a declared body, we take at all. */
#ifndef CONTROLPLANE_HTTP_GUARD_H
#define CONTROLPLANE_HTTP_GUARD_H

#include "common/base/error.h"
#include "common/base/slice.h"

#define GUARD_MAX_HEADERS 64

struct guard {
    int header_count;
    int content_length_count;
    int transfer_encoding_count;
    int host_count;
    bool is_content_length_clean;    /* digits only */
    bool is_transfer_encoding_known; /* exactly "chunked" */
    bool
        has_bad_bytes; /* CR, LF or NUL inside a value; a name that is no token ("Content-Length ") */
    bool is_over_limit; /* the declared length */
    size_t max_body_bytes;
};

void guard_init(struct guard *guard, size_t max_body_bytes);
void guard_add_header(struct guard *guard, struct slice name, struct slice value);
/* ERR_INVALID or ERR_TOO_LARGE: answer and close. */
enum err guard_check(const struct guard *guard, struct error *error) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP/1 request, as far as a scrape needs it: GET, a path, a version. Header fields are
 * skipped. Pure. */
#ifndef DATAPLANE_METRICS_HTTP_HEAD_H
#define DATAPLANE_METRICS_HTTP_HEAD_H

#include "common/base/error.h"
#include "common/base/slice.h"

/* Is the head whole, and what does it ask for?
 *
 * ret_path   of the target, without the query; points into bytes
 * Errors     ERR_TRUNCATED (more is to come), ERR_INVALID (not HTTP/1.x), ERR_UNSUPPORTED (not GET) */
enum err http_head_parse(struct slice bytes, struct slice *ret_path) WARN_UNUSED;

#endif

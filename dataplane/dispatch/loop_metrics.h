/* SPDX-License-Identifier: Apache-2.0 */
/* What one loop counts while it serves: the loop writes, the scrape reads (dataplane/metrics). Numbers of
 * one instance are in dataplane/quota/instance_usage.h. */
#ifndef DATAPLANE_DISPATCH_LOOP_METRICS_H
#define DATAPLANE_DISPATCH_LOOP_METRICS_H

#include "common/observe/histogram.h"
#include "dataplane/cluster/image_records.h"

enum { LOOP_METRICS_APIS = 128 }; /* by API key */

struct api_metrics {
    struct counter requests; /* taken from the connection */
    struct counter refused;  /* ended without an answer: malformed, or the connection closed */
    struct counter bytes_in;
    struct counter bytes_out;
    struct histogram time; /* from the whole frame to the answer handed to the connection */
};

struct loop_metrics {
    struct api_metrics apis[LOOP_METRICS_APIS];
    struct counter
        frames_refused; /* unknown API, wrong version, not logged in: no handler saw them */
    struct counter connections[LISTENER_PLAINTEXT + 1]; /* open now; by enum listener_security */
    struct counter logins;
    struct counter logins_failed;
    /* Produce and Fetch, per partition */
    struct counter records_in;
    struct counter record_bytes_in;
    struct counter record_bytes_out;
    struct counter produce_failures;
    struct counter fetch_failures;
};

#endif

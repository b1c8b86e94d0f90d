/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of requests to the store and of its answers (migrations/README.md). Pure. */
#ifndef DATAPLANE_CLUSTER_REQUEST_JSON_H
#define DATAPLANE_CLUSTER_REQUEST_JSON_H

#include "dataplane/cluster/cluster.h"

/* brokers: ids of the cell, for partitions whose assignment is left to us. *ret_body is owned
 * (free). ERR_INVALID (text that is no UTF-8), ERR_NO_MEMORY. */
enum err request_json_write(const struct cluster_request *request, struct uuid request_id,
                            const int32_t *brokers, int32_t broker_count,
                            char **ret_body) WARN_UNUSED;

/* Sets result, current and maximum of each topic, in the order asked. ERR_INVALID: not an answer to
 * this request. */
enum err request_json_read(struct cluster_request *request, struct slice answer) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Disk that topics reserve, on instances with storage of their own: so many bytes a partition, whatever
 * is in it, one replica counted, internal topics left out. The sum may reach 90 % of the storage; the
 * rest is for internal topics and for segments that wait for their removal.
 *
 *   deleted (or compacted and deleted)   retention.bytes + segment.bytes + 2 x segment.index.bytes x
 *                                        (floor(retention.bytes / segment.bytes) + 1)
 *   compacted only                       1 GiB
 *   retention.bytes = -1                 more than there is: such a topic has to be bounded
 *
 * The store says the same in its own transaction (cell_private.reserved_bytes), and its word counts; this
 * is so that a dry run tells the truth. Sums stop at INT64_MAX. */
#ifndef DATAPLANE_CLUSTER_RESERVED_STORAGE_H
#define DATAPLANE_CLUSTER_RESERVED_STORAGE_H

#include "dataplane/cluster/image.h"

/* One partition. */
int64_t reserved_storage_bytes(const struct log_config *config);
int64_t reserved_storage_product(int64_t bytes, int64_t partitions);
int64_t reserved_storage_sum(int64_t a, int64_t b);
/* How far the sum may go; -1 = no bound. */
int64_t reserved_storage_limit(int64_t storage_bytes);
/* All topics of a tenant; 0 when it has no bound: nothing is summed then. */
int64_t reserved_storage_of(const struct image *image, const struct image_tenant *tenant);

#endif

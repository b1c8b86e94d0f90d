/* SPDX-License-Identifier: Apache-2.0 */
/* How many bytes a second an instance may produce and consume now, apart from each other.
 *
 *   rate = min(limit of the instance, limit of a partition x partitions that it has)
 *
 * "1 MB/s a partition, 20 MB/s in all" (Standard) is such a pair. The count is the image's, so a new
 * topic raises the rate as soon as the topic is known. An instance without a partition has the rate of
 * one: what it sends then is refused anyway, and must not leave a debt that the first topic would wait
 * for. -1 = no bound. */
#ifndef DATAPLANE_TENANT_TENANT_RATES_H
#define DATAPLANE_TENANT_TENANT_RATES_H

#include "dataplane/cluster/image.h"

int64_t tenant_produce_rate(const struct image *image, const struct image_tenant *tenant);
int64_t tenant_consume_rate(const struct image *image, const struct image_tenant *tenant);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The topics that a request may know of: those of its own instance, without the internal ones where its
 * plan hides them. Anything else, another instance's above all, is "not there": NULL, always the same. */
#ifndef DATAPLANE_HANDLERS_TOPIC_LOOKUP_H
#define DATAPLANE_HANDLERS_TOPIC_LOOKUP_H

#include "dataplane/dispatch/request.h"

/* Borrowed until the end of the loop's turn. */
const struct image_topic *topic_lookup_by_name(const struct request *request, struct slice name);
const struct image_topic *topic_lookup_by_id(const struct request *request, struct uuid topic_id);

bool topic_is_visible(const struct image_tenant *tenant, const struct image_topic *topic);

/* A name that clients may not create: the service's own topics, whether they exist yet or not. */
bool topic_name_is_reserved(struct slice name);

static inline bool topic_has_partition(const struct image_topic *topic, int32_t partition)
{
    return partition >= 0 && partition < topic->partition_count;
}

#endif

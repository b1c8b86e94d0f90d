/* SPDX-License-Identifier: Apache-2.0 */
/* The image already keeps instances apart; what is added here is the plan's say about internal topics.
 * A tenant that is gone or suspended sees nothing. */
#include "dataplane/handlers/topic_lookup.h"

bool topic_is_visible(const struct image_tenant *tenant, const struct image_topic *topic)
{
    return tenant != NULL && (!topic->is_internal || tenant->is_internal_visible);
}

static const struct image_topic *only_visible(const struct request *request,
                                              const struct image_topic *topic)
{
    return topic != NULL && topic_is_visible(request_tenant(request), topic) ? topic : NULL;
}

const struct image_topic *topic_lookup_by_name(const struct request *request, struct slice name)
{
    if (slice_is_null(name))
        return NULL;
    return only_visible(
        request, image_topic_by_name(request->broker->image, request_instance(request), name));
}

const struct image_topic *topic_lookup_by_id(const struct request *request, struct uuid topic_id)
{
    if (uuid_is_zero(topic_id))
        return NULL;
    return only_visible(
        request, image_topic_by_id(request->broker->image, request_instance(request), topic_id));
}

bool topic_name_is_reserved(struct slice name)
{
    static const char *const reserved[] = {"__consumer_offsets", "__transaction_state",
                                           "__share_group_state", "__cluster_metadata"};

    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (slice_equal_cstring(name, reserved[i]))
            return true;
    }
    return false;
}

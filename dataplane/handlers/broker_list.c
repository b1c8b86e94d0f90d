/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners are rows of (broker, name): the same name on each broker is the same door. */
#include "dataplane/handlers/broker_list.h"

static bool add_broker(struct request *request, const struct image_tenant *tenant,
                       const struct image_broker *broker, struct broker_list *list)
{
    struct broker_address *address = &list->items[list->count];
    struct slice name = slice_from_cstring(request->session->listener->name);
    const struct image_listener *listener =
        image_listener_find(request->broker->image, broker->id, name);
    char host[IMAGE_HOST_MAX + 1];

    if (listener == NULL)
        return true;
    image_listener_host(listener, tenant, host);
    address->id = broker->id;
    address->port = listener->port;
    address->rack = broker->has_rack ? slice_from_cstring(broker->rack) : SLICE_NULL;
    list->count++;
    return arena_copy(&request->arena, slice_from_cstring(host), &address->host);
}

bool broker_list_make(struct request *request, struct broker_list *ret_list)
{
    const struct image *image = request->broker->image;
    const struct image_tenant *tenant = request_tenant(request);
    size_t count = image_broker_count(image);

    ret_list->count = 0;
    ret_list->items = arena_new_array(&request->arena, count, struct broker_address);
    if (ret_list->items == NULL || tenant == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!add_broker(request, tenant, image_broker_at(image, i), ret_list))
            return false;
    }
    return true;
}

const struct broker_address *broker_list_find(const struct broker_list *list, int32_t id)
{
    for (int32_t i = 0; i < list->count; i++) {
        if (list->items[i].id == id)
            return &list->items[i];
    }
    return NULL;
}

int32_t broker_list_controller(const struct broker_list *list, int32_t self)
{
    if (broker_list_find(list, self) != NULL)
        return self;
    return list->count > 0 ? list->items[0].id : -1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The brokers of the cell as this client reaches them: the advertised addresses of the listener that its
 * connection came in on, with the host label of its own instance. A broker without that listener is not
 * in the list, and no answer names it as a leader or coordinator. */
#ifndef DATAPLANE_HANDLERS_BROKER_LIST_H
#define DATAPLANE_HANDLERS_BROKER_LIST_H

#include "dataplane/dispatch/request.h"

struct broker_address {
    int32_t id;
    struct slice host;
    int32_t port;
    struct slice rack; /* null = none */
};

struct broker_list {
    struct broker_address *items; /* in the request's arena, ascending by id */
    int32_t count;
};

/* False = no memory, or the tenant is gone. */
bool broker_list_make(struct request *request, struct broker_list *ret_list) WARN_UNUSED;
/* NULL = not in the list. */
const struct broker_address *broker_list_find(const struct broker_list *list, int32_t id);
/* Whom to send administration to: this broker, else another of the list; -1 only of an empty one. Any
 * broker serves it, so the one that was just reached is the best. */
int32_t broker_list_controller(const struct broker_list *list, int32_t self);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLPLANE_ENDPOINTS_RESOURCE_INSTANCES_H
#define CONTROLPLANE_ENDPOINTS_RESOURCE_INSTANCES_H

#include "controlplane/endpoints/call.h"
#include "controlplane/store/rows.h"

void resource_instances_create(struct http_request *request); /* POST /v2/resource_instances */
void resource_instances_list(struct http_request *request);   /* GET  /v2/resource_instances */
void resource_instances_get(struct http_request *request);    /* GET  /v2/resource_instances/{id} */
void resource_instances_update(struct http_request *request); /* PATCH …/{id} */
void resource_instances_delete(struct http_request *request); /* DELETE …/{id} */

void resource_instances_lock(struct http_request *request);   /* POST …/{id}/lock */
void resource_instances_unlock(struct http_request *request); /* DELETE …/{id}/lock */
void resource_instances_cancel(struct http_request *request); /* DELETE …/{id}/last_operation */

/* The instance with its ETag. */
void instance_reply(struct call *call, int status, const struct instance_row *row);
/* {id} of the path: a GUID or a CRN of the caller's account. ERR_NOT_FOUND. */
enum err instance_id_of_path(struct call *call, struct uuid *ret_instance,
                             struct error *error) WARN_UNUSED;

/* The wait that create, update and delete share: until the instance has left `phase`, or the time is over. is_over
 * tells which; the row is as it is now. ERR_OK with ret_is_waiting set: this run ends without a reply. */
enum err instance_wait(struct call *call, struct uuid instance_id, const char *phase,
                       http_handler_fn next, struct instance_row *ret_row, bool *ret_is_waiting,
                       struct error *error) WARN_UNUSED;
/* 202 for a plan that promised to be synchronous: its last_operation says async from now on. */
enum err instance_reply_pending(struct call *call, struct uuid instance_id,
                                struct error *error) WARN_UNUSED;

#endif

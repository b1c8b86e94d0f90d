/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that change instances. The row is held from reading to writing, so that what was decided is still
 * true when it is written. */
#ifndef CONTROLPLANE_ENDPOINTS_RESOURCE_INSTANCES_INTERNAL_H
#define CONTROLPLANE_ENDPOINTS_RESOURCE_INSTANCES_INTERNAL_H

#include "controlplane/domain/lifecycle.h"
#include "controlplane/endpoints/resource_instances.h"
#include "controlplane/store/instances.h"

struct instance_edit {
    struct call *call;
    struct uuid instance_id;
    struct instance_row row; /* as found */
};

/* In a transaction: loads and holds the row; ERR_STALE when If-Match names another state of it. */
enum err instance_edit_begin(struct instance_edit *edit, struct error *error) WARN_UNUSED;
/* Asks the state machine. */
enum err instance_edit_next(const struct instance_edit *edit, enum instance_event event,
                            enum instance_phase *ret_next, struct error *error) WARN_UNUSED;
enum err instance_edit_open_operation(const struct instance_edit *edit, const char *type,
                                      bool is_running, const char *description, bool is_async,
                                      struct error *error) WARN_UNUSED;

#endif

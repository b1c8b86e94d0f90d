/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan of the request's own instance is decided against, taken from the image of this turn. */
#ifndef DATAPLANE_HANDLERS_PLAN_LIMITS_H
#define DATAPLANE_HANDLERS_PLAN_LIMITS_H

#include "dataplane/dispatch/request.h"
#include "dataplane/handlers/topic_plan.h"

/* policy is borrowed for the turn. False = no memory, or the tenant is gone. */
bool plan_limits_make(struct request *request, struct topic_plan_limits *ret_limits) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What provision counts, and what waits for it, at GET /metrics on loopback; GET /healthz beside it. */
#ifndef CONTROLPLANE_PROVISIONING_PROVISION_METRICS_H
#define CONTROLPLANE_PROVISIONING_PROVISION_METRICS_H

#include "common/observe/histogram.h"
#include "controlplane/provisioning/provision_config.h"
#include "controlplane/store/leases.h"

#define PROVISION_KINDS (PROVISION_CREDENTIAL + 1)

/* Written by all workers. */
struct provision_counters {
    struct histogram steps[PROVISION_KINDS]; /* by enum provision_kind: how long each step took */
    struct counter failures[PROVISION_KINDS];
    struct counter leases_lost[PROVISION_KINDS];
};

struct provision_metrics;

/* counters and config are borrowed until stop. *ret_metrics NULL when config->metrics_port is 0. Errors: of the
 * listener. */
enum err provision_metrics_start(const struct provision_config *config,
                                 const struct provision_counters *counters,
                                 struct provision_metrics **ret_metrics,
                                 struct error *error) WARN_UNUSED;
void provision_metrics_stop(struct provision_metrics *metrics); /* takes NULL */

#endif

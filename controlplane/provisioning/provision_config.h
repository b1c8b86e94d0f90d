/* SPDX-License-Identifier: Apache-2.0 */
/* Options of `millrace-controlplane provision` and `stop-cells`, one table for both. */
#ifndef CONTROLPLANE_PROVISIONING_PROVISION_CONFIG_H
#define CONTROLPLANE_PROVISIONING_PROVISION_CONFIG_H

#include "common/config/option_table.h"

struct provision_config {
    const char *fleet;
    const char *cells;
    const char *password_file;
    const char *broker_store;
    const char *state_dir;
    const char *broker_program;
    const char *ca_certificate_file;
    const char *ca_key_file;
    const char *listener_host;
    const char *bind;
    const char *http_url;
    int64_t port_first;
    int64_t port_last;
    int64_t shared_cell_brokers;
    int64_t shared_cell_instances;
    int64_t broker_loops;
    int64_t workers;
    const char *metrics_addresses;
    int64_t metrics_port;
    int64_t create_timeout_ms;
    int64_t lease_ms;
    int64_t poll_ms;
    const char *failpoint_file;
    int log_format;
    int log_level;
};

extern const struct option provision_options[];
extern const char *const provision_log_formats[]; /* by value of log_format */
extern const char *const provision_log_levels[];

#endif

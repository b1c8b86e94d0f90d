/* SPDX-License-Identifier: Apache-2.0 */
/* Brokers as processes of this machine, each under its own supervisor (`millrace-broker supervise`).
 *
 * A broker's place is a directory. Whoever holds the record lock on DIR/supervisor.lock is its
 * supervisor; the kernel tells its pid, so a pid that was written down or reused is never believed. All
 * calls may be repeated and none waits for a broker. */
#ifndef CONTROLPLANE_PROVISIONING_PROCESS_DRIVER_H
#define CONTROLPLANE_PROVISIONING_PROCESS_DRIVER_H

#include "common/base/error.h"

bool process_driver_is_running(const char *directory);

/* Paths are absolute. ERR_OK too when it runs already; ERR_IO, ERR_NOT_FOUND (program). */
enum err process_driver_start(const char *program, const char *directory, const char *config_file,
                              struct error *error) WARN_UNUSED;

/* Sends signal_number (SIGTERM: an orderly stop; SIGKILL: supervisor and broker at once) to the
 * supervisor. ERR_OK too when none runs. */
enum err process_driver_signal(const char *directory, int signal_number,
                               struct error *error) WARN_UNUSED;

#endif

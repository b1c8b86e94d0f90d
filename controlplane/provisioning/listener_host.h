/* SPDX-License-Identifier: Apache-2.0 */
/* The host pattern of the configuration, `b{broker}-{label}.pool.example`, in its three uses. Both words may
 * stand in the first label only, so that one wildcard certificate covers all of a pool. */
#ifndef CONTROLPLANE_PROVISIONING_LISTENER_HOST_H
#define CONTROLPLANE_PROVISIONING_LISTENER_HOST_H

#include "common/base/error.h"

#include <stdint.h>

#define LISTENER_HOST_ROOM 256

/* Listener row: {broker} filled in, {label} left to the broker. */
enum err listener_host_for_broker(const char *pattern, int64_t broker_id,
                                  char host[LISTENER_HOST_ROOM], struct error *error) WARN_UNUSED;
/* What a client of one instance uses. */
enum err listener_host_for_client(const char *pattern, int64_t broker_id, const char *label,
                                  char host[LISTENER_HOST_ROOM], struct error *error) WARN_UNUSED;
/* The name in the certificate: a wildcard when the pattern has words in it. */
enum err listener_host_for_certificate(const char *pattern, char host[LISTENER_HOST_ROOM],
                                       struct error *error) WARN_UNUSED;

#endif

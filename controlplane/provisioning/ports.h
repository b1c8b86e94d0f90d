/* SPDX-License-Identifier: Apache-2.0 */
/* TCP ports for brokers. They are given for life, so they come from below the range that the kernel hands to
 * outgoing connections, and they must be free at the moment they are given. */
#ifndef CONTROLPLANE_PROVISIONING_PORTS_H
#define CONTROLPLANE_PROVISIONING_PORTS_H

#include "common/base/error.h"

struct port_range {
    int first;
    int last;
};

/* last is lowered to just below the kernel's range. ERR_INVALID when nothing is left. */
enum err port_range_clip(struct port_range *range, struct error *error) WARN_UNUSED;
/* Nobody listens on it, on any address of this machine. */
bool port_is_free(int port);
bool host_has_ipv6_loopback(void);

#endif

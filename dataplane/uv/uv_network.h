/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets behind common/port/network.h. Loop 0 accepts and hands each connection to the loop with the
 * fewest; there it stays for life. */
#ifndef DATAPLANE_UV_UV_NETWORK_H
#define DATAPLANE_UV_UV_NETWORK_H

#include "common/port/network.h"
#include "dataplane/uv/uv_executor.h"

enum err uv_network_new(struct uv_executor *executor, struct network **ret_network) WARN_UNUSED;
/* After all listeners and streams are closed. */
void uv_network_free(struct network *network);

#endif

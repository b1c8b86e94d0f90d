/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATAPLANE_UV_TCP_ROUND_TRIP_H
#define DATAPLANE_UV_TCP_ROUND_TRIP_H

#include <stdint.h>

/* The shortest that the kernel has seen on this connection in the last minutes; 0 = unknown. */
int64_t tcp_round_trip_us(int fd);

#endif

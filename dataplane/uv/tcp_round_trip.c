/* SPDX-License-Identifier: Apache-2.0 */
/* Alone in its file: the kernel's tcp_info has the field, the C library's does not, and the two headers do not go
 * together. */
#include "dataplane/uv/tcp_round_trip.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int64_t tcp_round_trip_us(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    memset(&info, 0, sizeof(info));
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 || info.tcpi_min_rtt == UINT32_MAX)
        return 0;
    return info.tcpi_min_rtt;
}

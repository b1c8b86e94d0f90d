/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/provisioning/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* The first port that the kernel gives to outgoing connections; its own default when it does not say. */
static int first_ephemeral_port(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    int first = 32768;

    if (file != NULL) {
        if (fscanf(file, "%d", &first) != 1)
            first = 32768;
        fclose(file);
    }
    return first;
}

enum err port_range_clip(struct port_range *range, struct error *error)
{
    int below = first_ephemeral_port() - 1;

    if (range->last > below)
        range->last = below;
    if (range->first > range->last)
        return error_set(
            error, ERR_INVALID,
            "no port from %d on lies below the range for outgoing connections (%d on); "
            "lower port_first or raise net.ipv4.ip_local_port_range",
            range->first, below + 1);
    return ERR_OK;
}

/* Listening, not only binding: a listener with SO_REUSEADDR lets others bind. */
static bool can_listen(const struct sockaddr *address, socklen_t len)
{
    int one = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return true; /* no such address family here: nobody can hold it */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    bool is_taken = (bind(fd, address, len) != 0 || listen(fd, 1) != 0) &&
                    (errno == EADDRINUSE || errno == EACCES);
    close(fd);
    return !is_taken;
}

bool port_is_free(int port)
{
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_ANY)}};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = IN6ADDR_ANY_INIT};

    return can_listen((const struct sockaddr *)&v4, sizeof(v4)) &&
           can_listen((const struct sockaddr *)&v6, sizeof(v6));
}

bool host_has_ipv6_loopback(void)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    bool has = bind(fd, (const struct sockaddr *)&v6, sizeof(v6)) == 0;
    close(fd);
    return has;
}

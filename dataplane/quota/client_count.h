/* SPDX-License-Identifier: Apache-2.0 */
/* Active clients of an instance: distinct pairs of client id and address (without the port) with at least
 * one connection that is logged in. One Kafka client keeps several connections, and counts once; ten
 * processes on one host with the same client id count once too, which is to their good. A connection
 * belongs to the client id of its first request after login.
 *
 * Any loop; a mutex, for it is used when connections come and go only. */
#ifndef DATAPLANE_QUOTA_CLIENT_COUNT_H
#define DATAPLANE_QUOTA_CLIENT_COUNT_H

#include "common/base/hash_table.h"

#include <pthread.h>

struct active_client;

struct client_count {
    pthread_mutex_t mutex;
    struct hash_table clients;
};

void client_count_init(struct client_count *count);
void client_count_done(struct client_count *count); /* nobody is left in it */

/* One more connection of the client. ERR_LIMIT: it would be one client more than `limit` (-1 = no bound).
 * ERR_NO_MEMORY. seed: secret of the process, the same for all calls. */
enum err client_count_enter(struct client_count *count, struct hash_seed seed,
                            struct slice client_id, const char *host, int64_t limit,
                            struct active_client **ret_client) WARN_UNUSED;
void client_count_leave(struct client_count *count,
                        struct active_client *client); /* NULL is allowed */
size_t client_count_now(struct client_count *count);

#endif

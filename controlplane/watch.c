/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/watch.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/observe/log.h"

#define CHANNEL "fleet_observed"
#define WAIT_MS 30000
#define RETRY_MS 1000

struct watch {
    const struct db_config *config;
    struct http_server *server;
    pthread_t thread;
    int stop_fd;
    atomic_bool is_stopping;
};

static void wake(struct watch *watch, const char *payload)
{
    struct uuid key = {{0}};

    if (uuid_parse(slice_from_cstring(payload), &key) != ERR_OK)
        key = (struct uuid){{0}}; /* wakes all */
    http_server_wake(watch->server, key);
}

/* Until the connection is lost or we stop. */
static void follow(struct watch *watch, struct db *db, struct error *error)
{
    char payload[UUID_TEXT_LEN + 1];

    while (!atomic_load(&watch->is_stopping)) {
        enum err rc =
            db_wait_notification(db, WAIT_MS, watch->stop_fd, payload, sizeof(payload), error);

        if (rc == ERR_OK)
            wake(watch, payload);
        else if (rc != ERR_TIMEOUT)
            return;
    }
}

static void *run(void *argument)
{
    struct watch *watch = argument;
    struct pollfd stop = {.fd = watch->stop_fd, .events = POLLIN};

    while (!atomic_load(&watch->is_stopping)) {
        struct error error = {.code = ERR_OK};
        struct db *db = NULL;
        enum err rc = db_open(watch->config, &db, &error);

        if (rc == ERR_OK)
            rc = db_listen(db, CHANNEL, &error);
        if (rc == ERR_OK) {
            wake(watch, ""); /* what happened while we did not listen */
            follow(watch, db, &error);
        }
        db_close(db);
        if (atomic_load(&watch->is_stopping))
            break;
        log_event(LOG_WARN, "watch_lost", f_str("message", error.message));
        (void)poll(&stop, 1, RETRY_MS);
    }
    return NULL;
}

enum err watch_start(const struct db_config *config, struct http_server *server,
                     struct watch **ret_watch, struct error *error)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return error_set(error, ERR_NO_MEMORY, "watch: no memory");
    watch->config = config;
    watch->server = server;
    watch->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (watch->stop_fd < 0 || pthread_create(&watch->thread, NULL, run, watch) != 0) {
        if (watch->stop_fd >= 0)
            close(watch->stop_fd);
        free(watch);
        return error_set(error, ERR_NO_MEMORY, "watch: cannot start its thread");
    }
    *ret_watch = watch;
    return ERR_OK;
}

void watch_stop(struct watch *watch)
{
    uint64_t one = 1;

    if (!watch)
        return;
    atomic_store(&watch->is_stopping, true);
    if (write(watch->stop_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        log_event(LOG_WARN, "watch_stop_failed");
    pthread_join(watch->thread, NULL);
    close(watch->stop_fd);
    free(watch);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/broker_listeners.h"

#include "common/base/list.h"
#include "common/observe/log.h"
#include "dataplane/cluster/cluster.h"
#include "dataplane/dispatch/session.h"

#include <stdlib.h>
#include <string.h>

/* One listener row on one address. Lives until the broker ends: connections being handed over may still
 * look at it after it was closed. */
struct open_listener {
    struct broker_listeners *all;
    char name[64];
    const char *address;
    int port; /* of the row */
    enum listener_security security;
    struct network_listener *socket; /* NULL = closed */
    bool is_wanted;
    struct list link;
};

struct broker_listeners {
    struct broker_listeners_options options;
    struct list open;
};

struct broker_listeners *broker_listeners_new(const struct broker_listeners_options *options)
{
    struct broker_listeners *listeners = calloc(1, sizeof(*listeners));

    if (listeners == NULL)
        return NULL;
    listeners->options = *options;
    list_init(&listeners->open);
    return listeners;
}

/* On the stream's loop, which knows the row by its own image. */
static bool on_accept(void *context, struct stream *stream)
{
    const struct open_listener *open = context;
    const struct broker_listeners_options *options = &open->all->options;
    struct broker_loop *broker = options->loop_of(options->context, stream->loop);
    const struct image_listener *row =
        image_listener_find(broker->image, broker->broker_id, slice_from_cstring(open->name));

    if (row == NULL || row->security != open->security)
        return false;
    return session_accept(broker, stream, row,
                          open->security == LISTENER_SASL_SSL ? options->tls : NULL);
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static struct open_listener *find(struct broker_listeners *listeners,
                                  const struct image_listener *row, const char *address)
{
    list_for_each(&listeners->open, link)
    {
        struct open_listener *open = container_of(link, struct open_listener, link);

        if (open->socket != NULL && open->port == row->port && open->security == row->security &&
            strcmp(open->name, row->name) == 0 && strcmp(open->address, address) == 0)
            return open;
    }
    return NULL;
}

static bool open_one(struct broker_listeners *listeners, const struct image_listener *row,
                     const char *address)
{
    struct network *network = listeners->options.network;
    struct open_listener *open = calloc(1, sizeof(*open));
    struct error error = {.code = ERR_NO_MEMORY};
    enum err rc = ERR_NO_MEMORY;

    if (open != NULL) {
        open->all = listeners;
        memcpy(open->name, row->name, sizeof(open->name));
        open->address = address;
        open->port = row->port;
        open->security = row->security;
        open->is_wanted = true;
        rc = network->ops->listen(network, address, row->port, on_accept, open, &open->socket,
                                  &error);
    }
    if (rc != ERR_OK) {
        log_event(LOG_ERROR, "listener_not_opened", f_str("listener", row->name),
                  f_str("address", address), f_i64("port", row->port), f_str("why", error.message));
        free(open);
        return false;
    }
    list_push_back(&listeners->open, &open->link);
    log_event(row->security == LISTENER_SASL_SSL ? LOG_INFO : LOG_WARN, "listener_opened",
              f_str("listener", row->name), f_str("address", address), f_i64("port", row->port),
              f_str("security", row->security == LISTENER_SASL_SSL ? "SASL_SSL"
                                : row->security == LISTENER_SASL_PLAINTEXT
                                    ? "SASL_PLAINTEXT, loopback only"
                                    : "PLAINTEXT, loopback only"));
    return true;
}

/* A machine may have no IPv6: one of the addresses is enough. */
static bool want(struct broker_listeners *listeners, const struct image_listener *row)
{
    bool is_served = false;
    bool is_open = false;

    if (row->security == LISTENER_SASL_SSL && listeners->options.tls == NULL)
        return true;
    for (const char *const *address = listeners->options.bind_addresses; *address != NULL;
         address++) {
        struct open_listener *open = NULL;

        if (row->security != LISTENER_SASL_SSL && !is_loopback(*address))
            continue;
        is_served = true;
        open = find(listeners, row, *address);
        if (open != NULL)
            open->is_wanted = true;
        is_open |= open != NULL || open_one(listeners, row, *address);
    }
    return is_open || !is_served;
}

static void close_unwanted(struct broker_listeners *listeners)
{
    struct network *network = listeners->options.network;

    list_for_each(&listeners->open, link)
    {
        struct open_listener *open = container_of(link, struct open_listener, link);

        if (open->is_wanted || open->socket == NULL)
            continue;
        network->ops->listener_close(open->socket);
        open->socket = NULL;
        log_event(LOG_INFO, "listener_closed", f_str("listener", open->name),
                  f_str("address", open->address), f_i64("port", open->port));
    }
}

bool broker_listeners_update(struct broker_listeners *listeners)
{
    struct cluster *cluster = listeners->options.cluster;
    struct broker_loop *broker = NULL;
    bool are_all_open = true;

    list_for_each(&listeners->open, link) container_of(link, struct open_listener, link)
        ->is_wanted = false;
    broker = listeners->options.loop_of(listeners->options.context, listeners->options.loop0);
    for (size_t i = 0; i < image_listener_count(broker->image); i++) {
        const struct image_listener *row = image_listener_at(broker->image, i);

        if (row->broker == cluster_broker_id(cluster))
            are_all_open &= want(listeners, row);
    }
    close_unwanted(listeners);
    return are_all_open;
}

void broker_listeners_close(struct broker_listeners *listeners)
{
    list_for_each(&listeners->open, link) container_of(link, struct open_listener, link)
        ->is_wanted = false;
    close_unwanted(listeners);
}

void broker_listeners_free(struct broker_listeners *listeners)
{
    struct list *link = NULL;

    if (listeners == NULL)
        return;
    while ((link = list_pop_front(&listeners->open)) != NULL)
        free(container_of(link, struct open_listener, link));
    free(listeners);
}

int broker_listeners_port(const struct broker_listeners *listeners, const char *name)
{
    const struct network *network = listeners->options.network;

    list_for_each(&listeners->open, link)
    {
        const struct open_listener *open = container_of(link, struct open_listener, link);

        if (open->socket != NULL && strcmp(open->name, name) == 0)
            return network->ops->listener_port(open->socket);
    }
    return 0;
}

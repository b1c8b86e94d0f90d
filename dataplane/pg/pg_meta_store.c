/* SPDX-License-Identifier: Apache-2.0 */
/* Loop 0's side: the port's calls go into the exchange, events come out of it. */
#include "common/crypto/encoding.h"
#include "common/observe/log.h"
#include "dataplane/pg/pg_internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CHANGES_PER_CALL 1000 /* given to the cluster at once */

static struct pg_meta_store *store_of(struct meta_store *base)
{
    return container_of(base, struct pg_meta_store, base);
}

static void wake_thread(struct pg_meta_store *store)
{
    uint64_t one = 1;

    (void)!write(store->exchange.wake_fd, &one, sizeof(one));
}

/* --- events, from the thread to loop 0 --- */

struct pg_event *pg_event_new(enum pg_event_kind kind)
{
    struct pg_event *event = calloc(1, sizeof(*event));

    invariant(event != NULL); /* without it a request would never end */
    list_init(&event->link);
    event->kind = kind;
    return event;
}

void pg_store_post_event(struct pg_meta_store *store, struct pg_event *event)
{
    bool must_post = false;

    pthread_mutex_lock(&store->exchange.mutex);
    list_push_back(&store->exchange.events, &event->link);
    must_post = !store->exchange.is_mail_posted;
    store->exchange.is_mail_posted = true;
    pthread_mutex_unlock(&store->exchange.mutex);
    if (must_post)
        loop_post(store->loop, &store->mail);
}

static void free_event(struct pg_event *event)
{
    PQclear(event->result);
    free(event);
}

/* Parts, so that the arrays stay small; the cluster puts them together. An empty cell's snapshot is
 * one row with a null kind. */
static void give_changes(struct pg_meta_store *store, const struct pg_event *event)
{
    struct meta_change changes[CHANGES_PER_CALL];
    int rows = PQntuples(event->result);
    int row = 0;

    if (rows == 1 && slice_is_null(pg_value_text(event->result, 0, 1)))
        rows = 0;
    do {
        size_t count = 0;

        for (; row < rows && count < CHANGES_PER_CALL; row++, count++) {
            changes[count] = (struct meta_change){.kind = pg_value_text(event->result, row, 1),
                                                  .key = pg_value_text(event->result, row, 2),
                                                  .payload = pg_value_text(event->result, row, 3)};
            (void)pg_value_i64(event->result, row, 0, &changes[count].version);
        }
        store->events->on_changes(store->context, changes, count, event->is_snapshot, row == rows,
                                  event->version);
    } while (row < rows);
}

/* {"version": 17, "topics": […]} */
static bool version_of_answer(struct slice reply, int64_t *ret_version)
{
    json_error_t error;
    json_t *answer = json_loadb((const char *)reply.data, reply.len, 0, &error);
    const json_t *version = json_object_get(answer, "version");
    bool is_good = json_is_integer(version);

    *ret_version = json_integer_value(version);
    json_decref(answer);
    return is_good;
}

static void free_request(struct pg_request *request)
{
    list_remove(&request->outstanding);
    free(request->body);
    free(request);
}

static void give_answer(const struct pg_event *event)
{
    struct pg_request *request = event->request;
    struct meta_request *meta = request->request;
    struct slice reply = event->result ? pg_value_text(event->result, 0, 0) : SLICE_NULL;
    int64_t version = 0;
    enum err err = event->err;

    if (err == ERR_OK && !version_of_answer(reply, &version))
        err = ERR_INTERNAL;
    free_request(request);
    meta->done(meta, err, reply, version);
}

static void handle_event(struct pg_meta_store *store, const struct pg_event *event)
{
    switch (event->kind) {
    case PG_EVENT_REGISTERED:
        store->events->on_registered(store->context, &event->registration);
        return;
    case PG_EVENT_REACHABLE:
        store->events->on_reachable(store->context, event->is_reachable);
        return;
    case PG_EVENT_CHANGES:
        give_changes(store, event);
        return;
    case PG_EVENT_ANSWER:
        give_answer(event);
        return;
    }
}

static struct list *take_events(struct pg_meta_store *store, struct list *events)
{
    list_init(events);
    pthread_mutex_lock(&store->exchange.mutex);
    list_splice_back(events, &store->exchange.events);
    store->exchange.is_mail_posted = false;
    pthread_mutex_unlock(&store->exchange.mutex);
    return events;
}

static void on_mail(struct mail *mail)
{
    struct pg_meta_store *store = container_of(mail, struct pg_meta_store, mail);
    struct list events;
    struct list *node = NULL;

    take_events(store, &events);
    while ((node = list_pop_front(&events)) != NULL) {
        struct pg_event *event = container_of(node, struct pg_event, link);

        if (store->is_running)
            handle_event(store, event);
        free_event(event);
    }
}

/* --- the port --- */

static void store_start(struct meta_store *base, const struct meta_store_events *events,
                        void *context, int64_t have_version)
{
    struct pg_meta_store *store = store_of(base);

    store->events = events;
    store->context = context;
    store->have_version = have_version;
    store->is_running = pthread_create(&store->thread, NULL, pg_thread_run, store) == 0;
    if (!store->is_running)
        log_event(LOG_ERROR, "metadata_store_thread_not_started",
                  f_str("message", "the broker serves from its cached image only"));
}

static void fail_request(struct mail *mail)
{
    struct meta_request *request = container_of(mail, struct meta_request, mail);

    request->done(request, ERR_UNAVAILABLE, SLICE_NULL, 0);
}

/* NULL: out of memory. */
static struct pg_request *make_request(struct meta_request *request, enum pg_statement statement)
{
    struct pg_request *mine = calloc(1, sizeof(*mine));

    if (mine == NULL)
        return NULL;
    mine->body = malloc(request->body.len + 1);
    if (mine->body == NULL) {
        free(mine);
        return NULL;
    }
    memcpy(mine->body, request->body.data, request->body.len);
    mine->body[request->body.len] = '\0';
    mine->request = request;
    mine->statement = statement;
    return mine;
}

static void store_submit(struct meta_store *base, struct meta_request *request)
{
    struct pg_meta_store *store = store_of(base);
    enum pg_statement statement = PG_CREATE_TOPICS;
    struct pg_request *mine = NULL;

    if (store->is_running && pg_statement_of_request(request->kind, &statement))
        mine = make_request(request, statement);
    if (mine == NULL) {
        request->mail.deliver = fail_request;
        loop_post(store->loop, &request->mail);
        return;
    }
    list_push_back(&store->outstanding, &mine->outstanding);
    pthread_mutex_lock(&store->exchange.mutex);
    list_push_back(&store->exchange.requests, &mine->link);
    pthread_mutex_unlock(&store->exchange.mutex);
    wake_thread(store);
}

static void store_acknowledge(struct meta_store *base, int64_t version)
{
    struct pg_meta_store *store = store_of(base);

    pthread_mutex_lock(&store->exchange.mutex);
    store->exchange.acknowledge_version = version;
    pthread_mutex_unlock(&store->exchange.mutex);
    wake_thread(store);
}

static void store_stop(struct meta_store *base)
{
    struct pg_meta_store *store = store_of(base);
    struct list events;

    if (!store->is_running)
        return;
    pthread_mutex_lock(&store->exchange.mutex);
    store->exchange.is_stopping = true;
    pthread_mutex_unlock(&store->exchange.mutex);
    wake_thread(store);
    pthread_join(store->thread, NULL);
    store->is_running = false;
    /* The mail may still be on its way; it will find nothing. */
    take_events(store, &events);
    list_for_each(&events, node)
    {
        free_event(container_of(node, struct pg_event, link));
    }
    list_for_each(&store->outstanding, node)
    {
        struct pg_request *request = container_of(node, struct pg_request, outstanding);
        struct meta_request *meta = request->request;

        free_request(request);
        meta->done(meta, ERR_CANCELLED, SLICE_NULL, 0);
    }
}

static const struct meta_store_ops store_ops = {
    .start = store_start,
    .submit = store_submit,
    .acknowledge = store_acknowledge,
    .stop = store_stop,
};

/* --- life --- */

static enum err copy_settings(const struct pg_meta_store_options *options,
                              struct pg_settings *settings)
{
    settings->conninfo = strdup(options->conninfo);
    settings->software = strdup(options->software);
    settings->password_file = options->password_file ? strdup(options->password_file) : NULL;
    settings->broker_id = options->broker_id;
    settings->directory = options->directory;
    settings->was_clean = options->was_clean;
    if (settings->conninfo == NULL || settings->software == NULL ||
        (options->password_file != NULL && settings->password_file == NULL))
        return ERR_NO_MEMORY;
    return uuid_generate(options->random, &settings->incarnation);
}

/* Only the keyword at fault is told, never the text: it may hold a password. */
static enum err check_conninfo(const char *conninfo, struct error *error)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);

    if (options == NULL)
        return error_set(error, ERR_INVALID,
                         "the store's connection string cannot be parsed; it is made of libpq "
                         "keywords, such as host=/run/postgresql dbname=cells user=…");
    PQconninfoFree(options);
    return ERR_OK;
}

enum err pg_meta_store_new(const struct pg_meta_store_options *options,
                           struct pg_meta_store **ret_store, struct error *error)
{
    struct pg_meta_store *store = NULL;
    uint64_t seed = 0;
    enum err rc = check_conninfo(options->conninfo, error);

    if (rc != ERR_OK)
        return rc;
    store = calloc(1, sizeof(*store));
    if (store == NULL)
        return error_set(error, ERR_NO_MEMORY, "no memory for the store's connection");
    store->base.ops = &store_ops;
    store->loop = options->loop;
    store->mail.deliver = on_mail;
    list_init(&store->outstanding);
    list_init(&store->exchange.requests);
    list_init(&store->exchange.events);
    pthread_mutex_init(&store->exchange.mutex, NULL);
    store->exchange.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = store->exchange.wake_fd < 0 ? ERR_IO : copy_settings(options, &store->settings);
    if (rc == ERR_OK)
        rc = random_fill(options->random, &seed, sizeof(seed));
    if (rc != ERR_OK) {
        pg_meta_store_free(store);
        return error_set(error, rc, "prepare the store's connection: %s", err_text(rc));
    }
    seeded_random_init(&store->jitter, seed);
    *ret_store = store;
    return ERR_OK;
}

struct meta_store *pg_meta_store_port(struct pg_meta_store *store)
{
    return &store->base;
}

void pg_meta_store_free(struct pg_meta_store *store)
{
    if (store == NULL)
        return;
    invariant(!store->is_running);
    if (store->exchange.wake_fd >= 0)
        close(store->exchange.wake_fd);
    pthread_mutex_destroy(&store->exchange.mutex);
    free(store->settings.conninfo);
    free(store->settings.password_file);
    free(store->settings.software);
    free(store);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/metrics/metrics_server.h"

#include "common/base/list.h"
#include "common/observe/log.h"
#include "dataplane/metrics/http_head.h"
#include "dataplane/storage/log_directory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HEAD_MAX = 8192,
    ANSWER_HEAD_MAX = 256,
    MAX_EXCHANGES = 8,
    DEADLINE_US = 10000000,
    CHECK_US = 200000
};

struct metrics_server {
    struct metrics_server_options options;
    struct network_listener *listeners[METRICS_MAX_ADDRESSES];
    int listener_count;
    atomic_int open_count; /* exchanges; any loop */
    atomic_bool is_stopping;
    struct timer stopping; /* loop 0: looks whether the last is gone */
    void (*stopped)(void *context);
    void *stopped_context;
};

enum exchange_state { EXCHANGE_READING, EXCHANGE_SCRAPING, EXCHANGE_WRITING, EXCHANGE_CLOSING };

struct exchange {
    struct metrics_server *server;
    struct stream *stream;
    enum exchange_state state;
    bool is_scraping; /* the scrape is under way: the memory must stay */
    bool is_closed;   /* the stream is gone */
    int64_t deadline_us;
    struct timer check; /* of the deadline, and whether the server stops */
    struct scrape scrape;
    struct stream_write write;
    struct iovec iov[2];
    char answer_head[ANSWER_HEAD_MAX];
    size_t head_len;
    uint8_t head[HEAD_MAX];
};

/* --- life --- */

static void free_when_idle(struct exchange *exchange)
{
    if (!exchange->is_closed || exchange->is_scraping)
        return;
    scrape_done(&exchange->scrape);
    atomic_fetch_sub(&exchange->server->open_count, 1);
    free(exchange);
}

static void close_exchange(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_CLOSING)
        return;
    exchange->state = EXCHANGE_CLOSING;
    timer_stop(exchange->stream->loop, &exchange->check);
    exchange->stream->ops->close(exchange->stream);
}

static void on_closed(void *owner)
{
    struct exchange *exchange = owner;

    exchange->is_closed = true;
    free_when_idle(exchange);
}

static void on_end(void *owner, enum err why)
{
    (void)why;
    close_exchange(owner);
}

static void on_check(struct timer *timer)
{
    struct exchange *exchange = container_of(timer, struct exchange, check);
    struct loop *loop = exchange->stream->loop;

    if (atomic_load(&exchange->server->is_stopping) || loop_now_us(loop) >= exchange->deadline_us)
        close_exchange(exchange);
    else
        timer_start_in(loop, &exchange->check, CHECK_US);
}

/* --- answer --- */

static void on_written(struct stream_write *write, enum err err)
{
    (void)err;
    close_exchange(container_of(write, struct exchange, write));
}

static void answer(struct exchange *exchange, const char *status, const char *more_fields,
                   struct slice body)
{
    int len = snprintf(exchange->answer_head, sizeof(exchange->answer_head),
                       "HTTP/1.1 %s\r\n"
                       "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                       "Content-Length: %zu\r\n"
                       "Connection: close\r\n%s\r\n",
                       status, body.len, more_fields);

    invariant(len > 0 && (size_t)len < sizeof(exchange->answer_head));
    exchange->state = EXCHANGE_WRITING;
    exchange->stream->ops->read_stop(exchange->stream);
    exchange->iov[0] = (struct iovec){exchange->answer_head, (size_t)len};
    exchange->iov[1] = (struct iovec){(void *)(uintptr_t)body.data, body.len};
    exchange->write = (struct stream_write){
        .iov = exchange->iov, .iov_count = body.len > 0 ? 2 : 1, .done = on_written};
    exchange->stream->ops->write(exchange->stream, &exchange->write);
}

static void answer_text(struct exchange *exchange, const char *status, const char *text)
{
    answer(exchange, status, "", slice_from_cstring(text));
}

static void on_scraped(struct scrape *scrape, enum err err)
{
    struct exchange *exchange = container_of(scrape, struct exchange, scrape);

    exchange->is_scraping = false;
    if (exchange->state == EXCHANGE_CLOSING)
        free_when_idle(exchange);
    else if (err != ERR_OK)
        answer_text(exchange, "503 Service Unavailable",
                    "the metrics do not fit into memory; /metrics has only totals\n");
    else
        answer(exchange, "200 OK", "", buffer_slice(&scrape->text));
}

static void start_scrape(struct exchange *exchange, bool is_per_object)
{
    exchange->state = EXCHANGE_SCRAPING;
    exchange->scrape.source = &exchange->server->options.source;
    exchange->scrape.home = exchange->stream->loop;
    exchange->scrape.is_per_object = is_per_object;
    exchange->scrape.done = on_scraped;
    exchange->is_scraping = scrape_start(&exchange->scrape) == ERR_OK;
    if (!exchange->is_scraping)
        answer_text(exchange, "503 Service Unavailable", "out of memory; try again\n");
}

static void answer_ready(struct exchange *exchange)
{
    const struct scrape_source *source = &exchange->server->options.source;
    const struct broker_loop *broker = source->loop_of(source->context, exchange->stream->loop);

    if (broker->is_stopping)
        answer_text(exchange, "503 Service Unavailable", "stopping\n");
    else if (log_directory_is_failed(source->directory))
        answer_text(exchange, "503 Service Unavailable",
                    "the log directory failed: appends are refused; see the log\n");
    else if (image_version(broker->image) == 0)
        answer_text(exchange, "503 Service Unavailable", "no metadata yet: is the store there?\n");
    else if (!atomic_load(broker->is_listening))
        answer_text(exchange, "503 Service Unavailable",
                    "not all listeners are open yet; if it stays so, the log says why "
                    "(listener_not_opened)\n");
    else
        answer_text(exchange, "200 OK", "ready\n");
}

static void serve(struct exchange *exchange, struct slice path)
{
    if (slice_equal_cstring(path, "/metrics"))
        start_scrape(exchange, false);
    else if (slice_equal_cstring(path, "/metrics/per-object"))
        start_scrape(exchange, true);
    else if (slice_equal_cstring(path, "/healthz"))
        answer_text(exchange, "200 OK", "ok\n");
    else if (slice_equal_cstring(path, "/readyz"))
        answer_ready(exchange);
    else
        answer_text(exchange, "404 Not Found",
                    "there are /metrics, /metrics/per-object, /healthz, /readyz\n");
}

/* --- request --- */

static void on_buffer(void *owner, uint8_t **ret_data, size_t *ret_len)
{
    struct exchange *exchange = owner;

    *ret_data = exchange->head + exchange->head_len;
    *ret_len = sizeof(exchange->head) - exchange->head_len;
}

static void on_read(void *owner, size_t len)
{
    struct exchange *exchange = owner;
    struct slice path = SLICE_NULL;
    enum err rc = ERR_OK;

    if (exchange->state != EXCHANGE_READING)
        return;
    exchange->head_len += len;
    rc = http_head_parse(slice_of(exchange->head, exchange->head_len), &path);
    if (rc == ERR_OK)
        serve(exchange, path);
    else if (rc == ERR_UNSUPPORTED)
        answer(exchange, "405 Method Not Allowed", "Allow: GET\r\n", SLICE_LITERAL("GET only\n"));
    else if (rc != ERR_TRUNCATED)
        answer_text(exchange, "400 Bad Request", "this is not an HTTP/1 request\n");
    else if (exchange->head_len == sizeof(exchange->head))
        answer_text(exchange, "431 Request Header Fields Too Large", "8 KiB is the most\n");
}

static const struct stream_events exchange_events = {on_buffer, on_read, on_end, on_closed};

static bool on_accept(void *context, struct stream *stream)
{
    struct metrics_server *server = context;
    struct exchange *exchange = NULL;

    if (atomic_load(&server->is_stopping))
        return false;
    if (atomic_fetch_add(&server->open_count, 1) < MAX_EXCHANGES)
        exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL) {
        atomic_fetch_sub(&server->open_count, 1);
        return false;
    }
    exchange->server = server;
    exchange->stream = stream;
    exchange->deadline_us = loop_now_us(stream->loop) + DEADLINE_US;
    exchange->check.fire = on_check;
    stream->events = &exchange_events;
    stream->owner = exchange;
    timer_start_in(stream->loop, &exchange->check, CHECK_US);
    stream->ops->read_start(stream);
    return true;
}

/* --- the server --- */

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static enum err listen_all(struct metrics_server *server, struct error *error)
{
    struct network *network = server->options.network;

    for (const char *const *address = server->options.addresses; *address != NULL; address++) {
        enum err rc = ERR_OK;

        if (!is_loopback(*address) || server->listener_count == METRICS_MAX_ADDRESSES)
            return error_set(error, ERR_INVALID,
                             "metrics: %s: only loopback addresses, at most %d: there is no login",
                             *address, METRICS_MAX_ADDRESSES);
        rc = network->ops->listen(network, *address, server->options.port, on_accept, server,
                                  &server->listeners[server->listener_count], error);
        if (rc != ERR_OK)
            return rc;
        server->listener_count++;
        log_event(LOG_INFO, "metrics_opened", f_str("address", *address),
                  f_i64("port", metrics_server_port(server)));
    }
    return ERR_OK;
}

static void close_listeners(struct metrics_server *server)
{
    for (int i = 0; i < server->listener_count; i++)
        server->options.network->ops->listener_close(server->listeners[i]);
    server->listener_count = 0;
}

enum err metrics_server_new(const struct metrics_server_options *options,
                            struct metrics_server **ret_server, struct error *error)
{
    struct metrics_server *server = calloc(1, sizeof(*server));
    enum err rc = ERR_OK;

    if (server == NULL)
        return error_set(error, ERR_NO_MEMORY, "metrics");
    server->options = *options;
    rc = listen_all(server, error);
    if (rc != ERR_OK) {
        close_listeners(server);
        free(server);
        return rc;
    }
    *ret_server = server;
    return ERR_OK;
}

/* Exchanges live on every loop; each sees for itself that the server stops. */
static void on_stopping(struct timer *timer)
{
    struct metrics_server *server = container_of(timer, struct metrics_server, stopping);

    if (atomic_load(&server->open_count) == 0)
        server->stopped(server->stopped_context);
    else
        timer_start_in(server->options.source.executor->loops[0], &server->stopping, 10000);
}

void metrics_server_stop(struct metrics_server *server, void (*done)(void *context), void *context)
{
    close_listeners(server);
    atomic_store(&server->is_stopping, true);
    server->stopped = done;
    server->stopped_context = context;
    server->stopping.fire = on_stopping;
    on_stopping(&server->stopping);
}

void metrics_server_free(struct metrics_server *server)
{
    free(server);
}

int metrics_server_port(const struct metrics_server *server)
{
    return server->options.network->ops->listener_port(server->listeners[0]);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The REST service. It starts although the store is away (and answers 503 until it is back); it does not start
 * without its certificate, its sealing key, or its port.
 *
 * SIGTERM and SIGINT: take no new connection, end the waits (they are answered with 202), finish what runs, close the
 * store. A second signal ends the process at once. SIGHUP: take the certificate anew (server_certificate.h). */
#include "controlplane/service.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/observe/log.h"
#include "controlplane/endpoints/endpoints.h"
#include "controlplane/failpoint/failpoint.h"
#include "controlplane/provisioning/files.h"
#include "controlplane/provisioning/verb_options.h"
#include "controlplane/server_certificate.h"
#include "controlplane/watch.h"

#define CONNECT_TIMEOUT_MS 2000
#define PEM_MAX_BYTES (256 << 10)
#define ISSUER_MAX_LEN 512

struct serve_config {
    const char *listen_addresses;
    int64_t listen_port;
    const char *public_url;
    const char *certificate_file, *key_file, *ca_certificate_file;
    const char *metrics_addresses;
    int64_t metrics_port;
    const char *fleet, *password_file, *sealing_key_file;
    const char *region, *failpoint_file;
    int64_t calls_per_minute, token_failures_per_minute, audited_refusals_per_minute;
    int64_t workers, connections, operation_wait_ms, request_timeout_ms, statement_timeout_ms;
    int log_level, log_format;
};

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

#define FIELD(name) offsetof(struct serve_config, name)
static const struct option options[] = {
    {"listen_addresses", OPTION_STRING, FIELD(listen_addresses), "127.0.0.1,::1", 0, 0, "", NULL,
     false, "literal IP addresses to serve REST on, between commas"},
    {"listen_port", OPTION_I64, FIELD(listen_port), "8443", 1, 65535, "", NULL, false,
     "TCP port of REST"},
    {"public_url", OPTION_STRING, FIELD(public_url), "", 0, 0, "", NULL, false,
     "how clients reach us, without a slash at the end; empty: https://localhost:<listen_port>"},
    {"certificate_file", OPTION_STRING, FIELD(certificate_file), NULL, 0, 0, "", NULL, false,
     "PEM chain of the REST certificate; a renewed one is taken within a minute, at SIGHUP at "
     "once"},
    {"key_file", OPTION_STRING, FIELD(key_file), NULL, 0, 0, "", NULL, true,
     "PEM key of the REST certificate"},
    {"ca_certificate_file", OPTION_STRING, FIELD(ca_certificate_file), NULL, 0, 0, "", NULL, false,
     "PEM certificate of the CA, given out with every credential"},
    {"metrics_addresses", OPTION_STRING, FIELD(metrics_addresses), "127.0.0.1", 0, 0, "", NULL,
     false, "loopback addresses for /metrics, plain HTTP"},
    {"metrics_port", OPTION_I64, FIELD(metrics_port), "0", 0, 65535, "", NULL, false,
     "TCP port of /metrics; 0 = not served"},
    {"fleet", OPTION_STRING, FIELD(fleet), NULL, 0, 0, "", NULL, false,
     "libpq keywords of the fleet database: host=/run/postgresql dbname=fleet user=millrace_serve"},
    {"password_file", OPTION_STRING, FIELD(password_file), "", 0, 0, "", NULL, true,
     "password of that role; empty when the server asks for none"},
    {"sealing_key_file", OPTION_STRING, FIELD(sealing_key_file), NULL, 0, 0, "", NULL, true,
     "key that seals credentials and token-signing keys; `bootstrap` makes it; back it up apart "
     "from the database"},
    {"region", OPTION_STRING, FIELD(region), "global", 0, 0, "", NULL, false,
     "the location that instances are created in: target"},
    {"calls_per_minute", OPTION_I64, FIELD(calls_per_minute), "12000", 60, 60000000, "", NULL,
     false, "calls of one caller, who may make a tenth of that at once; above: 429"},
    {"token_failures_per_minute", OPTION_I64, FIELD(token_failures_per_minute), "30", 1, 60000000,
     "", NULL, false, "failed exchanges of one address, and of one key; above: 429"},
    {"audited_refusals_per_minute", OPTION_I64, FIELD(audited_refusals_per_minute), "60", 1,
     60000000, "", NULL, false, "audit rows of failed authentication, of one address"},
    {"workers", OPTION_I64, FIELD(workers), "4", 1, 64, "", NULL, false,
     "threads that answer requests, each with a store connection"},
    {"connections", OPTION_I64, FIELD(connections), "1000", 1, 100000, "", NULL, false,
     "most client connections per address"},
    {"operation_wait_ms", OPTION_I64, FIELD(operation_wait_ms), "2000", 0, 30000, "ms", NULL, false,
     "how long a request waits for its operation before it answers 202"},
    {"request_timeout_ms", OPTION_I64, FIELD(request_timeout_ms), "15000", 100, 600000, "ms", NULL,
     false, "how long a client may take to send a head, to send a body, to take an answer"},
    {"statement_timeout_ms", OPTION_I64, FIELD(statement_timeout_ms), "3000", 100, 60000, "ms",
     NULL, false, "longest statement in the store"},
    {"failpoint_file", OPTION_STRING, FIELD(failpoint_file), "", 0, 0, "", NULL, false,
     "for tests: a file that may stop this process; empty = none"},
    {"log_level", OPTION_ENUM, FIELD(log_level), "info", 0, 0, "", log_levels, false,
     "what is logged at least"},
    {"log_format", OPTION_ENUM, FIELD(log_format), "text", 0, 0, "", log_formats, false,
     "key=value lines or JSON lines"},
    {.name = NULL},
};
#undef FIELD

struct service {
    struct serve_config config;
    struct db_config db_config;
    struct server_certificate certificate;
    char *ca_certificate_pem;
    char public_url[ISSUER_MAX_LEN], issuer[ISSUER_MAX_LEN + 16];
    struct seal_key seal_key;
    struct endpoints endpoints;
    struct http_server *server, *metrics_server;
    struct watch *watch;
};

/* ---- what comes from files ---- */

static enum err load_files(struct service *service, struct error *error)
{
    const struct serve_config *config = &service->config;
    enum err rc = server_certificate_open(&service->certificate, config->certificate_file,
                                          config->key_file, error);

    if (rc == ERR_OK)
        rc = file_read(config->ca_certificate_file, PEM_MAX_BYTES, &service->ca_certificate_pem,
                       error);
    if (rc == ERR_OK)
        rc = seal_key_load(config->sealing_key_file, &service->seal_key, error);
    return rc;
}

/* ---- building ---- */

static enum err open_store(struct service *service, struct error *error)
{
    const struct serve_config *config = &service->config;

    service->db_config = (struct db_config){
        .conninfo = config->fleet,
        .password_file = config->password_file,
        .application_name = "millrace serve",
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .statement_timeout_ms = config->statement_timeout_ms,
    };
    /* One more than workers: the metrics listener asks the store, too. */
    return db_pool_new(&service->db_config, (int)config->workers + 1, &service->endpoints.pool,
                       error);
}

static enum err open_identity(struct service *service, struct error *error)
{
    struct error away = {.code = ERR_OK};
    struct db *db = NULL;
    enum err rc =
        identity_new(service->issuer, &service->seal_key, &service->endpoints.identity, error);

    if (rc != ERR_OK)
        return rc;
    if (db_pool_acquire(service->endpoints.pool, CONNECT_TIMEOUT_MS, &db, &away) != ERR_OK) {
        log_event(LOG_WARN, "store_away_at_start", f_str("message", away.message));
        return ERR_OK; /* the keys are loaded when somebody asks for a token */
    }
    rc = identity_load_keys(service->endpoints.identity, db, error);
    db_pool_release(service->endpoints.pool, db);
    if (rc != ERR_OK && err_is_retriable(rc)) {
        log_event(LOG_WARN, "store_away_at_start", f_str("message", error->message));
        return ERR_OK;
    }
    return rc;
}

static enum err make_limiters(struct service *service, struct error *error)
{
    const struct serve_config *config = &service->config;
    struct endpoints *endpoints = &service->endpoints;
    enum err rc = rate_limiter_new(config->calls_per_minute, config->calls_per_minute / 10 + 1,
                                   &endpoints->calls, error);

    if (rc == ERR_OK)
        rc = rate_limiter_new(config->token_failures_per_minute, config->token_failures_per_minute,
                              &endpoints->failures, error);
    if (rc == ERR_OK)
        rc = rate_limiter_new(config->audited_refusals_per_minute,
                              config->audited_refusals_per_minute, &endpoints->audits, error);
    return rc;
}

static void fill_urls(struct service *service)
{
    const struct serve_config *config = &service->config;

    if (config->public_url[0] != '\0')
        snprintf(service->public_url, sizeof(service->public_url), "%s", config->public_url);
    else
        snprintf(service->public_url, sizeof(service->public_url), "https://localhost:%lld",
                 (long long)config->listen_port);
    snprintf(service->issuer, sizeof(service->issuer), "%s/identity", service->public_url);
}

static void fill_endpoints(struct service *service)
{
    struct endpoints *endpoints = &service->endpoints;

    fill_urls(service);
    endpoints->seal_key = &service->seal_key;
    endpoints->clock = &system_clock;
    endpoints->public_url = service->public_url;
    endpoints->region = service->config.region;
    endpoints->ca_certificate_pem = service->ca_certificate_pem;
    endpoints->certificate_ends_s = &service->certificate.ends_s;
    seal_key_derive(&service->seal_key, "paging cursors", endpoints->cursor_key);
}

static enum err start_servers(struct service *service, struct error *error)
{
    const struct serve_config *config = &service->config;
    struct http_server_config rest = {
        .addresses = config->listen_addresses,
        .port = config->listen_port,
        .certificate = {service->certificate.chain_pem, service->certificate.key_pem},
        .routes = public_routes,
        .route_count = public_route_count,
        .context = &service->endpoints,
        .worker_count = (int)config->workers,
        .connection_max = (int)config->connections,
        .wait_max_ms = config->operation_wait_ms,
        .request_timeout_ms = config->request_timeout_ms,
    };
    struct http_server_config metrics = {
        .addresses = config->metrics_addresses,
        .port = config->metrics_port,
        .routes = metrics_routes,
        .route_count = metrics_route_count,
        .context = &service->endpoints,
        .worker_count = 1,
        .connection_max = 32,
        .request_timeout_ms = config->request_timeout_ms,
    };
    enum err rc = http_server_start(&rest, &service->server, error);

    server_certificate_forget(&service->certificate);
    if (rc != ERR_OK)
        return rc;
    service->endpoints.server = service->server;
    if (config->metrics_port > 0)
        rc = http_server_start(&metrics, &service->metrics_server, error);
    return rc;
}

static enum err start(struct service *service, struct error *error)
{
    enum err rc = load_files(service, error);

    if (rc != ERR_OK)
        return rc;
    fill_endpoints(service);
    rc = make_limiters(service, error);
    if (rc == ERR_OK)
        rc = open_store(service, error);
    if (rc == ERR_OK)
        rc = open_identity(service, error);
    if (rc == ERR_OK)
        rc = start_servers(service, error);
    if (rc == ERR_OK)
        rc = watch_start(&service->db_config, service->server, &service->watch, error);
    return rc;
}

/* In the reverse order; also after a start that failed half-way. */
static void stop(struct service *service)
{
    watch_stop(service->watch);
    http_server_stop(service->metrics_server);
    http_server_stop(service->server);
    identity_free(service->endpoints.identity);
    rate_limiter_free(service->endpoints.calls);
    rate_limiter_free(service->endpoints.failures);
    rate_limiter_free(service->endpoints.audits);
    db_pool_free(service->endpoints.pool);
    seal_key_done(&service->seal_key);
    OPENSSL_cleanse(service->endpoints.cursor_key, sizeof(service->endpoints.cursor_key));
    server_certificate_forget(&service->certificate); /* a start that came not so far */
    free(service->ca_certificate_pem);
}

/* ---- running ---- */

static void exit_at_once(int number)
{
    (void)number;
    _exit(EXIT_FAILURE);
}

/* The certificate is looked at once a minute, and taken at SIGHUP. */
static void serve_until_told(struct service *service, const sigset_t *signals)
{
    static const struct timespec until_a_look = {.tv_sec = 60};
    int number = 0;

    do {
        number = sigtimedwait(signals, NULL, &until_a_look);
        if (number == SIGHUP || number < 0)
            server_certificate_look(&service->certificate, service->server, number == SIGHUP);
    } while (number == SIGHUP || number < 0);
    log_event(LOG_INFO, "stopping", f_i64("signal", number));
    signal(SIGTERM, exit_at_once);
    signal(SIGINT, exit_at_once);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

int serve_main(char *const *args)
{
    static struct service service;
    struct error error = {.code = ERR_OK};
    sigset_t signals;

    switch (verb_options_load("serve", options, &service.config, args)) {
    case VERB_GO_ON:
        break;
    case VERB_HELPED:
        return EXIT_SUCCESS;
    case VERB_REFUSED:
        return EXIT_FAILURE;
    }
    log_setup("millrace-controlplane", (enum log_level)service.config.log_level,
              (enum log_format)service.config.log_format);
    failpoint_setup(service.config.failpoint_file);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread: all inherit it */
    signal(SIGPIPE, SIG_IGN);

    enum err rc = start(&service, &error);
    if (rc == ERR_OK) {
        log_event(LOG_INFO, "serving", f_str("url", service.public_url),
                  f_i64("port", http_server_port(service.server)));
        serve_until_told(&service, &signals);
    } else {
        log_event(LOG_ERROR, "start_failed", f_str("message", error.message));
    }
    stop(&service);
    option_table_done(options, &service.config);
    return rc == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A broker that follows its cell and does nothing else: it registers, reads changes, acknowledges. Same verbs as
 * millrace-broker. Next to cells/ in the state directory a test may put
 *
 *   hold    brokers that start wait until it is gone before they register
 *   mute    brokers do not acknowledge while it is there
 *   crash   brokers that start exit with 7 */
#include "common/config/option_table.h"
#include "common/port/random.h"
#include "dataplane/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct fake_config {
    const char *store, *store_password_file, *cell_id, *data_dir, *tls_certificate_file,
        *tls_key_file, *bind, *log_format, *log_level;
    int64_t broker_id, loops, metrics_port;
};

#define TEXT(name)                                                                                 \
    {                                                                                              \
#name, OPTION_STRING, offsetof(struct fake_config, name), NULL, 0, 0, "", NULL, false, ""  \
    }
static const struct option options[] = {
    TEXT(store),
    TEXT(store_password_file),
    TEXT(cell_id),
    TEXT(data_dir),
    TEXT(tls_certificate_file),
    TEXT(tls_key_file),
    TEXT(bind),
    TEXT(log_format),
    TEXT(log_level),
    {"broker_id", OPTION_I64, offsetof(struct fake_config, broker_id), NULL, 0, 2, "", NULL, false,
     ""},
    {"loops", OPTION_I64, offsetof(struct fake_config, loops), NULL, 1, 64, "", NULL, false, ""},
    {"metrics_port", OPTION_I64, offsetof(struct fake_config, metrics_port), NULL, 1, 65535, "",
     NULL, false, ""},
    {.name = NULL},
};

static volatile sig_atomic_t is_stopping;

static void on_signal(int number)
{
    (void)number;
    is_stopping = 1;
}

static bool has_sign(const struct fake_config *config, const char *name)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/../../../../%s", config->data_dir, name);
    return access(path, F_OK) == 0;
}

static PGconn *connect_to_store(const struct fake_config *config)
{
    char password[128] = "";
    char conninfo[1024];
    FILE *file = fopen(config->store_password_file, "re");

    if (file == NULL || fgets(password, sizeof(password), file) == NULL)
        fprintf(stderr, "no password\n");
    if (file != NULL)
        fclose(file);
    snprintf(conninfo, sizeof(conninfo), "%s password=%s", config->store, password);
    PGconn *connection = PQconnectdb(conninfo);
    if (PQstatus(connection) == CONNECTION_OK)
        return connection;
    fprintf(stderr, "%s", PQerrorMessage(connection));
    PQfinish(connection);
    return NULL;
}

/* Runs a statement; false when it failed. The first column of the last row goes to *ret_number. */
static bool run(PGconn *connection, const char *text, long long *ret_number)
{
    PGresult *result = PQexec(connection, text);
    bool is_ok =
        PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK;

    if (!is_ok)
        fprintf(stderr, "%s: %s", text, PQerrorMessage(connection));
    else if (ret_number != NULL && PQntuples(result) > 0)
        *ret_number = strtoll(PQgetvalue(result, PQntuples(result) - 1, 0), NULL, 10);
    PQclear(result);
    return is_ok;
}

static void drain(PGconn *connection)
{
    PGnotify *notification = NULL;
    struct pollfd pollfd = {.fd = PQsocket(connection), .events = POLLIN};

    poll(&pollfd, 1, 100);
    PQconsumeInput(connection);
    while ((notification = PQnotifies(connection)) != NULL)
        PQfreemem(notification);
}

/* Registered: follows until told to stop or until the connection is lost. */
static void follow(const struct fake_config *config, PGconn *connection, const char *incarnation)
{
    char text[256];
    long long version = 0, acknowledged = -1, cell_no = 0;

    snprintf(text, sizeof(text),
             "SELECT cell_no FROM cell.v1_register(%d, '%s', '%s', true, 'fake broker')",
             (int)config->broker_id, incarnation, config->cell_id);
    if (!run(connection, text, &cell_no))
        return;
    snprintf(text, sizeof(text), "LISTEN cell_%lld", cell_no);
    bool is_ok = run(connection, text, NULL) &&
                 run(connection, "SELECT version FROM cell.v1_snapshot() LIMIT 1", &version);
    while (is_ok && !is_stopping) {
        if (version != acknowledged && !has_sign(config, "mute")) {
            snprintf(text, sizeof(text), "SELECT cell.v1_acknowledge(%d, '%s', %lld)",
                     (int)config->broker_id, incarnation, version);
            is_ok = run(connection, text, NULL);
            acknowledged = version;
        }
        drain(connection);
        snprintf(text, sizeof(text), "SELECT version FROM cell.v1_renew_lease(%d, '%s')",
                 (int)config->broker_id, incarnation);
        is_ok = is_ok && run(connection, text, NULL);
        snprintf(text, sizeof(text), "SELECT v FROM cell.v1_changes(%lld, 1000)", version);
        is_ok = is_ok && run(connection, text, &version);
    }
}

static void new_incarnation(char text[37])
{
    uint8_t b[16];

    if (random_fill(&system_random, b, sizeof(b)) != ERR_OK)
        exit(9);
    snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-4%01x%02x-8%01x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6] & 15, b[7], b[8] & 15, b[9], b[10], b[11],
             b[12], b[13], b[14], b[15]);
}

static int serve(const char *file)
{
    struct fake_config config;
    struct error error;
    char lock_path[1024], incarnation[37];

    if (option_table_load(options, &config, file, NULL, &error) != ERR_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 2;
    }
    signal(SIGTERM, on_signal);
    if (has_sign(&config, "crash"))
        return 7;
    snprintf(lock_path, sizeof(lock_path), "%s/lock", config.data_dir);
    int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0) {
        fprintf(stderr, "%s is locked\n", lock_path);
        return 3;
    }
    while (has_sign(&config, "hold") && !is_stopping)
        poll(NULL, 0, 10);
    new_incarnation(incarnation);
    while (!is_stopping) {
        PGconn *connection = connect_to_store(&config);

        if (connection != NULL)
            follow(&config, connection, incarnation);
        PQfinish(connection);
        poll(NULL, 0, 20);
    }
    option_table_done(options, &config);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "supervise") == 0)
        return supervisor_main(argc - 1, argv + 1);
    if (argc == 4 && strcmp(argv[1], "serve") == 0 && strcmp(argv[2], "--config") == 0)
        return serve(argv[3]);
    return 2;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* millrace-broker: arguments, configuration, the real edges, signals; nothing else. */
#include "common/config/option_table.h"
#include "common/observe/log.h"
#include "common/port/clock.h"
#include "dataplane/broker.h"
#include "dataplane/net/certificate_watch.h"
#include "dataplane/net/tls_context.h"
#include "dataplane/pg/pg_meta_store.h"
#include "dataplane/supervisor.h"
#include "dataplane/uv/uv_executor.h"
#include "dataplane/uv/uv_network.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct config {
    char *store;
    char *store_password_file;
    char *cell_id;
    int64_t broker_id;
    char *data_dir;
    char *tls_certificate_file;
    char *tls_key_file;
    char *bind;
    char *metrics_addresses;
    int64_t metrics_port;
    int64_t loops;
    int64_t read_workers;
    int64_t check_workers;
    int64_t tail_cache_bytes;
    int64_t cleaner_map_bytes;
    int64_t cleaner_bytes_per_second;
    int64_t spare_percent;
    int64_t group_initial_rebalance_delay_ms;
    int64_t login_deadline_ms;
    int64_t idle_timeout_ms;
    int64_t stalled_timeout_ms;
    int64_t topic_mutations_per_second;
    int64_t pending_logins;
    int64_t pending_logins_per_address;
    int64_t memory_bytes;
    int64_t connection_memory_bytes;
    int64_t max_control_frame_bytes;
    int log_level;
    int log_format;
};

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

#define FIELD(name) offsetof(struct config, name)
static const struct option options[] = {
    {"store", OPTION_STRING, FIELD(store), NULL, 0, 0, "", NULL, false,
     "PostgreSQL connection (libpq keywords) of the cells database, without the password."},
    {"store_password_file", OPTION_STRING, FIELD(store_password_file), "", 0, 0, "", NULL, true,
     "File with the password of this cell's database role."},
    {"cell_id", OPTION_STRING, FIELD(cell_id), NULL, 0, 0, "", NULL, false,
     "The cell (UUID) that this broker belongs to."},
    {"broker_id", OPTION_I64, FIELD(broker_id), "0", 0, 1000, "", NULL, false,
     "Number of this broker in its cell."},
    {"data_dir", OPTION_STRING, FIELD(data_dir), NULL, 0, 0, "", NULL, false,
     "Where logs and the cached metadata live; one broker a directory."},
    {"tls_certificate_file", OPTION_STRING, FIELD(tls_certificate_file), "", 0, 0, "", NULL, false,
     "Certificate chain (PEM) of SASL_SSL listeners; looked at once a minute, and at SIGHUP."},
    {"tls_key_file", OPTION_STRING, FIELD(tls_key_file), "", 0, 0, "", NULL, true,
     "Private key (PEM) of that certificate."},
    {"bind", OPTION_STRING, FIELD(bind), "127.0.0.1", 0, 0, "", NULL, false,
     "Literal addresses to listen on, separated by commas."},
    {"metrics_addresses", OPTION_STRING, FIELD(metrics_addresses), "127.0.0.1", 0, 0, "", NULL,
     false, "Loopback addresses for /metrics, /healthz and /readyz, plain HTTP."},
    {"metrics_port", OPTION_I64, FIELD(metrics_port), "0", 0, 65535, "", NULL, false,
     "TCP port of /metrics; 0 = not served."},
    {"loops", OPTION_I64, FIELD(loops), "2", 1, 64, "", NULL, false,
     "Event loops, one thread each."},
    {"read_workers", OPTION_I64, FIELD(read_workers), "2", 1, 16, "", NULL, false,
     "Threads for reads that are not in memory."},
    {"check_workers", OPTION_I64, FIELD(check_workers), "1", 1, 16, "", NULL, false,
     "Threads that check record batches which are large or unpack to much."},
    {"tail_cache_bytes", OPTION_I64, FIELD(tail_cache_bytes), "67108864", 1048576, 1LL << 40,
     "bytes", NULL, false, "Recent records kept in memory, all partitions together."},
    {"cleaner_map_bytes", OPTION_I64, FIELD(cleaner_map_bytes), "16777216", 65536, 1LL << 40,
     "bytes", NULL, false,
     "Memory for keys while logs are compacted, 32 bytes each; a log with more of them takes more "
     "passes."},
    {"cleaner_bytes_per_second", OPTION_I64, FIELD(cleaner_bytes_per_second), "67108864", 1048576,
     1LL << 40, "bytes", NULL, false, "How fast logs are read to be compacted, all together."},
    {"spare_percent", OPTION_I64, FIELD(spare_percent), "25", 0, 50, "%", NULL, false,
     "Files of segments that go are kept for new ones, up to so much of the room that is free with "
     "them; 0 = they are removed."},
    {"group_initial_rebalance_delay_ms", OPTION_I64, FIELD(group_initial_rebalance_delay_ms), "0",
     0, 60000, "ms", NULL, false, "How long an empty consumer group waits for more members."},
    {"login_deadline_ms", OPTION_I64, FIELD(login_deadline_ms), "10000", 100, 600000, "ms", NULL,
     false, "A connection that has not logged in by then is closed."},
    {"idle_timeout_ms", OPTION_I64, FIELD(idle_timeout_ms), "600000", 1000, 86400000, "ms", NULL,
     false, "A connection without traffic is closed after this long."},
    {"stalled_timeout_ms", OPTION_I64, FIELD(stalled_timeout_ms), "30000", 100, 600000, "ms", NULL,
     false,
     "A peer that stops in the middle of a request, or does not read its answers, is closed after "
     "this long."},
    {"pending_logins", OPTION_I64, FIELD(pending_logins), "2000", 1, 1000000, "", NULL, false,
     "Connections that have not logged in yet, on each event loop; more are closed."},
    {"pending_logins_per_address", OPTION_I64, FIELD(pending_logins_per_address), "500", 1, 1000000,
     "", NULL, false, "The same from one address."},
    {"memory_bytes", OPTION_I64, FIELD(memory_bytes), "536870912", 16777216, 1LL << 40, "bytes",
     NULL, false,
     "Requests, answers and records under way, all clients together; an instance gets half of it "
     "at "
     "most, and a 64th at least."},
    {"connection_memory_bytes", OPTION_I64, FIELD(connection_memory_bytes), "67108864", 1048576,
     1LL << 40, "bytes", NULL, false,
     "Answers that wait on one connection; one that is larger still fits."},
    {"max_control_frame_bytes", OPTION_I64, FIELD(max_control_frame_bytes), "8388608", 65536,
     104857600, "bytes", NULL, false, "The largest request that is not a Produce (100 MiB)."},
    {"topic_mutations_per_second", OPTION_I64, FIELD(topic_mutations_per_second), "500", -1,
     1000000, "1/s", NULL, false,
     "Partitions that an instance may create and delete, ten seconds' worth at once; -1 is no "
     "bound."},
    {"log_level", OPTION_ENUM, FIELD(log_level), "info", 0, 0, "", log_levels, false,
     "Least level that is logged."},
    {"log_format", OPTION_ENUM, FIELD(log_format), "text", 0, 0, "", log_formats, false,
     "key=value text, or JSON lines."},
    {.name = NULL},
};

/* The edges and what stands on them. */
struct process {
    struct config config;
    struct uv_executor *executor;
    struct network *network;
    struct disk *disk;
    struct log_directory *directory;
    struct log_directory_report report;
    struct pg_meta_store *store;
    struct tls_context *tls;
    struct certificate_watch certificate_watch; /* begun with tls only */
    struct broker *broker;
    struct mail start;
    bool is_stopping;
};

static enum err open_directory(struct process *process, struct error *error)
{
    struct log_directory_options directory = {
        .executor = uv_executor_base(process->executor),
        .random = &system_random,
        .broker_id = (int32_t)process->config.broker_id,
        .tail_cache_bytes = process->config.tail_cache_bytes,
        .cleaner_map_bytes = process->config.cleaner_map_bytes,
        .cleaner_bytes_per_second = process->config.cleaner_bytes_per_second,
        .spare_percent = (int)process->config.spare_percent,
    };
    enum err rc = uuid_parse(slice_from_cstring(process->config.cell_id), &directory.cell_id);

    if (rc != ERR_OK)
        return error_set(error, rc, "cell_id is not a UUID");
    rc = posix_disk_open(process->config.data_dir, &process->disk, error);
    if (rc != ERR_OK)
        return rc;
    directory.disk = process->disk;
    return log_directory_open(&directory, &process->directory, &process->report, error);
}

static enum err open_store(struct process *process, struct error *error)
{
    const struct config *config = &process->config;
    struct pg_meta_store_options store = {
        .loop = uv_executor_base(process->executor)->loops[0],
        .conninfo = config->store,
        .password_file = config->store_password_file[0] ? config->store_password_file : NULL,
        .random = &system_random,
        .broker_id = (int32_t)config->broker_id,
        .directory = log_directory_uuid(process->directory),
        .was_clean = process->report.was_clean,
        .software = "millrace " MILLRACE_VERSION,
    };

    return pg_meta_store_new(&store, &process->store, error);
}

/* Cuts "a,b" in place. */
static void split_addresses(char *text, const char *addresses[BROKER_MAX_BIND_ADDRESSES])
{
    char *rest = text;
    int count = 0;

    while (rest != NULL && count < BROKER_MAX_BIND_ADDRESSES - 1) {
        char *address = strsep(&rest, ",");

        if (address[0] != '\0')
            addresses[count++] = address;
    }
    addresses[count] = NULL;
}

static struct broker_limits limits_of(const struct config *config)
{
    struct broker_limits limits = broker_limits_default;

    limits.login_deadline_us = config->login_deadline_ms * 1000;
    limits.idle_timeout_us = config->idle_timeout_ms * 1000;
    limits.stalled_timeout_us = config->stalled_timeout_ms * 1000;
    limits.topic_mutations_per_second = config->topic_mutations_per_second;
    limits.logins = (struct login_guard_limits){.strangers = (size_t)config->pending_logins,
                                                .strangers_per_address =
                                                    (size_t)config->pending_logins_per_address};
    limits.memory = memory_limits_of(config->memory_bytes);
    limits.connection_memory_bytes = (size_t)config->connection_memory_bytes;
    limits.max_control_frame_bytes = (size_t)config->max_control_frame_bytes;
    return limits;
}

static enum err open_broker(struct process *process, struct error *error)
{
    struct config *config = &process->config;
    struct broker_options broker = {
        .executor = uv_executor_base(process->executor),
        .disk = process->disk,
        .network = process->network,
        .store = pg_meta_store_port(process->store),
        .random = &system_random,
        .directory = process->directory,
        .broker_id = (int32_t)config->broker_id,
        .group_initial_rebalance_delay_ms = (int32_t)config->group_initial_rebalance_delay_ms,
        .metrics_port = (int)config->metrics_port,
        .software = MILLRACE_VERSION,
        .has_process = true,
        .limits = limits_of(config),
    };
    enum err rc = ERR_OK;

    if (config->tls_certificate_file[0] != '\0')
        rc = tls_context_new(config->tls_certificate_file, config->tls_key_file, &process->tls,
                             error);
    if (rc != ERR_OK)
        return rc;
    broker.tls = process->tls;
    split_addresses(config->bind, broker.bind_addresses);
    if (config->metrics_port > 0)
        split_addresses(config->metrics_addresses, broker.metrics_addresses);
    return broker_new(&broker, &process->broker, error);
}

static enum err open_all(struct process *process, struct error *error)
{
    struct uv_executor_options executor = {
        .loop_count = (int)process->config.loops,
        .read_workers = (int)process->config.read_workers,
        .check_workers = (int)process->config.check_workers,
        .write_workers = 2,
        .slow_workers = 1,
    };
    enum err rc = uv_executor_new(&executor, &process->executor, error);

    if (rc == ERR_OK && (rc = uv_network_new(process->executor, &process->network)) != ERR_OK)
        error_set(error, rc, "network");
    if (rc == ERR_OK)
        rc = open_directory(process, error);
    if (rc == ERR_OK)
        rc = open_store(process, error);
    if (rc == ERR_OK)
        rc = open_broker(process, error);
    return rc;
}

static void on_start(struct mail *mail)
{
    struct process *process = container_of(mail, struct process, start);

    if (process->tls != NULL)
        certificate_watch_begin(&process->certificate_watch, process->tls,
                                uv_executor_base(process->executor)->loops[0]);
    broker_start(process->broker);
}

static void on_stopped(void *context)
{
    struct process *process = context;

    uv_executor_stop(process->executor);
}

/* From its start on. */
static bool is_watching(const struct process *process)
{
    return process->certificate_watch.tls != NULL;
}

/* Of what it was started with only the certificate can change while it runs. */
static void read_again(struct process *process)
{
    if (is_watching(process))
        certificate_watch_ask(&process->certificate_watch);
    else
        log_event(LOG_INFO, "nothing_to_read_again", f_str("why", "there is no certificate"));
}

static void on_signal(void *context, int number)
{
    struct process *process = context;

    if (process->is_stopping)
        return;
    log_event(LOG_INFO, "signal", f_i64("number", number));
    if (number == SIGHUP) {
        read_again(process);
        return;
    }
    process->is_stopping = true;
    if (is_watching(process))
        certificate_watch_end(&process->certificate_watch);
    broker_stop(process->broker, on_stopped, process);
}

static void close_all(struct process *process)
{
    broker_free(process->broker);
    pg_meta_store_free(process->store);
    log_directory_free(process->directory);
    posix_disk_close(process->disk);
    uv_network_free(process->network);
    uv_executor_free(process->executor);
    tls_context_free(process->tls); /* after the workers: one may look at its files */
    option_table_done(options, &process->config);
}

/* glibc gives a block as large as an answer to Fetch back to the kernel when it is freed, and the next one pays for its pages
 * again: a quarter of the time of reading. A few of them stay. */
static void keep_large_blocks(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

static void advise_on_read_ahead(struct disk *disk)
{
    int64_t device_bytes = posix_disk_read_ahead_bytes(disk);

    if (device_bytes > POSIX_DISK_READ_AHEAD_MAX_BYTES)
        log_event(LOG_INFO, "no_read_ahead", f_i64("device_kib", device_bytes >> 10),
                  f_i64("most_kib", POSIX_DISK_READ_AHEAD_MAX_BYTES >> 10),
                  f_str("why",
                        "acknowledgements would wait behind it; set read_ahead_kb of the device "
                        "to most_kib or less, and reading old records costs less CPU"));
}

static int serve(const char *config_file, char *const *args)
{
    static struct process process;
    int64_t began_us = clock_monotonic_us(&system_clock);
    struct error error;

    signal(SIGPIPE, SIG_IGN);
    keep_large_blocks();
    if (option_table_load(options, &process.config, config_file, args, &error) != ERR_OK) {
        fprintf(stderr, "millrace-broker: %s\n", error.message);
        return 2;
    }
    log_setup("broker", (enum log_level)process.config.log_level,
              (enum log_format)process.config.log_format);
    if (open_all(&process, &error) != ERR_OK) {
        log_event(LOG_ERROR, "start_failed", f_err(error.code), f_str("why", error.message));
        return 1;
    }
    log_event(LOG_INFO, "broker_started", f_i64("broker", process.config.broker_id),
              f_str("cell", process.config.cell_id), f_i64("loops", process.config.loops),
              f_i64("partitions", process.report.partitions),
              f_i64("replayed_bytes", process.report.replayed_bytes),
              f_i64("recovered_bytes", process.report.recovered_bytes),
              f_str("last_stop", process.report.was_clean ? "clean" : "unclean"),
              f_i64("start_us", clock_monotonic_us(&system_clock) - began_us));
    advise_on_read_ahead(process.disk);
    uv_executor_on_signal(process.executor, on_signal, &process);
    process.start.deliver = on_start;
    loop_post(uv_executor_base(process.executor)->loops[0], &process.start);
    uv_executor_run(process.executor);
    close_all(&process);
    log_event(LOG_INFO, "broker_stopped", f_str("how", "clean"));
    return 0;
}

static void help(FILE *out)
{
    fprintf(out, "usage: millrace-broker serve [--config FILE] [--OPTION=VALUE …]\n"
                 "       millrace-broker supervise …   (see millrace-broker supervise --help)\n"
                 "       millrace-broker --version\n\n"
                 "One Kafka broker of a cell. Options, in the file or as arguments:\n");
    option_table_help(options, out);
}

int main(int argc, char **argv)
{
    const char *config_file = NULL;
    char **args = argv + 2;

    if (argc >= 2 && strcmp(argv[1], "supervise") == 0)
        return supervisor_main(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        printf("millrace-broker %s\n", MILLRACE_VERSION);
        return 0;
    }
    if (argc < 2 || strcmp(argv[1], "serve") != 0 ||
        (argc >= 3 && strcmp(argv[2], "--help") == 0)) {
        bool asked = argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "serve") == 0);

        help(asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    if (argc >= 4 && strcmp(args[0], "--config") == 0) {
        config_file = args[1];
        args += 2;
    }
    return serve(config_file, args);
}

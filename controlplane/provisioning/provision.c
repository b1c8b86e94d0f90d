/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace-controlplane provision`: the reconciler as a process.
 *
 * One thread watches (LISTEN on the fleet database, and once a second a look at all that is not yet as it should
 * be); workers act, each on what this replica holds a lease of. Several replicas share the work. When the store is
 * away workers stop, and start again with it; when told to stop a replica gives its leases back.
 *
 * Stopping it stops no broker; starting it adopts the ones that run and starts the others. */
#include "common/observe/log.h"
#include "common/port/clock.h"
#include "controlplane/failpoint/failpoint.h"
#include "controlplane/provisioning/files.h"
#include "controlplane/provisioning/reconciler.h"
#include "controlplane/provisioning/verb_options.h"
#include "controlplane/provisioning/verbs.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { RETRY_MS = 1000, SCAN_EVERY_TURNS = 30 };

struct provision {
    const struct provision_config *config;
    struct fleet_ca ca;
    struct reconciler reconciler;
    struct provision_counters counters;
    struct provision_metrics *metrics; /* NULL = not served */
    struct db_config watch_config;
    struct db *watch; /* LISTEN and the list of work; NULL = never connected */
    int stop_fd;      /* readable once we are to stop */
    int turns;        /* since the last look for directories of removed cells */
    bool is_working;
    bool is_stopping;
};

static int64_t now_ms(void)
{
    return clock_monotonic_us(&system_clock) / 1000;
}

static void push_work(void *context, enum provision_kind kind, struct uuid id)
{
    struct provision *provision = context;

    work_queue_push(provision->reconciler.queue, kind, id, false);
}

/* Directories of cells that are gone, or that a crash left half removed: the reconciler decides. */
static void push_directories(struct provision *provision)
{
    char path[PATH_ROOM];
    struct dirent *entry = NULL;
    struct uuid id;

    if (path_format(path, NULL, "%s/cells", provision->config->state_dir) != ERR_OK)
        return;
    DIR *stream = opendir(path);
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        if (uuid_parse(slice_from_cstring(entry->d_name), &id) == ERR_OK)
            push_work(provision, PROVISION_CELL, id);
    }
    if (stream != NULL)
        closedir(stream);
}

static enum err connect_watch(struct provision *provision, struct error *error)
{
    if (provision->watch != NULL)
        return db_ensure(provision->watch, error);
    enum err rc = db_open(&provision->watch_config, &provision->watch, error);

    if (rc == ERR_OK)
        rc = db_listen(provision->watch, PROVISION_CHANNEL_DESIRED, error);
    if (rc != ERR_OK) {
        db_close(provision->watch);
        provision->watch = NULL;
    }
    return rc;
}

static void stop_work(struct provision *provision)
{
    struct error error;

    if (!provision->is_working)
        return;
    reconciler_stop(&provision->reconciler);
    provision->is_working = false;
    if (lease_release_all(provision->watch, provision->reconciler.owner, &error) != ERR_OK)
        log_event(LOG_INFO, "leases_kept", f_str("why", error.message)); /* they run out */
    log_event(LOG_INFO, "work_stopped");
}

static enum err begin_work(struct provision *provision, struct error *error)
{
    if (provision->is_working)
        return ERR_OK;
    enum err rc = reconciler_start(&provision->reconciler, provision->config, &provision->ca,
                                   &provision->counters, error);
    if (rc != ERR_OK)
        return rc;
    provision->is_working = true;
    provision->turns = 0;
    log_event(LOG_INFO, "work_begun", f_str("replica", provision->reconciler.owner),
              f_str("state_dir", provision->config->state_dir));
    return ERR_OK;
}

static enum err list_work(struct provision *provision, struct error *error)
{
    if (provision->turns == 0)
        push_directories(provision);
    provision->turns = (provision->turns + 1) % SCAN_EVERY_TURNS;
    enum err rc = provision_reclaim_due(provision->watch, error);
    if (rc != ERR_OK)
        return rc;
    return lease_list_work(provision->watch, provision->reconciler.owner, push_work, provision,
                           error);
}

/* Until the next poll is due: what serve tells is worked on at once. Its payload is the id of an instance or a
 * credential; the other kind finds no such row. */
static enum err follow_notifications(struct provision *provision, struct error *error)
{
    char payload[UUID_TEXT_LEN + 1];
    int64_t left_ms = provision->config->poll_ms, until_ms = now_ms() + left_ms;
    struct uuid id;
    enum err rc = ERR_OK;

    for (; rc == ERR_OK && left_ms > 0; left_ms = until_ms - now_ms()) {
        rc = db_wait_notification(provision->watch, left_ms, provision->stop_fd, payload,
                                  sizeof(payload), error);
        if (rc != ERR_OK || uuid_parse(slice_from_cstring(payload), &id) != ERR_OK)
            continue;
        work_queue_push(provision->reconciler.queue, PROVISION_INSTANCE, id, true);
        work_queue_push(provision->reconciler.queue, PROVISION_CREDENTIAL, id, true);
    }
    return rc == ERR_UNAVAILABLE ? rc : ERR_OK;
}

static enum err turn(struct provision *provision, struct error *error)
{
    enum err rc = connect_watch(provision, error);

    if (rc == ERR_OK)
        rc = begin_work(provision, error);
    if (rc == ERR_OK)
        rc = list_work(provision, error);
    if (rc == ERR_OK)
        rc = follow_notifications(provision, error);
    return rc;
}

/* True once SIGTERM or SIGINT has come; waits up to timeout_ms for one. */
static bool is_told_to_stop(struct provision *provision, const sigset_t *signals,
                            int64_t timeout_ms)
{
    struct timespec timeout = {timeout_ms / 1000, (timeout_ms % 1000) * 1000000};

    if (!provision->is_stopping)
        provision->is_stopping = sigtimedwait(signals, NULL, &timeout) > 0;
    return provision->is_stopping;
}

static void run(struct provision *provision, const sigset_t *signals)
{
    struct error error;

    while (!is_told_to_stop(provision, signals, 0)) {
        if (turn(provision, &error) == ERR_OK)
            continue;
        log_event(LOG_WARN, "store_unavailable", f_str("why", error.message));
        stop_work(provision);
        is_told_to_stop(provision, signals, RETRY_MS);
    }
    stop_work(provision);
    db_close(provision->watch);
}

static void close_provision(struct provision *provision)
{
    provision_metrics_stop(provision->metrics);
    if (provision->stop_fd >= 0)
        close(provision->stop_fd);
    fleet_ca_done(&provision->ca);
}

static enum err open_provision(struct provision *provision, const struct provision_config *config,
                               const sigset_t *signals, struct error *error)
{
    char cells[PATH_ROOM];
    struct port_range range = {(int)config->port_first, (int)config->port_last};

    *provision = (struct provision){.config = config, .stop_fd = -1};
    if (config->state_dir[0] != '/' || config->broker_program[0] != '/')
        return error_set(error, ERR_INVALID, "state_dir and broker_program are absolute paths");
    if (config->shared_cell_brokers == 2)
        return error_set(error, ERR_INVALID, "shared_cell_brokers is 1 or 3");
    provision->watch_config = (struct db_config){.conninfo = config->fleet,
                                                 .password_file = config->password_file,
                                                 .application_name = "millrace provision watch",
                                                 .connect_timeout_ms = 3000,
                                                 .statement_timeout_ms = 10000};
    enum err rc = port_range_clip(&range, error);
    if (rc == ERR_OK)
        rc = path_format(cells, error, "%s/cells", config->state_dir);
    if (rc == ERR_OK)
        rc = directory_make(cells, error);
    if (rc == ERR_OK)
        rc = fleet_ca_open(config->ca_certificate_file, config->ca_key_file, &provision->ca, error);
    if (rc != ERR_OK)
        return rc;
    provision->stop_fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    rc = provision->stop_fd < 0
             ? error_set(error, ERR_IO, "signalfd")
             : provision_metrics_start(config, &provision->counters, &provision->metrics, error);
    if (rc != ERR_OK)
        close_provision(provision);
    return rc;
}

int provision_main(char *const *args)
{
    struct provision_config config;
    struct provision provision;
    struct error error;
    sigset_t signals;

    switch (verb_options_load("provision", provision_options, &config, args)) {
    case VERB_GO_ON:
        break;
    case VERB_HELPED:
        return EXIT_SUCCESS;
    case VERB_REFUSED:
        return EXIT_FAILURE;
    }
    log_setup("provision", (enum log_level)config.log_level, (enum log_format)config.log_format);
    failpoint_setup(config.failpoint_file);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    /* Before any thread is made, so that no thread but this one is ever interrupted. */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);

    enum err rc = open_provision(&provision, &config, &signals, &error);
    if (rc == ERR_OK) {
        run(&provision, &signals);
        close_provision(&provision);
    } else {
        fprintf(stderr, "millrace-controlplane provision: %s\n", error.message);
    }
    option_table_done(provision_options, &config);
    return rc == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/provisioning/reconciler.h"

#include "common/crypto/encoding.h"
#include "common/observe/log.h"
#include "common/port/clock.h"
#include "common/port/random.h"
#include "controlplane/failpoint/failpoint.h"

#include <string.h>
#include <unistd.h>

enum {
    ARENA_MAX_BYTES = 4 * 1024 * 1024,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 10000,
    CONNECT_TIMEOUT_MS = 3000,
    STATEMENT_TIMEOUT_MS = 10000
};

static const enum failpoint claimed_failpoints[] = {
    [PROVISION_CELL] = FAILPOINT_cell_claimed,
    [PROVISION_INSTANCE] = FAILPOINT_instance_claimed,
    [PROVISION_CREDENTIAL] = FAILPOINT_credential_claimed,
};

static int64_t now_ms(void)
{
    return clock_monotonic_us(&system_clock) / 1000;
}

int64_t step_waited_ms(const struct step *step)
{
    return step->item->since_ms == 0 ? 0 : now_ms() - step->item->since_ms;
}

int64_t step_wait_ms(struct step *step)
{
    int64_t waited_ms = step_waited_ms(step);

    if (step->item->since_ms == 0)
        step->item->since_ms = now_ms();
    if (waited_ms < 200)
        return 3;
    if (waited_ms < 2000)
        return 20;
    return waited_ms < 30000 ? 100 : 500;
}

enum err step_is_acknowledged(struct step *step, struct uuid cell_id, bool needs_one,
                              bool *ret_is_acknowledged, struct error *error)
{
    struct cell_acknowledgement seen;
    enum err rc = cells_read_acknowledgement(step->cells, cell_id, step->item->published_version,
                                             &seen, error);

    if (rc != ERR_OK)
        return rc;
    *ret_is_acknowledged = seen.brokers_acknowledged == seen.brokers_with_lease &&
                           (seen.brokers_with_lease > 0 || !needs_one);
    return ERR_OK;
}

/* After a commit. Failing is no failure: serve asks by itself, too. */
static void tell_serve(struct step *step)
{
    char id[UUID_TEXT_LEN + 1];
    struct error error;

    uuid_format(step->item->id, id);
    if (db_notify(step->fleet, PROVISION_CHANNEL_OBSERVED, id, &error) != ERR_OK)
        log_event(LOG_WARN, "notify_failed", f_str("why", error.message));
}

void step_end_write(struct step *step, bool is_written, int64_t *ret_delay_ms)
{
    *ret_delay_ms = is_written ? WORK_DONE_MS : 0;
    if (!is_written) {
        step->item->renew_at_ms = 0;
        return;
    }
    step->item->lease_epoch = 0; /* the same statement has let go of it */
    tell_serve(step);
}

/* ---- leases ---- */

/* What is remembered of an item is true only as long as nobody else has worked on it. */
static void forget(struct work_item *item)
{
    *item = (struct work_item){.kind = item->kind, .id = item->id, .failures = item->failures};
}

/* Looked at again after a half, so that a slow step and a slow store fit in the other. */
static int64_t renew_at_ms(const struct step *step, int64_t asked_at_ms)
{
    return asked_at_ms + step->config->lease_ms / 2;
}

enum err step_hold(struct step *step, bool *ret_is_held, struct error *error)
{
    struct work_item *item = step->item;
    int64_t at_ms = now_ms(), epoch = 0;

    *ret_is_held = true;
    if (item->lease_epoch != 0 && at_ms < item->renew_at_ms)
        return ERR_OK;
    if (item->lease_epoch != 0)
        return step_enter(step, "", error);
    enum err rc = lease_claim(step->fleet, item->kind, item->id, step->reconciler->owner,
                              step->config->lease_ms, &epoch, error);
    if (rc != ERR_OK)
        return rc;
    forget(item);
    item->lease_epoch = epoch;
    item->renew_at_ms = renew_at_ms(step, at_ms);
    *ret_is_held = epoch != 0;
    return epoch == 0 ? ERR_OK : failpoint_pass(claimed_failpoints[item->kind], error);
}

enum err step_enter(struct step *step, const char *name, struct error *error)
{
    struct work_item *item = step->item;
    int64_t at_ms = now_ms();
    enum err rc = lease_enter(step->fleet, item->kind, item->id, item->lease_epoch,
                              step->config->lease_ms, name, error);

    if (rc == ERR_OK)
        item->renew_at_ms = renew_at_ms(step, at_ms);
    return rc;
}

/* ---- one step, from the queue ---- */

static const char *kind_name(enum provision_kind kind)
{
    switch (kind) {
    case PROVISION_CELL:
        return "cell";
    case PROVISION_INSTANCE:
        return "instance";
    case PROVISION_CREDENTIAL:
        return "credential";
    }
    return "";
}

static int64_t lose(struct work_item *item)
{
    char id[UUID_TEXT_LEN + 1];

    uuid_format(item->id, id);
    log_event(LOG_INFO, "lease_lost", f_str("kind", kind_name(item->kind)), f_str("id", id),
              f_i64("epoch", item->lease_epoch));
    forget(item);
    return WORK_DONE_MS; /* the list of work brings it again when it is free */
}

/* Others may have it while we wait, or are done. It runs out by itself, should this fail. */
static void let_go(struct step *step)
{
    struct work_item *item = step->item;
    struct error error;

    if (item->lease_epoch != 0 &&
        lease_release(step->fleet, item->kind, item->id, item->lease_epoch, &error) == ERR_FENCED)
        lose(item);
    item->lease_epoch = 0;
}

static enum err open_connections(struct reconciler *reconciler, struct reconciler_worker *worker,
                                 struct error *error)
{
    enum err rc = worker->fleet ? db_ensure(worker->fleet, error)
                                : db_open(&reconciler->fleet, &worker->fleet, error);

    if (rc == ERR_OK)
        rc = worker->cells ? db_ensure(worker->cells, error)
                           : db_open(&reconciler->cells, &worker->cells, error);
    return rc;
}

static enum err reconcile(struct step *step, int64_t *ret_delay_ms, struct error *error)
{
    switch (step->item->kind) {
    case PROVISION_CELL:
        return reconcile_cell(step, ret_delay_ms, error);
    case PROVISION_INSTANCE:
        return reconcile_instance(step, ret_delay_ms, error);
    case PROVISION_CREDENTIAL:
        return reconcile_credential(step, ret_delay_ms, error);
    }
    return error_set(error, ERR_INTERNAL, "no such kind of work");
}

/* The only place that decides what a failed step means: say so, and try again later. */
static int64_t back_off(struct work_item *item, const struct error *error)
{
    char id[UUID_TEXT_LEN + 1];
    int64_t delay_ms = BACKOFF_MAX_MS;

    if (item->failures < 7)
        delay_ms = (int64_t)BACKOFF_FIRST_MS << item->failures;
    item->failures++;
    uuid_format(item->id, id);
    log_event(LOG_WARN, "step_failed", f_str("kind", kind_name(item->kind)), f_str("id", id),
              f_err(error->code), f_str("why", error->message), f_i64("failures", item->failures),
              f_i64("again_in_ms", delay_ms));
    return delay_ms < BACKOFF_MAX_MS ? delay_ms : BACKOFF_MAX_MS;
}

/* Decides what an ended step means for the item and its lease. */
static int64_t end_step(struct step *step, enum err rc, int64_t delay_ms, struct error *error)
{
    struct work_item *item = step->item;
    struct error ignored;

    if (rc == ERR_FENCED)
        return lose(item);
    if (rc == ERR_OK) {
        item->failures = 0;
    } else {
        if (item->kind == PROVISION_INSTANCE && item->lease_epoch != 0 &&
            lease_record_error(step->fleet, item->id, item->lease_epoch, error->message,
                               &ignored) != ERR_OK)
            log_event(LOG_DEBUG, "record_failed", f_str("why", ignored.message));
        delay_ms = back_off(item, error);
    }
    if (delay_ms == WORK_DONE_MS || delay_ms > step->config->lease_ms / 2)
        let_go(step);
    return delay_ms;
}

static void count_step(struct provision_counters *counters, enum provision_kind kind, enum err rc,
                       int64_t duration_us)
{
    histogram_note_shared(&counters->steps[kind], duration_us);
    if (rc == ERR_FENCED)
        counter_add_shared(&counters->leases_lost[kind], 1);
    else if (rc != ERR_OK)
        counter_add_shared(&counters->failures[kind], 1);
}

static int64_t run_step(void *context, int worker_index, struct work_item *item)
{
    struct reconciler *reconciler = context;
    struct reconciler_worker *worker = &reconciler->workers[worker_index];
    struct error error = {.code = ERR_OK};
    struct arena arena;
    int64_t delay_ms = WORK_DONE_MS;

    if (open_connections(reconciler, worker, &error) != ERR_OK)
        return back_off(item, &error);
    arena_init(&arena, ARENA_MAX_BYTES);
    struct step step = {.reconciler = reconciler,
                        .config = reconciler->config,
                        .fleet = worker->fleet,
                        .cells = worker->cells,
                        .arena = &arena,
                        .item = item};
    int64_t began_us = clock_monotonic_us(&system_clock);
    enum err rc = reconcile(&step, &delay_ms, &error);
    count_step(reconciler->counters, item->kind, rc, clock_monotonic_us(&system_clock) - began_us);
    delay_ms = end_step(&step, rc, delay_ms, &error);
    arena_done(&arena);
    return delay_ms;
}

/* ---- start and stop ---- */

static struct db_config connection_config(const struct provision_config *config,
                                          const char *conninfo)
{
    return (struct db_config){.conninfo = conninfo,
                              .password_file = config->password_file,
                              .application_name = "millrace provision",
                              .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                              .statement_timeout_ms = STATEMENT_TIMEOUT_MS};
}

enum err reconciler_start(struct reconciler *reconciler, const struct provision_config *config,
                          const struct fleet_ca *ca, struct provision_counters *counters,
                          struct error *error)
{
    struct work_queue_events events = {.step = run_step, .context = reconciler};
    char id[UUID_TEXT_LEN + 1];
    struct uuid uuid;

    *reconciler = (struct reconciler){
        .config = config,
        .ca = ca,
        .counters = counters,
        .ports = {.first = (int)config->port_first, .last = (int)config->port_last},
        .fleet = connection_config(config, config->fleet),
        .cells = connection_config(config, config->cells),
    };
    if (uuid_generate(&system_random, &uuid) != ERR_OK)
        return error_set(error, ERR_INTERNAL, "no random numbers");
    uuid_format(uuid, id);
    snprintf(reconciler->owner, sizeof(reconciler->owner), "%d-%s", (int)getpid(), id);
    enum err rc = port_range_clip(&reconciler->ports, error);
    if (rc == ERR_OK)
        rc = work_queue_new((int)config->workers, &events, &reconciler->queue, error);
    return rc;
}

void reconciler_stop(struct reconciler *reconciler)
{
    work_queue_free(reconciler->queue);
    for (int i = 0; i < RECONCILER_MAX_WORKERS; i++) {
        db_close(reconciler->workers[i].fleet);
        db_close(reconciler->workers[i].cells);
    }
    memset(reconciler->workers, 0, sizeof(reconciler->workers));
    reconciler->queue = NULL;
}

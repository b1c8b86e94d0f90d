/* SPDX-License-Identifier: Apache-2.0 */
/* A cell is made from nothing, or from whatever a crash left of it, by the same steps; a cell that stands costs one
 * look at a lock per broker, and no lease. This is also how brokers come back after a reboot, on the same ports. */
#include "common/observe/log.h"
#include "common/port/random.h"
#include "controlplane/failpoint/failpoint.h"
#include "controlplane/provisioning/cell_directory.h"
#include "controlplane/provisioning/listener_host.h"
#include "controlplane/provisioning/process_driver.h"
#include "controlplane/provisioning/reconciler.h"

#include <signal.h>
#include <string.h>

enum { STOP_PATIENCE_MS = 35000, STOP_POLL_MS = 20 };

/* ---- making ---- */

/* Tries ports from a random place on, so that two fleets on one machine seldom want the same one. */
static enum err choose_port(struct step *step, int64_t broker_id, enum provision_purpose purpose,
                            int64_t *ret_port, struct error *error)
{
    struct provision_port_wish wish = {.cell_id = step->item->id,
                                       .broker_id = broker_id,
                                       .purpose = purpose,
                                       .epoch = step->item->lease_epoch};
    const struct port_range *range = &step->reconciler->ports;
    int64_t count = range->last - range->first + 1;
    uint32_t start = 0;

    if (random_fill(&system_random, &start, sizeof(start)) != ERR_OK)
        return error_set(error, ERR_INTERNAL, "no random numbers");
    for (int64_t i = 0; i < count; i++) {
        enum provision_gift gift = GIFT_REFUSED;

        wish.port = range->first + (start + i) % count;
        if (!port_is_free((int)wish.port))
            continue;
        enum err rc = provision_give_port(step->fleet, &wish, &gift, error);
        if (rc != ERR_OK)
            return rc;
        if (gift != GIFT_REFUSED) {
            *ret_port = wish.port;
            return failpoint_pass(FAILPOINT_cell_after_port, error);
        }
    }
    return error_set(error, ERR_LIMIT, "no free port from %d to %d; widen port_first … port_last",
                     range->first, range->last);
}

static enum err give_ports(struct step *step, struct provision_cell *cell, struct error *error)
{
    enum err rc = failpoint_pass(FAILPOINT_cell_before_port, error);

    for (int64_t i = 0; rc == ERR_OK && i < cell->broker_count; i++) {
        if (cell->ports[i].sasl_ssl == 0)
            rc = choose_port(step, i, PURPOSE_SASL_SSL, &cell->ports[i].sasl_ssl, error);
        if (rc == ERR_OK && cell->ports[i].metrics == 0)
            rc = choose_port(step, i, PURPOSE_METRICS, &cell->ports[i].metrics, error);
    }
    return rc;
}

/* The cell was dropped while we held an old lease. */
static enum err create_in_store(struct step *step, const struct provision_cell *cell,
                                struct slice password, struct cell_identity *ret_identity,
                                struct error *error)
{
    enum err rc =
        cells_create(step->cells, step->item->id, cell->is_shared ? "shared" : "dedicated",
                     cell->broker_count, password, ret_identity, error);

    if (rc != ERR_OK && strcmp(db_sqlstate(step->cells), "MR004") == 0)
        return error_set(error, ERR_FENCED, "the cell was dropped");
    return rc == ERR_OK ? failpoint_pass(FAILPOINT_cell_after_role, error) : rc;
}

/* The row and the role in the cells database, with a password that only the cell's directory knows. */
static enum err make_role(struct step *step, struct provision_cell *cell, struct error *error)
{
    struct uuid cell_id = step->item->id;
    struct cell_identity identity = {.cell_no = 0};
    struct secret password = {.len = 0};

    if (cell->cell_no != 0 && cell_directory_has_password(step->config, cell_id))
        return ERR_OK;
    enum err rc = failpoint_pass(FAILPOINT_cell_before_password, error);
    if (rc == ERR_OK)
        rc = step_enter(step, "role", error);
    if (rc == ERR_OK)
        rc = cell_directory_keep_password(step->config, cell_id, &password, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_cell_after_password, error);
    if (rc == ERR_OK)
        rc = create_in_store(step, cell, slice_of(password.bytes, password.len), &identity, error);
    secret_done(&password);
    if (rc == ERR_OK)
        rc = provision_set_cell_made(step->fleet, cell_id, step->item->lease_epoch,
                                     identity.cell_no, identity.role_name, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_cell_after_made, error);
    if (rc != ERR_OK)
        return rc;
    cell->cell_no = identity.cell_no;
    memcpy(cell->role_name, identity.role_name, sizeof(cell->role_name));
    return ERR_OK;
}

/* The row is there before the broker asks, so that its first snapshot tells it where to listen. */
static enum err put_listener(struct step *step, const struct provision_cell *cell,
                             int64_t broker_id, struct error *error)
{
    char host[LISTENER_HOST_ROOM];
    int64_t version = 0;
    enum err rc = listener_host_for_broker(step->config->listener_host, broker_id, host, error);

    if (rc != ERR_OK)
        return rc;
    const struct cell_listener listener = {.broker_id = broker_id,
                                           .name = "sasl_ssl",
                                           .host = host,
                                           .port = cell->ports[broker_id].sasl_ssl,
                                           .security = "SASL_SSL"};
    return cells_put_listener(step->cells, step->item->id, &listener, &version, error);
}

static enum err start_broker(struct step *step, const struct provision_cell *cell,
                             int64_t broker_id, struct error *error)
{
    char directory[PATH_ROOM];
    char config_file[PATH_ROOM];
    char id[UUID_TEXT_LEN + 1];
    enum err rc = cell_directory_path(step->config, step->item->id, broker_id, directory, error);

    if (rc != ERR_OK)
        return rc;
    if (process_driver_is_running(directory))
        return cell_directory_keep_certificate(step->config, step->reconciler->ca, step->item->id,
                                               cell, broker_id, error);
    rc = failpoint_pass(FAILPOINT_cell_before_files, error);
    if (rc == ERR_OK)
        rc = step_enter(step, "files", error);
    if (rc == ERR_OK)
        rc = cell_directory_prepare_broker(step->config, step->reconciler->ca, step->item->id, cell,
                                           broker_id, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_cell_after_files, error);
    if (rc == ERR_OK)
        rc = put_listener(step, cell, broker_id, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_cell_after_listener, error);
    if (rc == ERR_OK)
        rc = path_format(config_file, error, "%s/broker.conf", directory);
    if (rc == ERR_OK)
        rc = step_enter(step, "start", error);
    if (rc == ERR_OK)
        rc = process_driver_start(step->config->broker_program, directory, config_file, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_cell_after_start, error);
    if (rc != ERR_OK)
        return rc;
    uuid_format(step->item->id, id);
    log_event(LOG_INFO, "broker_started", f_str("cell", id), f_i64("broker", broker_id),
              f_i64("port", cell->ports[broker_id].sasl_ssl));
    return ERR_OK;
}

static enum err make_cell(struct step *step, struct provision_cell *cell, struct error *error)
{
    enum err rc = give_ports(step, cell, error);

    if (rc == ERR_OK)
        rc = make_role(step, cell, error);
    for (int64_t i = 0; rc == ERR_OK && i < cell->broker_count; i++)
        rc = start_broker(step, cell, i, error);
    return rc;
}

/* ---- unmaking ---- */

/* Asks every broker to stop; SIGKILL for those that do not. True when none is left. */
static enum err stop_brokers(struct step *step, int64_t broker_count, bool *ret_are_stopped,
                             struct error *error)
{
    char directory[PATH_ROOM];
    bool are_stopped = true;
    enum err rc = failpoint_pass(FAILPOINT_cell_before_stop, error);

    if (rc == ERR_OK)
        rc = step_enter(step, "stop", error);
    for (int64_t i = 0; rc == ERR_OK && i < broker_count; i++) {
        rc = cell_directory_path(step->config, step->item->id, i, directory, error);
        if (rc != ERR_OK || !process_driver_is_running(directory))
            continue;
        are_stopped = false;
        if (step->item->since_ms == 0)
            rc = process_driver_signal(directory, SIGTERM, error);
        else if (step_waited_ms(step) > STOP_PATIENCE_MS)
            rc = process_driver_signal(directory, SIGKILL, error);
    }
    if (rc != ERR_OK)
        return rc; /* the wait has not begun: they are asked again */
    step_wait_ms(step);
    *ret_are_stopped = are_stopped;
    return ERR_OK;
}

static enum err remove_cell(struct step *step, const struct provision_cell *cell,
                            struct error *error)
{
    enum err rc = failpoint_pass(FAILPOINT_cell_before_directory_removed, error);

    if (rc == ERR_OK)
        rc = step_enter(step, "remove", error);
    if (rc == ERR_OK)
        rc = cell_directory_remove(step->config, step->item->id, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_cell_after_directory_removed, error);
    if (rc != ERR_OK || cell->is_removed)
        return rc;
    rc = cells_drop(step->cells, step->item->id, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_cell_after_dropped, error);
    if (rc == ERR_OK)
        rc =
            provision_set_cell_removed(step->fleet, step->item->id, step->item->lease_epoch, error);
    return rc == ERR_OK ? failpoint_pass(FAILPOINT_cell_after_removed, error) : rc;
}

static enum err unmake_cell(struct step *step, const struct provision_cell *cell,
                            int64_t *ret_delay_ms, struct error *error)
{
    char id[UUID_TEXT_LEN + 1];
    bool are_stopped = false;
    enum err rc = stop_brokers(step, PROVISION_MAX_BROKERS, &are_stopped, error);

    if (rc == ERR_OK && !are_stopped) {
        *ret_delay_ms = STOP_POLL_MS;
        return ERR_OK;
    }
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_cell_after_stop, error);
    if (rc == ERR_OK)
        rc = remove_cell(step, cell, error);
    if (rc != ERR_OK)
        return rc;
    uuid_format(step->item->id, id);
    log_event(LOG_INFO, "cell_removed", f_str("cell", id));
    *ret_delay_ms = WORK_DONE_MS;
    return ERR_OK;
}

/* True when nothing is to be done: what a look once a second nearly always finds. */
static bool is_standing(const struct step *step, const struct provision_cell *cell)
{
    char directory[PATH_ROOM];
    struct error error;

    if (!cell->is_wanted || cell->is_removed || cell->cell_no == 0 ||
        !cell_directory_has_password(step->config, step->item->id))
        return false;
    for (int64_t i = 0; i < cell->broker_count; i++)
        if (cell->ports[i].sasl_ssl == 0 || cell->ports[i].metrics == 0 ||
            cell_directory_path(step->config, step->item->id, i, directory, &error) != ERR_OK ||
            !process_driver_is_running(directory) ||
            !cell_directory_has_fresh_certificate(step->config, step->reconciler->ca,
                                                  step->item->id, i))
            return false;
    return true;
}

enum err reconcile_cell(struct step *step, int64_t *ret_delay_ms, struct error *error)
{
    struct provision_cell cell;
    bool is_held = false;
    enum err rc = provision_read_cell(step->fleet, step->item->id, &cell, error);

    *ret_delay_ms = WORK_DONE_MS;
    if (rc != ERR_OK || is_standing(step, &cell))
        return rc;
    if (!cell.is_found) {
        char id[UUID_TEXT_LEN + 1];

        /* Not ours to delete: the data may belong to a database that is being restored. */
        uuid_format(step->item->id, id);
        log_event(LOG_WARN, "cell_directory_without_row", f_str("cell", id));
        return ERR_OK;
    }
    rc = step_hold(step, &is_held, error);
    if (rc == ERR_OK && is_held) /* again: what was true before the claim may be true no more */
        rc = provision_read_cell(step->fleet, step->item->id, &cell, error);
    if (rc != ERR_OK || !is_held)
        return rc;
    if (!cell.is_wanted || cell.is_removed)
        return unmake_cell(step, &cell, ret_delay_ms, error);
    return make_cell(step, &cell, error);
}

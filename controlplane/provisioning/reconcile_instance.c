/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/encoding.h"
#include "common/observe/log.h"
#include "controlplane/failpoint/failpoint.h"
#include "controlplane/provisioning/listener_host.h"
#include "controlplane/provisioning/reconciler.h"

#include <jansson.h>
#include <stdlib.h>

enum { PLAINTEXT_PARTITIONS = 4, DEDICATED_BROKERS = 1 };

/* ---- making and changing ---- */

static enum err place(struct step *step, const struct provision_instance *instance,
                      struct error *error)
{
    struct provision_placement placement = {
        .instance_id = step->item->id,
        .epoch = step->item->lease_epoch,
        .is_shared = instance->is_shared,
        .broker_count = instance->is_shared ? step->config->shared_cell_brokers : DEDICATED_BROKERS,
        .instances_per_cell = step->config->shared_cell_instances,
    };

    if (uuid_generate(&system_random, &placement.new_cell_id) != ERR_OK)
        return error_set(error, ERR_INTERNAL, "no random numbers");
    enum err rc = failpoint_pass(FAILPOINT_instance_before_place, error);
    if (rc == ERR_OK)
        rc = step_enter(step, "place", error);
    if (rc == ERR_OK)
        rc = provision_place_instance(step->fleet, &placement, error);
    return rc == ERR_OK ? failpoint_pass(FAILPOINT_instance_after_place, error) : rc;
}

static enum err fail(struct step *step, const struct provision_instance *instance,
                     const char *reason_code, const char *description, int64_t *ret_delay_ms,
                     struct error *error)
{
    char id[UUID_TEXT_LEN + 1];
    bool is_written = false;
    enum err rc = provision_set_instance_failed(step->fleet, step->item->id,
                                                step->item->lease_epoch, instance->revision,
                                                reason_code, description, &is_written, error);

    if (rc != ERR_OK)
        return rc;
    uuid_format(step->item->id, id);
    log_event(LOG_ERROR, "instance_failed", f_str("instance", id), f_str("reason", reason_code),
              f_str("why", description));
    step_end_write(step, is_written, ret_delay_ms);
    return ERR_OK;
}

/* One listener without TLS, on the port the instance asks for. *ret_is_taken: somebody else has the port. */
static enum err put_plain_listener(struct step *step, const struct provision_instance *instance,
                                   const struct cell_listener *listener,
                                   enum provision_purpose purpose, bool *ret_is_taken,
                                   struct error *error)
{
    const struct provision_port_wish wish = {.cell_id = instance->cell_id,
                                             .instance_id = step->item->id,
                                             .broker_id = listener->broker_id,
                                             .purpose = purpose,
                                             .port = listener->port,
                                             .epoch = step->item->lease_epoch};
    enum provision_gift gift = GIFT_REFUSED;
    enum err rc = provision_give_port(step->fleet, &wish, &gift, error);

    if (rc != ERR_OK)
        return rc;
    if (gift == GIFT_REFUSED || (gift == GIFT_NEW && !port_is_free((int)listener->port))) {
        *ret_is_taken = true;
        return provision_release_instance_ports(step->fleet, step->item->id,
                                                step->item->lease_epoch, error);
    }
    return cells_put_listener(step->cells, instance->cell_id, listener,
                              &step->item->published_version, error);
}

/* `--plaintext PORT`: PORT without TLS and SASL, PORT + 1 with SASL; both on loopback, for this instance. */
static enum err put_plain_listeners(struct step *step, const struct provision_instance *instance,
                                    bool *ret_is_taken, struct error *error)
{
    struct cell_listener listener = {.name = "plaintext",
                                     .host = "127.0.0.1",
                                     .port = instance->plaintext_port,
                                     .security = "PLAINTEXT",
                                     .instance_no = step->item->instance_no,
                                     .auto_create_partitions = PLAINTEXT_PARTITIONS};

    if (instance->plaintext_port == 0)
        return ERR_OK;
    enum err rc =
        put_plain_listener(step, instance, &listener, PURPOSE_PLAINTEXT, ret_is_taken, error);
    if (rc != ERR_OK || *ret_is_taken)
        return rc;
    listener.name = "sasl_plaintext";
    listener.security = "SASL_PLAINTEXT";
    listener.port++;
    return put_plain_listener(step, instance, &listener, PURPOSE_SASL_PLAINTEXT, ret_is_taken,
                              error);
}

/* Once per revision: what a step published is remembered in the item. */
static enum err publish(struct step *step, const struct provision_instance *instance,
                        bool *ret_is_taken, struct error *error)
{
    struct work_item *item = step->item;
    int64_t version = 0;

    if (item->published_version != 0 && item->published_revision == instance->revision)
        return ERR_OK;
    item->published_version = 0;
    enum err rc = failpoint_pass(FAILPOINT_instance_before_publish, error);
    if (rc == ERR_OK)
        rc = step_enter(step, "publish", error);
    if (rc == ERR_OK)
        rc = cells_put_tenant(step->cells, instance->cell_id, instance->revision, instance->tenant,
                              &item->instance_no, &version, error);
    if (rc == ERR_OK)
        rc = put_plain_listeners(step, instance, ret_is_taken, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_instance_after_publish, error);
    if (rc == ERR_OK)
        rc = cells_notify(step->cells, instance->cell_id, error);
    if (rc != ERR_OK)
        return rc;
    if (item->published_version < version)
        item->published_version = version;
    item->published_revision = instance->revision;
    item->since_ms = 0;
    return ERR_OK;
}

/* {"brokers": ["host:port", …], "http_url": "https://host:port/instances/<guid>"} */
static enum err render_endpoints(struct step *step, const struct provision_instance *instance,
                                 const struct provision_cell *cell, char **ret_text,
                                 struct error *error)
{
    char id[UUID_TEXT_LEN + 1];
    json_t *brokers = json_array();
    enum err rc = ERR_OK;

    uuid_format(step->item->id, id);
    for (int64_t i = 0; rc == ERR_OK && i < cell->broker_count; i++) {
        char host[LISTENER_HOST_ROOM];

        rc = listener_host_for_client(step->config->listener_host, i, instance->label, host, error);
        if (rc == ERR_OK &&
            json_array_append_new(
                brokers, json_sprintf("%s:%lld", host, (long long)cell->ports[i].sasl_ssl)) != 0)
            rc = error_set(error, ERR_NO_MEMORY, "endpoints");
    }
    json_t *endpoints = json_pack("{s:o, s:o}", "brokers", brokers, "http_url",
                                  json_sprintf("%s/instances/%s", step->config->http_url, id));
    char *text = endpoints ? json_dumps(endpoints, JSON_COMPACT) : NULL;
    json_decref(endpoints);
    if (rc == ERR_OK && text == NULL)
        rc = error_set(error, ERR_NO_MEMORY, "endpoints");
    if (rc == ERR_OK)
        *ret_text = text;
    else
        free(text);
    return rc;
}

static enum err set_ready(struct step *step, const struct provision_instance *instance,
                          const struct provision_cell *cell, int64_t *ret_delay_ms,
                          struct error *error)
{
    char *endpoints = NULL;
    bool is_written = false;
    enum err rc = render_endpoints(step, instance, cell, &endpoints, error);

    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_instance_before_ready, error);
    if (rc == ERR_OK)
        rc = provision_set_instance_ready(step->fleet, step->item->id, step->item->lease_epoch,
                                          instance->revision, step->item->instance_no, endpoints,
                                          &is_written, error);
    free(endpoints);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_instance_after_ready, error);
    if (rc == ERR_OK)
        step_end_write(step, is_written, ret_delay_ms);
    return rc;
}

static enum err make_instance(struct step *step, const struct provision_instance *instance,
                              int64_t *ret_delay_ms, struct error *error)
{
    struct provision_cell cell;
    bool is_taken = false;
    bool is_acknowledged = false;

    *ret_delay_ms = 0;
    if (instance->phase != PROVISION_SUSPEND && instance->age_ms > step->config->create_timeout_ms)
        return fail(step, instance, "timeout",
                    "The brokers of the instance did not come up in time; delete it and try again.",
                    ret_delay_ms, error);
    if (uuid_is_zero(instance->cell_id))
        return place(step, instance, error);

    enum err rc = provision_read_cell(step->fleet, instance->cell_id, &cell, error);
    if (rc != ERR_OK)
        return rc;
    if (cell.cell_no == 0) {
        work_queue_push(step->reconciler->queue, PROVISION_CELL, instance->cell_id,
                        step->item->since_ms == 0);
        *ret_delay_ms = step_wait_ms(step);
        return ERR_OK;
    }
    rc = publish(step, instance, &is_taken, error);
    if (rc != ERR_OK)
        return rc;
    if (is_taken)
        return fail(step, instance, "port_in_use",
                    "The port for connections without TLS, or the one after it, is in use.",
                    ret_delay_ms, error);
    rc = step_is_acknowledged(step, instance->cell_id, true, &is_acknowledged, error);
    if (rc != ERR_OK)
        return rc;
    if (is_acknowledged)
        return set_ready(step, instance, &cell, ret_delay_ms, error);
    *ret_delay_ms = step_wait_ms(step);
    return ERR_OK;
}

/* ---- taking down ---- */

static enum err set_removed(struct step *step, int64_t *ret_delay_ms, struct error *error)
{
    bool is_written = false;
    enum err rc = failpoint_pass(FAILPOINT_instance_before_removed, error);

    if (rc == ERR_OK)
        rc = provision_set_instance_removed(step->fleet, step->item->id, step->item->lease_epoch,
                                            &is_written, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_instance_after_removed, error);
    if (rc == ERR_OK)
        step_end_write(step, is_written, ret_delay_ms);
    return rc;
}

/* Once per life of the item; published_revision -1 marks that this was the removal. */
static enum err unpublish(struct step *step, struct uuid cell_id, struct error *error)
{
    struct work_item *item = step->item;
    int64_t version = 0;

    if (item->published_revision == -1)
        return ERR_OK;
    enum err rc = failpoint_pass(FAILPOINT_instance_before_unpublish, error);
    if (rc == ERR_OK)
        rc = step_enter(step, "unpublish", error);
    if (rc == ERR_OK)
        rc = cells_remove_tenant(step->cells, cell_id, item->id, &version, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_instance_after_unpublish, error);
    if (rc == ERR_OK)
        rc = cells_notify(step->cells, cell_id, error);
    if (rc != ERR_OK)
        return rc;
    item->published_version = version;
    item->published_revision = -1;
    item->since_ms = 0;
    return ERR_OK;
}

/* A shared cell forgets the instance and its brokers delete its files; a cell of its own goes as a whole. */
static enum err take_down(struct step *step, const struct provision_instance *instance,
                          int64_t *ret_delay_ms, struct error *error)
{
    struct provision_cell cell;
    bool is_acknowledged = false;

    if (uuid_is_zero(instance->cell_id))
        return set_removed(step, ret_delay_ms, error);
    enum err rc = provision_read_cell(step->fleet, instance->cell_id, &cell, error);
    if (rc != ERR_OK)
        return rc;
    if (cell.is_removed)
        return set_removed(step, ret_delay_ms, error);
    if (cell.cell_no != 0)
        rc = unpublish(step, instance->cell_id, error);
    if (rc != ERR_OK)
        return rc;
    if (!cell.is_shared) {
        rc = provision_set_cell_unwanted(step->fleet, instance->cell_id, step->item->id,
                                         step->item->lease_epoch, error);
        if (rc == ERR_OK)
            rc = failpoint_pass(FAILPOINT_instance_after_cell_unwanted, error);
        work_queue_push(step->reconciler->queue, PROVISION_CELL, instance->cell_id,
                        step->item->since_ms == 0);
        *ret_delay_ms = step_wait_ms(step);
        return rc;
    }
    if (cell.cell_no != 0)
        rc = step_is_acknowledged(step, instance->cell_id, false, &is_acknowledged, error);
    if (rc != ERR_OK)
        return rc;
    if (cell.cell_no != 0 && !is_acknowledged) {
        *ret_delay_ms = step_wait_ms(step);
        return ERR_OK;
    }
    rc = provision_release_instance_ports(step->fleet, step->item->id, step->item->lease_epoch,
                                          error);
    return rc == ERR_OK ? set_removed(step, ret_delay_ms, error) : rc;
}

enum err reconcile_instance(struct step *step, int64_t *ret_delay_ms, struct error *error)
{
    struct provision_instance instance;
    bool is_held = false;
    enum err rc = step_hold(step, &is_held, error);

    *ret_delay_ms = WORK_DONE_MS;
    if (rc == ERR_OK && is_held)
        rc = provision_read_instance(step->fleet, step->item->id, step->arena, &instance, error);
    if (rc != ERR_OK || !is_held)
        return rc;
    switch (instance.phase) {
    case PROVISION_CREATE:
    case PROVISION_UPDATE:
    case PROVISION_SUSPEND:
        return make_instance(step, &instance, ret_delay_ms, error);
    case PROVISION_DELETE:
        return take_down(step, &instance, ret_delay_ms, error);
    case PROVISION_SETTLED:
        break;
    }
    return ERR_OK;
}

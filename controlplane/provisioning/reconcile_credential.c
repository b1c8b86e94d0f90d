/* SPDX-License-Identifier: Apache-2.0 */
/* A credential is usable once every broker that holds a lease knows its verifier, and gone once each has dropped
 * it together with its connections. Until then the row says so. */
#include "common/observe/log.h"
#include "controlplane/provisioning/reconciler.h"

#include <string.h>

static enum err set_removed(struct step *step, int64_t *ret_delay_ms, struct error *error)
{
    bool is_written = false;
    enum err rc = provision_set_credential_removed(step->fleet, step->item->id, &is_written, error);

    if (rc != ERR_OK)
        return rc;
    if (is_written)
        step_tell_serve(step);
    *ret_delay_ms = WORK_DONE_MS;
    return ERR_OK;
}

static enum err set_active(struct step *step, int64_t revision, int64_t *ret_delay_ms,
                           struct error *error)
{
    bool is_written = false;
    enum err rc =
        provision_set_credential_active(step->fleet, step->item->id, revision, &is_written, error);

    if (rc != ERR_OK)
        return rc;
    if (is_written)
        step_tell_serve(step);
    *ret_delay_ms = is_written ? WORK_DONE_MS : 0; /* deleted meanwhile: look again */
    return ERR_OK;
}

/* Puts or removes it, once per revision. */
static enum err publish(struct step *step, const struct provision_credential *credential,
                        bool is_wanted, struct error *error)
{
    struct work_item *item = step->item;
    int64_t version = 0;
    /* A create that turned into a delete is published anew, even under the same revision. */
    int64_t published = is_wanted ? credential->revision : -credential->revision;

    if (item->published_version != 0 && item->published_revision == published)
        return ERR_OK;
    enum err rc = is_wanted
                      ? cells_put_credential(step->cells, credential->cell_id, credential->revision,
                                             credential->credential, &version, error)
                      : cells_remove_credential(step->cells, credential->cell_id,
                                                credential->key_id, &version, error);
    if (rc == ERR_OK)
        rc = cells_notify(step->cells, credential->cell_id, error);
    if (rc != ERR_OK)
        return rc;
    item->published_version = version;
    item->published_revision = published;
    item->since_ms = 0;
    return ERR_OK;
}

enum err reconcile_credential(struct step *step, int64_t *ret_delay_ms, struct error *error)
{
    struct provision_credential credential;
    bool is_acknowledged = false;
    enum err rc =
        provision_read_credential(step->fleet, step->item->id, step->arena, &credential, error);

    if (rc != ERR_OK)
        return rc;
    if (credential.phase == PROVISION_SETTLED) {
        *ret_delay_ms = WORK_DONE_MS;
        return ERR_OK;
    }
    bool is_wanted = credential.phase == PROVISION_CREATE && !credential.is_orphan;
    if (!credential.has_cell && !is_wanted)
        return set_removed(step, ret_delay_ms, error);
    if (!credential.has_cell) {
        *ret_delay_ms = step_wait_ms(step);
        return ERR_OK;
    }
    rc = publish(step, &credential, is_wanted, error);
    if (rc != ERR_OK && is_wanted && strcmp(db_sqlstate(step->cells), "MR004") == 0)
        return set_removed(step, ret_delay_ms, error);
    if (rc == ERR_OK)
        rc = step_is_acknowledged(step, credential.cell_id, is_wanted, &is_acknowledged, error);
    if (rc != ERR_OK)
        return rc;
    if (!is_acknowledged) {
        *ret_delay_ms = step_wait_ms(step);
        return ERR_OK;
    }
    if (is_wanted)
        return set_active(step, credential.revision, ret_delay_ms, error);
    return set_removed(step, ret_delay_ms, error);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A credential is usable once every broker that holds a lease knows its verifier, and gone once each has dropped
 * it together with its connections. Until then the row says so. A put carries the row's revision and a removal is for
 * good, so the only fence that is needed is at the write that settles the row. */
#include "common/observe/log.h"
#include "controlplane/failpoint/failpoint.h"
#include "controlplane/provisioning/reconciler.h"

#include <string.h>

static enum err set_removed(struct step *step, int64_t *ret_delay_ms, struct error *error)
{
    bool is_written = false;
    enum err rc = failpoint_pass(FAILPOINT_credential_before_removed, error);

    if (rc == ERR_OK)
        rc = provision_set_credential_removed(step->fleet, step->item->id, step->item->lease_epoch,
                                              &is_written, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_credential_after_removed, error);
    if (rc == ERR_OK)
        step_end_write(step, is_written, ret_delay_ms);
    return rc;
}

static enum err set_active(struct step *step, int64_t revision, int64_t *ret_delay_ms,
                           struct error *error)
{
    bool is_written = false;
    enum err rc = failpoint_pass(FAILPOINT_credential_before_active, error);

    if (rc == ERR_OK)
        rc = provision_set_credential_active(step->fleet, step->item->id, step->item->lease_epoch,
                                             revision, &is_written, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(FAILPOINT_credential_after_active, error);
    if (rc == ERR_OK)
        step_end_write(step, is_written, ret_delay_ms);
    return rc;
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
    enum err rc = failpoint_pass(is_wanted ? FAILPOINT_credential_before_publish
                                           : FAILPOINT_credential_before_unpublish,
                                 error);
    if (rc == ERR_OK)
        rc = is_wanted
                 ? cells_put_credential(step->cells, credential->cell_id, credential->revision,
                                        credential->credential, &version, error)
                 : cells_remove_credential(step->cells, credential->cell_id, credential->key_id,
                                           &version, error);
    if (rc == ERR_OK)
        rc = failpoint_pass(is_wanted ? FAILPOINT_credential_after_publish
                                      : FAILPOINT_credential_after_unpublish,
                            error);
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
    bool is_acknowledged = false, is_held = false;
    enum err rc = step_hold(step, &is_held, error);

    *ret_delay_ms = WORK_DONE_MS;
    if (rc == ERR_OK && is_held)
        rc =
            provision_read_credential(step->fleet, step->item->id, step->arena, &credential, error);
    if (rc != ERR_OK || !is_held || credential.phase == PROVISION_SETTLED)
        return rc;
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

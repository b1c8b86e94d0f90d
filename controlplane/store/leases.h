/* SPDX-License-Identifier: Apache-2.0 */
/* Who works on what (migrations/fleet/0005_leases.sql). A lease is named by its epoch, which grows with every claim; all
 * writes of a worker repeat it. db: a connection to the fleet database as millrace_provision. */
#ifndef CONTROLPLANE_STORE_LEASES_H
#define CONTROLPLANE_STORE_LEASES_H

#include "controlplane/store/db.h"

enum provision_kind { PROVISION_CELL, PROVISION_INSTANCE, PROVISION_CREDENTIAL };

typedef void (*provision_work_fn)(void *context, enum provision_kind kind, struct uuid id);
/* Every cell that is there, and every instance and credential that is not yet what it should be and that no other
 * replica holds. */
enum err lease_list_work(struct db *db, const char *owner, provision_work_fn each, void *context,
                         struct error *error) WARN_UNUSED;

/* *ret_epoch 0: another replica holds it, or there is nothing to do. */
enum err lease_claim(struct db *db, enum provision_kind kind, struct uuid id, const char *owner,
                     int64_t lease_ms, int64_t *ret_epoch, struct error *error) WARN_UNUSED;
/* Renews, and records the name of the step that begins now in an instance's operation; "" = only renews.
 * ERR_FENCED: another replica has claimed it since. */
enum err lease_enter(struct db *db, enum provision_kind kind, struct uuid id, int64_t epoch,
                     int64_t lease_ms, const char *step, struct error *error) WARN_UNUSED;
/* Lets go. ERR_FENCED: it was lost already. */
enum err lease_release(struct db *db, enum provision_kind kind, struct uuid id, int64_t epoch,
                       struct error *error) WARN_UNUSED;
/* Lets go of all that the owner holds: it stops. */
enum err lease_release_all(struct db *db, const char *owner, struct error *error) WARN_UNUSED;
/* What went wrong last, into the running operation of an instance. */
enum err lease_record_error(struct db *db, struct uuid instance_id, int64_t epoch, const char *text,
                            struct error *error) WARN_UNUSED;

#endif

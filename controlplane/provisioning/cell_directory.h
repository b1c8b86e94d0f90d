/* SPDX-License-Identifier: Apache-2.0 */
/* What lies on disk for a cell. Everything can be made again from the rows but the brokers' data.
 *
 *   <state_dir>/cells/<cell uuid>/store_password       0600, of the cell's database role
 *   <state_dir>/cells/<cell uuid>/<broker>/broker.conf
 *                                         tls.crt      leaf, then CA
 *                                         tls.key      0600
 *                                         data/        the broker's own
 *                                         supervisor.* broker.log   (dataplane/supervisor.h) */
#ifndef CONTROLPLANE_PROVISIONING_CELL_DIRECTORY_H
#define CONTROLPLANE_PROVISIONING_CELL_DIRECTORY_H

#include "common/base/uuid.h"
#include "common/crypto/secret.h"
#include "controlplane/provisioning/files.h"
#include "controlplane/provisioning/fleet_ca.h"
#include "controlplane/provisioning/provision_config.h"
#include "controlplane/store/provision_rows.h"

/* broker_id -1 = the cell's own directory. */
enum err cell_directory_path(const struct provision_config *config, struct uuid cell_id,
                             int64_t broker_id, char path[PATH_ROOM],
                             struct error *error) WARN_UNUSED;

/* The password of the cell's role: made once, by whoever comes first; all others read it. It is on disk before the role
 * has it, so a repetition sets the same one. */
bool cell_directory_has_password(const struct provision_config *config, struct uuid cell_id);
enum err cell_directory_keep_password(const struct provision_config *config, struct uuid cell_id,
                                      struct secret *ret_password, struct error *error) WARN_UNUSED;

/* The broker's certificate: made, and made anew when it is no longer fresh (fleet_ca.h). A broker that runs takes it
 * within a minute. */
bool cell_directory_has_fresh_certificate(const struct provision_config *config,
                                          const struct fleet_ca *ca, struct uuid cell_id,
                                          int64_t broker_id);
enum err cell_directory_keep_certificate(const struct provision_config *config,
                                         const struct fleet_ca *ca, struct uuid cell_id,
                                         const struct provision_cell *cell, int64_t broker_id,
                                         struct error *error) WARN_UNUSED;

/* Writes what broker `broker_id` needs to start, its certificate too. The cell must have its role and its ports. */
enum err cell_directory_prepare_broker(const struct provision_config *config,
                                       const struct fleet_ca *ca, struct uuid cell_id,
                                       const struct provision_cell *cell, int64_t broker_id,
                                       struct error *error) WARN_UNUSED;

/* All of the cell, data included. Brokers must have stopped. */
enum err cell_directory_remove(const struct provision_config *config, struct uuid cell_id,
                               struct error *error) WARN_UNUSED;

#endif

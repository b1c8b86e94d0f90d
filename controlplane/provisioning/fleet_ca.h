/* SPDX-License-Identifier: Apache-2.0 */
/* The one private CA of a fleet, for REST and Kafka: made by whoever needs it first, kept in two files. The key
 * is readable by its owner only and never leaves this machine. */
#ifndef CONTROLPLANE_PROVISIONING_FLEET_CA_H
#define CONTROLPLANE_PROVISIONING_FLEET_CA_H

#include "common/base/error.h"

#include <stdbool.h>

struct fleet_ca {
    char *certificate_pem;
    char *key_pem;
};

/* Loads the CA, makes it when there is none. Several processes may do so at once: they agree.
 * ERR_CORRUPT: one of the two files is gone; nothing is made anew, because clients trust the old one. */
enum err fleet_ca_open(const char *certificate_file, const char *key_file, struct fleet_ca *ret_ca,
                       struct error *error) WARN_UNUSED;
void fleet_ca_done(struct fleet_ca *ca);

/* Neither file of a server's certificate is missing, and it is not past two thirds of its days; or somebody else signed it,
 * who then sees to that. */
bool fleet_ca_is_leaf_fresh(const struct fleet_ca *ca, const char *certificate_file,
                            const char *key_file);
/* Writes a server certificate (leaf, then CA) and its key (mode 0600) unless they are fresh. names: NULL-terminated;
 * the loopback addresses and "localhost" are always in it. */
enum err fleet_ca_keep_leaf(const struct fleet_ca *ca, const char *common_name,
                            const char *const *names, const char *certificate_file,
                            const char *key_file, struct error *error) WARN_UNUSED;

#endif

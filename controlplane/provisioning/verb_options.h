/* SPDX-License-Identifier: Apache-2.0 */
/* What all verbs do with their arguments: `--help`, `--config FILE`, then `--name value`. */
#ifndef CONTROLPLANE_PROVISIONING_VERB_OPTIONS_H
#define CONTROLPLANE_PROVISIONING_VERB_OPTIONS_H

#include "common/config/option_table.h"

enum verb_start { VERB_GO_ON, VERB_HELPED, VERB_REFUSED };

/* On VERB_GO_ON config is filled (option_table_done later). Else everything has been said already. */
enum verb_start verb_options_load(const char *verb, const struct option *table, void *config,
                                  char *const *args) WARN_UNUSED;

#endif

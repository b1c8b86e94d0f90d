/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of millrace-controlplane that live in this folder. args: what follows the verb, NULL-terminated
 * ("--config FILE" and "--name value"). Each returns an exit status and has said on standard error what
 * went wrong and what to do. */
#ifndef CONTROLPLANE_PROVISIONING_VERBS_H
#define CONTROLPLANE_PROVISIONING_VERBS_H

int migrate_main(char *const *args);   /* makes databases, roles and schema; repeats nothing */
int provision_main(char *const *args); /* the reconciler; until SIGTERM or SIGINT */
int stop_cells_main(
    char *const *args); /* stops every broker of a state directory; same options as provision */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace-controlplane bootstrap`: what must exist before the first call. */
#ifndef CONTROLPLANE_BOOTSTRAP_H
#define CONTROLPLANE_BOOTSTRAP_H

/* args: what follows the verb, NULL-terminated. Returns an exit status. */
int bootstrap_main(char *const *args);

#endif

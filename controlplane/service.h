/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace-controlplane serve`: builds every part and hands each what it needs. */
#ifndef CONTROLPLANE_SERVICE_H
#define CONTROLPLANE_SERVICE_H

/* args: what follows the verb, NULL-terminated. Returns an exit status; runs until SIGTERM or SIGINT. */
int serve_main(char *const *args);

#endif

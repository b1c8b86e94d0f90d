/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that listens for what provision has observed and wakes the requests that wait for it. Lost wake-ups cost only
 * time: waiting requests look by themselves, too. */
#ifndef CONTROLPLANE_WATCH_H
#define CONTROLPLANE_WATCH_H

#include "controlplane/http/server.h"
#include "controlplane/store/db.h"

struct watch;

/* Both are borrowed until watch_stop. */
enum err watch_start(const struct db_config *config, struct http_server *server,
                     struct watch **ret_watch, struct error *error) WARN_UNUSED;
void watch_stop(struct watch *watch); /* takes NULL */

#endif

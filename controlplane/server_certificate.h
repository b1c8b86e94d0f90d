/* SPDX-License-Identifier: Apache-2.0 */
/* REST's certificate: a chain and its key from two PEM files, taken anew while we serve, so that nobody has to restart us.
 *
 * Looked at once a minute, and taken at once when somebody asks. What cannot be taken (one of the two was written and the other
 * not yet) is said, the old one serves, and a minute later it is tried again. Connections keep what they began with.
 * One thread, but for what says otherwise. */
#ifndef CONTROLPLANE_SERVER_CERTIFICATE_H
#define CONTROLPLANE_SERVER_CERTIFICATE_H

#include "common/base/error.h"
#include "common/port/file_stamp.h"

#include <stdatomic.h>
#include <stdint.h>

struct http_server;

struct server_certificate {
    const char *certificate_file, *key_file;  /* borrowed */
    struct file_stamp certificate_at, key_at; /* of what was taken */
    char *chain_pem, *key_pem;                /* owned; NULL = forgotten */
    _Atomic int64_t ends_s;                   /* seconds since 1970; any thread */
    int64_t warned_us; /* when it was last said that it ends soon; 0 = never */
};

/* ERR_NOT_FOUND, ERR_INVALID: there is no pair that fits. Call forget after either. */
enum err server_certificate_open(struct server_certificate *certificate,
                                 const char *certificate_file, const char *key_file,
                                 struct error *error) WARN_UNUSED;
/* Wipes the texts, once the server has them. May be called again. */
void server_certificate_forget(struct server_certificate *certificate);
/* Takes the files for the server if they are others, or if somebody says so. Says what it did. */
void server_certificate_look(struct server_certificate *certificate, struct http_server *server,
                             bool is_asked);
#endif

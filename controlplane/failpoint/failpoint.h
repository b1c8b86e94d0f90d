/* SPDX-License-Identifier: Apache-2.0 */
/* Named places where a test may stop the world: before and after every commit and side effect of an operation.
 *
 * They do nothing until failpoint_setup has named a file. Then each passage looks for that file; one line in it,
 * `name action nth`, says what happens at the nth passage of that name in this process:
 *
 *   kill     SIGKILL to this process        freeze   SIGSTOP; what comes after SIGCONT is a stale worker
 *   error    the caller gets ERR_UNAVAILABLE, as if the store had gone away
 *
 * Whoever acts removes the file first, so of several replicas exactly one acts, once. */
#ifndef CONTROLPLANE_FAILPOINT_FAILPOINT_H
#define CONTROLPLANE_FAILPOINT_FAILPOINT_H

#include "common/base/error.h"

/* The one list. serve_*: in serve, around a request's transaction; the rest in provision. */
#define FAILPOINT_LIST(X)                                                                          \
    X(serve_create_before_commit)                                                                  \
    X(serve_create_after_commit)                                                                   \
    X(serve_create_before_answer)                                                                  \
    X(serve_update_before_commit)                                                                  \
    X(serve_update_after_commit)                                                                   \
    X(serve_update_before_answer)                                                                  \
    X(serve_delete_before_commit)                                                                  \
    X(serve_delete_after_commit)                                                                   \
    X(serve_delete_before_answer)                                                                  \
    X(serve_key_create_before_commit)                                                              \
    X(serve_key_create_after_commit)                                                               \
    X(serve_key_create_before_answer)                                                              \
    X(serve_key_delete_before_commit)                                                              \
    X(serve_key_delete_after_commit)                                                               \
    X(serve_key_delete_before_answer)                                                              \
    X(instance_claimed)                                                                            \
    X(instance_before_place)                                                                       \
    X(instance_after_place)                                                                        \
    X(instance_before_publish)                                                                     \
    X(instance_after_publish)                                                                      \
    X(instance_before_ready)                                                                       \
    X(instance_after_ready)                                                                        \
    X(instance_before_unpublish)                                                                   \
    X(instance_after_unpublish)                                                                    \
    X(instance_after_cell_unwanted)                                                                \
    X(instance_before_removed)                                                                     \
    X(instance_after_removed)                                                                      \
    X(credential_claimed)                                                                          \
    X(credential_before_publish)                                                                   \
    X(credential_after_publish)                                                                    \
    X(credential_before_active)                                                                    \
    X(credential_after_active)                                                                     \
    X(credential_before_unpublish)                                                                 \
    X(credential_after_unpublish)                                                                  \
    X(credential_before_removed)                                                                   \
    X(credential_after_removed)                                                                    \
    X(cell_claimed)                                                                                \
    X(cell_before_port)                                                                            \
    X(cell_after_port)                                                                             \
    X(cell_before_password)                                                                        \
    X(cell_after_password)                                                                         \
    X(cell_after_role)                                                                             \
    X(cell_after_made)                                                                             \
    X(cell_before_files)                                                                           \
    X(cell_after_files)                                                                            \
    X(cell_after_listener)                                                                         \
    X(cell_after_start)                                                                            \
    X(cell_before_stop)                                                                            \
    X(cell_after_stop)                                                                             \
    X(cell_before_directory_removed)                                                               \
    X(cell_after_directory_removed)                                                                \
    X(cell_after_dropped)                                                                          \
    X(cell_after_removed)

enum failpoint {
#define FAILPOINT_ENUM(name) FAILPOINT_##name,
    FAILPOINT_LIST(FAILPOINT_ENUM)
#undef FAILPOINT_ENUM
        FAILPOINT_COUNT
};

/* file is borrowed for good; "" = no failpoints. Before any thread is started. */
void failpoint_setup(const char *file);
/* Passes the place. ERR_UNAVAILABLE when a test wants an error here. Any thread. */
enum err failpoint_pass(enum failpoint failpoint, struct error *error) WARN_UNUSED;
const char *failpoint_name(enum failpoint failpoint);

#endif

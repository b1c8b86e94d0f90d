/* SPDX-License-Identifier: Apache-2.0 */
/* The executor of real life: one libuv loop a thread, and worker threads beside them.
 *
 * uv_executor_new makes loops and workers; nothing runs yet. uv_executor_run runs loop 0 on the calling
 * thread and the others on threads of their own, until uv_executor_stop; then every loop is drained and
 * closed, and run returns. */
#ifndef DATAPLANE_UV_UV_EXECUTOR_H
#define DATAPLANE_UV_UV_EXECUTOR_H

#include "common/base/error.h"
#include "common/port/executor.h"

struct uv_executor;

struct uv_executor_options {
    int loop_count;
    int read_workers;
    int check_workers;
    int write_workers;
    int slow_workers;
};

enum err uv_executor_new(const struct uv_executor_options *options,
                         struct uv_executor **ret_executor, struct error *error) WARN_UNUSED;
struct executor *uv_executor_base(struct uv_executor *executor);
/* Called on loop 0 for SIGTERM, SIGINT and SIGHUP, from run on. */
void uv_executor_on_signal(struct uv_executor *executor,
                           void (*on_signal)(void *context, int number), void *context);
void uv_executor_run(struct uv_executor *executor);
/* Loop 0. Everything that lives on loops must have been closed before. */
void uv_executor_stop(struct uv_executor *executor);
void uv_executor_free(struct uv_executor *executor);

#endif

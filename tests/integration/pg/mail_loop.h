/* SPDX-License-Identifier: Apache-2.0 */
/* A loop that only takes mail: posted from any thread, delivered when the test looks. */
#ifndef TESTS_INTEGRATION_PG_MAIL_LOOP_H
#define TESTS_INTEGRATION_PG_MAIL_LOOP_H

#include "common/port/executor.h"

struct loop *mail_loop_new(void);
void mail_loop_free(struct loop *loop);
/* Delivers until is_met says so; false = not within timeout_ms. */
bool mail_loop_run_until(struct loop *loop, bool (*is_met)(void *context), void *context,
                         int64_t timeout_ms);
/* Delivers what comes within that time. */
void mail_loop_run_for(struct loop *loop, int64_t duration_ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* One line per sentence of the scenario; the first failure ends the program with status 1, without
 * clean-up: the process ends, and the runner deletes the instance. */
#ifndef TESTS_CLIENTS_LIBRDKAFKA_CHECK_H
#define TESTS_CLIENTS_LIBRDKAFKA_CHECK_H

#include <stdbool.h>
#include <stdint.h>

enum { PATIENCE_MS = 45000 };

void begin(const char *sentence);
void done(void);

__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);

void expect_number(int64_t actual, int64_t wanted, const char *what);

/* Monotonic; fails when PATIENCE_MS have passed since start_ms. */
int64_t now_ms(void);
void expect_in_time(int64_t start_ms, const char *what);

const char *environment(const char *name);

#endif

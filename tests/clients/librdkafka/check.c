/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/clients/librdkafka/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *current = "start";

void begin(const char *sentence)
{
    current = sentence;
}

void done(void)
{
    printf("ok %s\n", current);
    fflush(stdout);
}

void fail(const char *format, ...)
{
    va_list values;

    printf("FAILED %s: ", current);
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    printf("\n");
    exit(1);
}

void expect_number(int64_t actual, int64_t wanted, const char *what)
{
    if (actual != wanted)
        fail("%s: %" PRId64 ", not %" PRId64, what, actual, wanted);
}

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void expect_in_time(int64_t start_ms, const char *what)
{
    if (now_ms() - start_ms > PATIENCE_MS)
        fail("%s: not within %d ms", what, PATIENCE_MS);
}

const char *environment(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL)
        fail("%s is not set; start me with tests/clients/run", name);
    return value;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The rigs of unit tests assert with Check, which wants a test runner around it. Here a failed assertion is an
 * invariant broken: the two functions behind ck_assert, in place of Check's. */
#include <stdio.h>
#include <stdlib.h>

void _mark_point(const char *file, int line);
void _ck_assert_failed(const char *file, int line, const char *expression, const char *message,
                       ...);

void _mark_point(const char *file, int line)
{
    (void)file;
    (void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expression, const char *message, ...)
{
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, expression, message != NULL ? message : "");
    abort();
}

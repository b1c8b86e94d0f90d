/* SPDX-License-Identifier: Apache-2.0 */
/* Every unit test program defines this; tests/support/check_main.c runs it. */
#ifndef TESTS_SUPPORT_CHECK_MAIN_H
#define TESTS_SUPPORT_CHECK_MAIN_H

#include <check.h>

Suite *test_suite(void);

#endif

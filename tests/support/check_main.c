/* SPDX-License-Identifier: Apache-2.0 */
/* main() of every Check program. Under sanitizers tests run in one process, so that leaks are seen.
 */
#include "tests/support/check_main.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = NULL;
    int failed = 0;

    /* Hangs end the program, slow machines must not: Check's own four seconds are too few. */
    setenv("CK_DEFAULT_TIMEOUT", "120", 0);
    runner = srunner_create(test_suite());

#ifdef MILLRACE_SANITIZED
    srunner_set_fork_status(runner, CK_NOFORK);
#endif
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

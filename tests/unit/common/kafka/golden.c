/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/common/kafka/golden.h"

const struct golden_file golden_files[] = {
    {GOLDEN_DIRECTORY "/connection.txt", golden_connection},
    {GOLDEN_DIRECTORY "/log.txt", golden_log},
    {GOLDEN_DIRECTORY "/group.txt", golden_group},
    {GOLDEN_DIRECTORY "/admin.txt", golden_admin},
    {GOLDEN_DIRECTORY "/example.txt", golden_example},
};

const size_t golden_file_count = sizeof(golden_files) / sizeof(golden_files[0]);

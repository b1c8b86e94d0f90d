/* SPDX-License-Identifier: Apache-2.0 */
/* Reads golden/<file>.txt; golden/README.md has the notation. */
#ifndef TESTS_UNIT_COMMON_KAFKA_GOLDEN_TEXT_H
#define TESTS_UNIT_COMMON_KAFKA_GOLDEN_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct golden_entry {
    char section[64];
    int lowest_version;
    int highest_version;
    uint8_t bytes[512];
    size_t len;
};

/* The number of entries; a line that is not in the notation ends the program. */
size_t golden_text_load(const char *path, struct golden_entry *entries, size_t capacity);

#endif

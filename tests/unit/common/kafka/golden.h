/* SPDX-License-Identifier: Apache-2.0 */
/* The golden files and the values behind them. Each field has a value of its own, so that two fields in the
 * wrong order cannot look right. */
#ifndef TESTS_UNIT_COMMON_KAFKA_GOLDEN_H
#define TESTS_UNIT_COMMON_KAFKA_GOLDEN_H

#include "common/kafka/kafka_messages.h"

struct golden_value {
    const char *section; /* "ProduceRequest" or "ProduceRequest/plain" */
    const void *value;   /* a struct kafka_produce_request */
};

/* For static initializers, where a compound literal may not stand. */
/* clang-format off */
#define TEXT(text) {(const uint8_t *)(text), sizeof(text) - 1}
#define ITEMS(array) {(array), (int32_t)(sizeof(array) / sizeof((array)[0]))}
#define U1 {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}
#define U2 {{16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31}}
/* clang-format on */

/* One file and its values; the last has a NULL section. */
struct golden_file {
    const char *path;
    const struct golden_value *values;
};

extern const struct golden_file golden_files[];
extern const size_t golden_file_count;

/* Entries that a file has at most. */
#define GOLDEN_ENTRIES_MAX 256

extern const struct golden_value golden_connection[];
extern const struct golden_value golden_log[];
extern const struct golden_value golden_group[];
extern const struct golden_value golden_admin[];
extern const struct golden_value golden_example[];

#endif

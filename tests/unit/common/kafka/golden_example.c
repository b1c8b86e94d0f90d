/* SPDX-License-Identifier: Apache-2.0 */
/* Values of golden/example.txt. */
#include "tests/unit/common/kafka/golden.h"

#include "common/kafka/example.h"

static struct slice names[] = {TEXT("one")};
static struct kafka_example_point corner = {3, 4};
static struct kafka_example_point path[] = {{1, 10}, {2, 11}};
static const struct kafka_example example = {
    .flag = false,
    .tiny = 5,
    .port = 65535,
    .ratio = 0.5,
    .big = 9,
    .old = TEXT("old"),
    .blob = TEXT("BLOB"),
    .corner = &corner,
    .path = ITEMS(path),
    .note = TEXT("n"),
    .origin = {.id = U1, .at = {5, 6}, .names = ITEMS(names)},
    .least = 1,
};
static const struct kafka_example example_defaults = {
    .flag = true,
    .tiny = -3,
    .big = -INT64_MAX,
    .old = TEXT(""),
    .blob = TEXT(""),
    .path = {NULL, -1},
    .note = TEXT(""),
    .origin = {.at = {0, 7}},
    .least = INT32_MIN,
};

const struct golden_value golden_example[] = {
    {"Example", &example},
    {"Example/defaults", &example_defaults},
    {NULL, NULL},
};

/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of versions, as schemas write them: "3", "3-7", "3+", "none". */
#ifndef COMMON_KAFKA_CODEGEN_VERSIONS_H
#define COMMON_KAFKA_CODEGEN_VERSIONS_H

#include <stdbool.h>

#define VERSION_MAX 32767

struct versions {
    int lowest;
    int highest; /* below lowest: none */
};

#define VERSIONS_NONE ((struct versions){0, -1})

/* False when the text is not a range. */
bool versions_parse(const char *text, struct versions *ret);
bool versions_is_empty(struct versions versions);
bool versions_contain(struct versions versions, int version);
/* Is every version of inner in outer? */
bool versions_cover(struct versions outer, struct versions inner);
struct versions versions_intersect(struct versions a, struct versions b);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/codegen/versions.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool parse_number(const char **at, int *ret)
{
    char *end = NULL;
    long number = 0;

    if (!isdigit((unsigned char)**at))
        return false;
    number = strtol(*at, &end, 10);
    if (number > VERSION_MAX)
        return false;
    *at = end;
    *ret = (int)number;
    return true;
}

bool versions_parse(const char *text, struct versions *ret)
{
    const char *at = text;
    struct versions range = VERSIONS_NONE;

    if (strcmp(text, "none") == 0) {
        *ret = range;
        return true;
    }
    if (!parse_number(&at, &range.lowest))
        return false;
    range.highest = range.lowest;
    if (*at == '+') {
        range.highest = VERSION_MAX;
        at++;
    } else if (*at == '-') {
        at++;
        if (!parse_number(&at, &range.highest))
            return false;
    }
    if (*at != '\0' || range.highest < range.lowest)
        return false;
    *ret = range;
    return true;
}

bool versions_is_empty(struct versions versions)
{
    return versions.highest < versions.lowest;
}

bool versions_contain(struct versions versions, int version)
{
    return version >= versions.lowest && version <= versions.highest;
}

bool versions_cover(struct versions outer, struct versions inner)
{
    return versions_is_empty(inner) ||
           (outer.lowest <= inner.lowest && outer.highest >= inner.highest);
}

struct versions versions_intersect(struct versions a, struct versions b)
{
    struct versions both = {a.lowest > b.lowest ? a.lowest : b.lowest,
                            a.highest < b.highest ? a.highest : b.highest};

    return versions_is_empty(both) ? VERSIONS_NONE : both;
}

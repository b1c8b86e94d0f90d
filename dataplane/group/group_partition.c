/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/group/group_partition.h"

/* Java's String.hashCode over one more UTF-16 unit. */
static uint32_t hash_unit(uint32_t hash, uint32_t unit)
{
    return hash * 31 + unit;
}

/* One code point; bytes that are not UTF-8 count as U+FFFD each, as Java decodes them. */
static uint32_t next_code_point(struct slice text, size_t *at)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = text.data[(*at)++];
    size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    uint32_t point = first & (0x3fu >> more);

    if (first < 0x80)
        return first;
    if (first < 0xc2 || first > 0xf4 || text.len - *at < more)
        return 0xfffd;
    for (size_t i = 0; i < more; i++) {
        uint8_t byte = text.data[*at + i];

        if ((byte & 0xc0) != 0x80)
            return 0xfffd;
        point = (point << 6) | (byte & 0x3fu);
    }
    if (point < smallest[more + 1] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return 0xfffd;
    *at += more;
    return point;
}

int32_t group_partition_for(struct slice id, int32_t partition_count)
{
    uint32_t hash = 0;
    uint32_t positive = 0;

    for (size_t at = 0; at < id.len;) {
        uint32_t point = next_code_point(id, &at);

        if (point >= 0x10000) {
            point -= 0x10000;
            hash = hash_unit(hash, 0xd800 + (point >> 10));
            point = 0xdc00 + (point & 0x3ff);
        }
        hash = hash_unit(hash, point);
    }
    /* Kafka's abs: the smallest number, which has no positive twin, becomes 0. */
    positive = hash & 0x80000000u ? 0u - hash : hash;
    if (hash == 0x80000000u)
        positive = 0;
    return (int32_t)(positive % (uint32_t)partition_count);
}

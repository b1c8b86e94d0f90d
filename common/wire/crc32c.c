/* SPDX-License-Identifier: Apache-2.0 */
/* ISA-L's crc32_iscsi is the raw register: we complement before and after, as the standard says. */
#include "common/wire/crc32c.h"

#include <stdbool.h>
#include <threads.h>

#ifdef MILLRACE_ISAL
#include <isa-l/crc.h>
#endif

static uint32_t table[256];
static once_flag table_once = ONCE_FLAG_INIT;

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0);
        table[i] = crc;
    }
}

uint32_t crc32c_portable_extend(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *at = data;

    call_once(&table_once, make_table);
    crc = ~crc;
    for (size_t i = 0; i < len; i++)
        crc = table[(crc ^ at[i]) & 255] ^ (crc >> 8);
    return ~crc;
}

#ifdef MILLRACE_ISAL
uint32_t crc32c_extend(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *at = data;
    const size_t step = 1 << 30; /* the library takes an int */

    crc = ~crc;
    while (len > 0) {
        size_t part = len < step ? len : step;

        /* The library's prototype lacks const; it only reads. */
        union {
            const uint8_t *in;
            unsigned char *out;
        } unconst = {.in = at};

        crc = crc32_iscsi(unconst.out, (int)part, crc);
        at += part;
        len -= part;
    }
    return ~crc;
}
#else
uint32_t crc32c_extend(uint32_t crc, const void *data, size_t len)
{
    return crc32c_portable_extend(crc, data, len);
}
#endif

uint32_t crc32c(const void *data, size_t len)
{
    return crc32c_extend(0, data, len);
}

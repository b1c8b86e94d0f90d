/* SPDX-License-Identifier: Apache-2.0 */
/* One hexadecimal digit, either case. */
#ifndef COMMON_BASE_HEX_H
#define COMMON_BASE_HEX_H

#include <stdint.h>

/* 0 … 15; -1 = no digit. */
static inline int hex_digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli): ISA-L where it exists, a portable table elsewhere; both agree (unit test).
 */
#ifndef COMMON_WIRE_CRC32C_H
#define COMMON_WIRE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Check value: "123456789" gives 0xE3069283. crc32c(a+b) == crc32c_extend(crc32c(a), b). */
uint32_t crc32c(const void *data, size_t len);
uint32_t crc32c_extend(uint32_t crc, const void *data, size_t len);
/* The fallback, exported so that a test can compare. */
uint32_t crc32c_portable_extend(uint32_t crc, const void *data, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds-checked reading of bytes from outside. The first failure sticks: later reads return zero
 * and change nothing, so a parser reads on and asks `err` once at the end. Big-endian. */
#ifndef COMMON_WIRE_READER_H
#define COMMON_WIRE_READER_H

#include "common/base/error.h"
#include "common/base/slice.h"

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    enum err err; /* ERR_OK, ERR_TRUNCATED or ERR_INVALID */
};

void reader_init(struct reader *reader, struct slice bytes);
size_t reader_left(const struct reader *reader);
/* Keeps the first failure. */
void reader_fail(struct reader *reader, enum err err);

bool reader_bool(struct reader *reader);
int8_t reader_i8(struct reader *reader);
int16_t reader_i16(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
int32_t reader_i32(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
int64_t reader_i64(struct reader *reader);
double reader_f64(struct reader *reader);
/* 7-bit groups, low first; 5 bytes at most (10 for the 64-bit one), overlong top bits refused. */
uint32_t reader_uvarint(struct reader *reader);
int32_t reader_varint(struct reader *reader);  /* zig-zag */
int64_t reader_varlong(struct reader *reader); /* zig-zag */
/* Borrowed view of the next len bytes; SLICE_NULL on failure. */
struct slice reader_bytes(struct reader *reader, size_t len);
void reader_skip(struct reader *reader, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Writing into a capped buffer with a sticky error; the mirror of reader. Big-endian. */
#ifndef COMMON_WIRE_WRITER_H
#define COMMON_WIRE_WRITER_H

#include "common/base/buffer.h"

struct writer {
    struct buffer *buffer; /* borrowed */
    enum err err;          /* ERR_OK, ERR_TOO_LARGE, ERR_NO_MEMORY or ERR_INVALID */
};

void writer_init(struct writer *writer, struct buffer *buffer);
void writer_fail(struct writer *writer, enum err err);

void writer_bool(struct writer *writer, bool value);
void writer_i8(struct writer *writer, int8_t value);
void writer_i16(struct writer *writer, int16_t value);
void writer_u16(struct writer *writer, uint16_t value);
void writer_i32(struct writer *writer, int32_t value);
void writer_u32(struct writer *writer, uint32_t value);
void writer_i64(struct writer *writer, int64_t value);
void writer_f64(struct writer *writer, double value);
void writer_uvarint(struct writer *writer, uint32_t value);
void writer_varint(struct writer *writer, int32_t value);
void writer_varlong(struct writer *writer, int64_t value);
void writer_bytes(struct writer *writer, const void *data, size_t len);
void writer_slice(struct writer *writer, struct slice bytes);

/* Where the next byte will go, and overwriting an i32 written before (frame lengths). */
size_t writer_position(const struct writer *writer);
void writer_patch_i32(struct writer *writer, size_t position, int32_t value);

size_t uvarint_size(uint32_t value);

#endif

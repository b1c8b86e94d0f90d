/* SPDX-License-Identifier: Apache-2.0 */
/* What the generated codecs are made of: Kafka's strings, arrays and tagged fields.
 *
 * Message code is generated (codegen/README.md has the names and rules); this is the part that is
 * written once. Flexible versions have compact lengths (unsigned varint of n + 1, 0 is null), the
 * older ones fixed lengths (-1 is null). Failures stick to the reader or writer. */
#ifndef COMMON_KAFKA_KAFKA_WIRE_H
#define COMMON_KAFKA_KAFKA_WIRE_H

#include "common/base/arena.h"
#include "common/base/uuid.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

/* Arena bytes that one byte of a frame can cost at most, apart from 16 bytes of alignment an array.
 * The worst types are short structs of strings, empty on the wire. Asserted for each type. */
#define KAFKA_READ_AMPLIFICATION 24

struct kafka_i32_array {
    int32_t *items;
    int32_t count; /* -1 is null */
};

struct kafka_string_array {
    struct slice *items;
    int32_t count; /* -1 is null */
};

/* count zeros; count empty strings. ERR_NO_MEMORY, ERR_INVALID (count < 0). */
enum err kafka_i32_array_init(struct kafka_i32_array *array, struct arena *arena,
                              int32_t count) WARN_UNUSED;
enum err kafka_string_array_init(struct kafka_string_array *array, struct arena *arena,
                                 int32_t count) WARN_UNUSED;

/* One place where bytes are to be put into a written buffer. */
struct kafka_cut {
    size_t position;    /* in the buffer: the bytes go before what is there */
    struct slice bytes; /* borrowed from the message */
};

/* Where write_cut notes the cuts, in order of position. The caller sets items, capacity and
 * min_bytes and zeroes the rest. Shorter slices, and all once the list is full, are copied. */
struct kafka_cut_list {
    struct kafka_cut *items;
    size_t capacity;
    size_t count;
    size_t min_bytes;   /* shorter ones are cheaper to copy than to cut */
    size_t total_bytes; /* of all cuts: what the buffer is short of */
};

/* For generated code. */

struct slice kafka_read_string(struct reader *reader, bool flexible, bool nullable);
struct slice kafka_read_bytes(struct reader *reader, bool flexible, bool nullable);
struct uuid kafka_read_uuid(struct reader *reader);
/* The count, and zeroed room for so many elements; NULL when there are none or on failure. */
void *kafka_read_array(struct reader *reader, struct arena *arena, bool flexible, bool nullable,
                       size_t min_element_bytes, size_t element_size, int32_t *ret_count);
struct kafka_i32_array kafka_read_i32_array(struct reader *reader, struct arena *arena,
                                            bool flexible, bool nullable);
struct kafka_string_array kafka_read_string_array(struct reader *reader, struct arena *arena,
                                                  bool flexible, bool nullable);
/* A nullable struct begins with 1, a null one is -1. */
bool kafka_read_is_present(struct reader *reader);

struct kafka_tags {
    uint32_t left;       /* not yet read */
    int64_t last;        /* tag before; they ascend */
    uint32_t tag;        /* the one at hand */
    struct reader value; /* its bytes, exactly */
};

struct kafka_tags kafka_read_tags(struct reader *reader);
/* Moves to the next tag: false at the end or on failure. */
bool kafka_tags_next(struct kafka_tags *tags, struct reader *reader);
/* After a known tag was read from tags->value: it must be used up. */
void kafka_tags_read_done(struct kafka_tags *tags, struct reader *reader);
/* Skips all: for structs without tags that we know. */
void kafka_skip_tags(struct reader *reader);

void kafka_write_string(struct writer *writer, bool flexible, bool nullable, struct slice string);
void kafka_write_bytes(struct writer *writer, bool flexible, bool nullable, struct slice bytes);
/* The length, then either the bytes or a cut. cuts may be NULL. */
void kafka_write_bytes_cut(struct writer *writer, bool flexible, bool nullable, struct slice bytes,
                           struct kafka_cut_list *cuts);
void kafka_write_uuid(struct writer *writer, struct uuid uuid);
void kafka_write_array_count(struct writer *writer, bool flexible, bool nullable, int32_t count);
void kafka_write_i32_array(struct writer *writer, bool flexible, bool nullable,
                           const struct kafka_i32_array *array);
void kafka_write_string_array(struct writer *writer, bool flexible, bool nullable,
                              const struct kafka_string_array *array);
void kafka_write_is_present(struct writer *writer, bool present);
/* The tag; then the caller writes the value; then end puts the size before it. */
size_t kafka_write_tag_begin(struct writer *writer, uint32_t tag);
void kafka_write_tag_end(struct writer *writer, size_t value_position);

#endif

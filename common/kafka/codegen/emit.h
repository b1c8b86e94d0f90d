/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the generated files, each written by its own emitter, and what they share. */
#ifndef COMMON_KAFKA_CODEGEN_EMIT_H
#define COMMON_KAFKA_CODEGEN_EMIT_H

#include "common/kafka/codegen/schema.h"

#include <stdio.h>

/* Where an emitter is: the file it writes and what it writes about. */
struct emit {
    FILE *out;
    struct pool *pool;
    const struct message *message;
};

/* <message>.h: structs and declarations. */
void emit_header(const struct emit *emit);
/* <message>.c: its parts. */
void emit_defaults(const struct emit *emit);
void emit_read(const struct emit *emit);
void emit_write(const struct emit *emit);
/* From all messages. */
void emit_api_list(FILE *out, struct message *const *messages, size_t count);
void emit_umbrella(FILE *out, struct message *const *messages, size_t count);
void emit_fill(FILE *out, struct pool *pool, struct message *const *messages, size_t count);

/* Shared. */

/* "version >= 3 && version <= 7": is the version in range, known to be in context? NULL: always. */
const char *emit_condition(const struct emit *emit, struct versions range, struct versions context);
/* The same as a value: "true", "false" or the condition. */
const char *emit_condition_value(const struct emit *emit, struct versions range,
                                 struct versions context);
/* "true", "false", or "flexible" for structs that are both. */
const char *emit_flexible(const struct emit *emit, const struct struct_type *type);
/* `const bool flexible = …;` where emit_flexible says so. */
void emit_flexible_variable(const struct emit *emit, const struct struct_type *type);
/* Does the code for the type look at the version? Does reading it take memory? */
bool emit_needs_version(const struct emit *emit, const struct struct_type *type);
bool emit_needs_arena(const struct struct_type *type);
bool emit_has_tags(const struct struct_type *type);
/* "int32_t", "struct slice", "struct kafka_x_y" …, of one value or of the array. */
const char *emit_c_type(const struct emit *emit, const struct field *field);

#endif

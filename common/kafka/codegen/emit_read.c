/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: a static function a type, then the public one that checks the version.
 *
 * Failures stick to the reader, so the generated code has no branches for them but in loops. */
#include "common/kafka/codegen/emit.h"

static const char *reader_call(const struct field *field)
{
    switch (field->kind) {
    case FIELD_BOOL:
        return "reader_bool";
    case FIELD_INT8:
        return "reader_i8";
    case FIELD_INT16:
        return "reader_i16";
    case FIELD_UINT16:
        return "reader_u16";
    case FIELD_INT32:
        return "reader_i32";
    case FIELD_INT64:
        return "reader_i64";
    case FIELD_FLOAT64:
        return "reader_f64";
    case FIELD_UUID:
        return "kafka_read_uuid";
    case FIELD_STRING:
        return "kafka_read_string";
    case FIELD_BYTES:
        return "kafka_read_bytes";
    case FIELD_STRUCT:
        break;
    }
    return "";
}

/* `read_topic(reader, version, arena, &out->topic);` with the arguments that the type needs. */
static void emit_call(const struct emit *emit, const struct struct_type *type, const char *reader,
                      const char *target)
{
    fprintf(emit->out, "read_%s(%s, %s%s%s);\n", type->snake, reader,
            emit_needs_version(emit, type) ? "version, " : "",
            emit_needs_arena(type) ? "arena, " : "", target);
}

static void emit_struct_array(const struct emit *emit, const struct field *field,
                              const char *indent, const char *reader, const char *flags)
{
    fprintf(emit->out,
            "%sout->%s.items = kafka_read_array(%s, arena, %s, %zu,\n"
            "%s        sizeof(*out->%s.items), &out->%s.count);\n"
            "%sfor (int32_t i = 0; i < out->%s.count && %serr == ERR_OK; i++)\n%s    ",
            indent, field->snake, reader, flags, struct_min_bytes(emit->message, field->type),
            indent, field->snake, field->snake, indent, field->snake,
            reader[0] == '&' ? "tags.value." : "reader->", indent);
    emit_call(emit, field->type, reader,
              pool_printf(emit->pool, "&out->%s.items[i]", field->snake));
}

static void emit_nullable_struct(const struct emit *emit, const struct field *field,
                                 const char *indent, const char *reader)
{
    fprintf(emit->out,
            "%sif (kafka_read_is_present(%s)) {\n"
            "%s    out->%s = arena_new(arena, struct %s);\n"
            "%s    if (out->%s == NULL)\n"
            "%s        reader_fail(%s, ERR_NO_MEMORY);\n"
            "%s    else\n"
            "%s        ",
            indent, reader, indent, field->snake, field->type->c_name, indent, field->snake, indent,
            reader, indent, indent);
    emit_call(emit, field->type, reader, pool_printf(emit->pool, "out->%s", field->snake));
    fprintf(emit->out, "%s}\n", indent);
}

/* One value, whatever its type, in a place where it is known to be there. */
static void emit_value(const struct emit *emit, const struct struct_type *type,
                       const struct field *field, const char *indent, const char *reader)
{
    const char *flags = pool_printf(emit->pool, "%s, %s",
                                    field->is_never_flexible ? "false" : emit_flexible(emit, type),
                                    emit_condition_value(emit, field->nullable, field->versions));

    if (field->is_array && field->kind == FIELD_STRUCT) {
        emit_struct_array(emit, field, indent, reader, flags);
        return;
    }
    if (field->is_array) {
        fprintf(emit->out, "%sout->%s = kafka_read_%s_array(%s, arena, %s);\n", indent,
                field->snake, field->kind == FIELD_INT32 ? "i32" : "string", reader, flags);
        return;
    }
    if (field->kind == FIELD_STRUCT && !versions_is_empty(field->nullable)) {
        emit_nullable_struct(emit, field, indent, reader);
        return;
    }
    if (field->kind == FIELD_STRUCT) {
        fprintf(emit->out, "%s", indent);
        emit_call(emit, field->type, reader, pool_printf(emit->pool, "&out->%s", field->snake));
        return;
    }
    if (field->kind == FIELD_STRING || field->kind == FIELD_BYTES)
        fprintf(emit->out, "%sout->%s = %s(%s, %s);\n", indent, field->snake, reader_call(field),
                reader, flags);
    else
        fprintf(emit->out, "%sout->%s = %s(%s);\n", indent, field->snake, reader_call(field),
                reader);
}

static void emit_plain_field(const struct emit *emit, const struct struct_type *type,
                             const struct field *field)
{
    const char *condition = emit_condition(emit, field->versions, type->versions);

    if (condition == NULL) {
        emit_value(emit, type, field, "    ", "reader");
        return;
    }
    fprintf(emit->out, "    if (%s) {\n", condition);
    emit_value(emit, type, field, "        ", "reader");
    fprintf(emit->out, "    }\n");
}

static void emit_known_tags(const struct emit *emit, const struct struct_type *type,
                            const char *indent)
{
    const char *inner = pool_printf(emit->pool, "%s        ", indent);

    fprintf(emit->out,
            "%sstruct kafka_tags tags = kafka_read_tags(reader);\n\n"
            "%swhile (kafka_tags_next(&tags, reader)) {\n",
            indent, indent);
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];

        if (!field->is_tagged)
            continue;
        const char *condition = emit_condition(emit, field->versions, type->versions);
        fprintf(emit->out, "%s    if (tags.tag == %u%s%s) {\n", indent, field->tag,
                condition != NULL ? " && " : "", condition != NULL ? condition : "");
        emit_value(emit, type, field, inner, "&tags.value");
        fprintf(emit->out, "%s        kafka_tags_read_done(&tags, reader);\n%s    }\n", indent,
                indent);
    }
    fprintf(emit->out, "%s}\n", indent);
}

static void emit_tags(const struct emit *emit, const struct struct_type *type)
{
    const char *flexible = emit_flexible(emit, type);
    const bool always = flexible[0] == 't';

    if (flexible[0] == 'f' && flexible[1] == 'a')
        return;
    if (!emit_has_tags(type)) {
        fprintf(emit->out, "%s    kafka_skip_tags(reader);\n",
                always ? "" : "    if (flexible)\n    ");
        return;
    }
    fprintf(emit->out, always ? "\n    {\n" : "    if (flexible) {\n");
    emit_known_tags(emit, type, "        ");
    fprintf(emit->out, "    }\n");
}

static void emit_function(const struct emit *emit, const struct struct_type *type)
{
    fprintf(emit->out, "static void read_%s(struct reader *reader, %s%sstruct %s *out)\n{\n",
            type->snake, emit_needs_version(emit, type) ? "int16_t version, " : "",
            emit_needs_arena(type) ? "struct arena *arena, " : "", type->c_name);
    emit_flexible_variable(emit, type);
    fprintf(emit->out, "    %s_init_defaults(out);\n", type->c_name);
    for (size_t i = 0; i < type->field_count; i++)
        if (!type->fields[i].is_tagged)
            emit_plain_field(emit, type, &type->fields[i]);
    emit_tags(emit, type);
    fprintf(emit->out, "}\n\n");
}

/* What one byte of a frame can cost, promised in kafka_wire.h. */
static void emit_amplification_check(const struct emit *emit, const struct struct_type *type)
{
    fprintf(emit->out,
            "_Static_assert(sizeof(struct %s) <= %zu * (size_t)KAFKA_READ_AMPLIFICATION,\n"
            "               \"a frame full of these costs too much memory\");\n\n",
            type->c_name, struct_min_bytes(emit->message, type));
}

static void emit_prefixed(const struct emit *emit)
{
    const struct message *message = emit->message;
    const char *name = message_body(message)->c_name;

    if (!message->has_version_prefix)
        return;
    fprintf(emit->out,
            "enum err %s_read_prefixed(struct reader *reader, struct arena *arena,\n"
            "        struct %s *out)\n"
            "{\n"
            "    int16_t version = reader_i16(reader);\n"
            "\n"
            "    if (reader->err != ERR_OK)\n"
            "        return reader->err;\n",
            name, name);
    if (message->kind == MESSAGE_DATA)
        fprintf(emit->out, "    if (version > %d)\n        version = %d;\n", message->valid.highest,
                message->valid.highest);
    fprintf(emit->out, "    return %s_read(reader, version, arena, out);\n}\n\n", name);
}

void emit_read(const struct emit *emit)
{
    const struct message *message = emit->message;
    const struct struct_type *body = message_body(message);

    for (size_t i = 0; i < message->struct_count; i++) {
        if (message->structs[i]->is_array_element)
            emit_amplification_check(emit, message->structs[i]);
        emit_function(emit, message->structs[i]);
    }
    fprintf(emit->out,
            "enum err %s_read(struct reader *reader, int16_t version, struct arena *arena,\n"
            "        struct %s *out)\n"
            "{\n%s"
            "    if (version < %d || version > %d)\n"
            "        return ERR_UNSUPPORTED;\n"
            "    ",
            body->c_name, body->c_name, emit_needs_arena(body) ? "" : "    (void)arena;\n",
            message->valid.lowest, message->valid.highest);
    emit_call(emit, body, "reader", "out");
    fprintf(emit->out, "    return reader->err;\n}\n\n");
    emit_prefixed(emit);
}

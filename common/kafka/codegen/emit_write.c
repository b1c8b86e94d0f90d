/* SPDX-License-Identifier: Apache-2.0 */
/* Writing: the mirror of reading. Types that can hold cut-out bytes pass the list of cuts down. */
#include "common/kafka/codegen/emit.h"

static const char *writer_call(const struct field *field)
{
    switch (field->kind) {
    case FIELD_BOOL:
        return "writer_bool";
    case FIELD_INT8:
        return "writer_i8";
    case FIELD_INT16:
        return "writer_i16";
    case FIELD_UINT16:
        return "writer_u16";
    case FIELD_INT32:
        return "writer_i32";
    case FIELD_INT64:
        return "writer_i64";
    case FIELD_FLOAT64:
        return "writer_f64";
    case FIELD_UUID:
        return "kafka_write_uuid";
    case FIELD_STRING:
        return "kafka_write_string";
    case FIELD_BYTES:
        return "kafka_write_bytes";
    case FIELD_STRUCT:
        break;
    }
    return "";
}

static void emit_call(const struct emit *emit, const struct struct_type *type, const char *source)
{
    fprintf(emit->out, "write_%s(writer, %s%s%s);\n", type->snake,
            emit_needs_version(emit, type) ? "version, " : "", source,
            type->has_zero_copy ? ", cuts" : "");
}

static void emit_array(const struct emit *emit, const struct field *field, const char *indent,
                       const char *flags)
{
    if (field->kind != FIELD_STRUCT) {
        fprintf(emit->out, "%skafka_write_%s_array(writer, %s, &in->%s);\n", indent,
                field->kind == FIELD_INT32 ? "i32" : "string", flags, field->snake);
        return;
    }
    fprintf(emit->out,
            "%skafka_write_array_count(writer, %s, in->%s.count);\n"
            "%sfor (int32_t i = 0; i < in->%s.count; i++)\n%s    ",
            indent, flags, field->snake, indent, field->snake, indent);
    emit_call(emit, field->type, pool_printf(emit->pool, "&in->%s.items[i]", field->snake));
}

static void emit_value(const struct emit *emit, const struct struct_type *type,
                       const struct field *field, const char *indent)
{
    const char *flags = pool_printf(emit->pool, "%s, %s",
                                    field->is_never_flexible ? "false" : emit_flexible(emit, type),
                                    emit_condition_value(emit, field->nullable, field->versions));

    if (field->is_array) {
        emit_array(emit, field, indent, flags);
        return;
    }
    if (field->kind == FIELD_STRUCT && !versions_is_empty(field->nullable)) {
        fprintf(emit->out,
                "%skafka_write_is_present(writer, in->%s != NULL);\n%sif (in->%s != NULL)\n%s    ",
                indent, field->snake, indent, field->snake, indent);
        emit_call(emit, field->type, pool_printf(emit->pool, "in->%s", field->snake));
        return;
    }
    fprintf(emit->out, "%s", indent);
    if (field->kind == FIELD_STRUCT)
        emit_call(emit, field->type, pool_printf(emit->pool, "&in->%s", field->snake));
    else if (field->is_zero_copy)
        fprintf(emit->out, "kafka_write_bytes_cut(writer, %s, in->%s, cuts);\n", flags,
                field->snake);
    else if (field->kind == FIELD_STRING || field->kind == FIELD_BYTES)
        fprintf(emit->out, "%s(writer, %s, in->%s);\n", writer_call(field), flags, field->snake);
    else
        fprintf(emit->out, "%s(writer, in->%s);\n", writer_call(field), field->snake);
}

static void emit_plain_field(const struct emit *emit, const struct struct_type *type,
                             const struct field *field)
{
    const char *condition = emit_condition(emit, field->versions, type->versions);

    if (condition == NULL) {
        emit_value(emit, type, field, "    ");
        return;
    }
    fprintf(emit->out, "    if (%s) {\n", condition);
    emit_value(emit, type, field, "        ");
    fprintf(emit->out, "    }\n");
}

/* The call of the function that emit_defaults wrote. */
static const char *has_tag(const struct emit *emit, const struct struct_type *type,
                           const struct field *field)
{
    const bool asks_version = emit_condition(emit, field->versions, type->versions) != NULL;

    return pool_printf(emit->pool, "%s_has_%s(%sin)", type->snake, field->snake,
                       asks_version ? "version, " : "");
}

static void emit_known_tags(const struct emit *emit, const struct struct_type *type,
                            const char *indent)
{
    const char *inner = pool_printf(emit->pool, "%s    ", indent);

    fprintf(emit->out, "%suint32_t tag_count = 0;\n\n", indent);
    for (size_t i = 0; i < type->field_count; i++)
        if (type->fields[i].is_tagged)
            fprintf(emit->out, "%stag_count += %s;\n", indent,
                    has_tag(emit, type, &type->fields[i]));
    fprintf(emit->out, "%swriter_uvarint(writer, tag_count);\n", indent);
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];

        if (!field->is_tagged)
            continue;
        fprintf(emit->out,
                "%sif (%s) {\n"
                "%s    const size_t value = kafka_write_tag_begin(writer, %u);\n\n",
                indent, has_tag(emit, type, field), indent, field->tag);
        emit_value(emit, type, field, inner);
        fprintf(emit->out, "%s    kafka_write_tag_end(writer, value);\n%s}\n", indent, indent);
    }
}

static void emit_tags(const struct emit *emit, const struct struct_type *type)
{
    const char *flexible = emit_flexible(emit, type);
    const bool always = flexible[0] == 't';

    if (flexible[0] == 'f' && flexible[1] == 'a')
        return;
    if (!emit_has_tags(type)) {
        fprintf(emit->out, "%s    writer_uvarint(writer, 0);\n",
                always ? "" : "    if (flexible)\n    ");
        return;
    }
    fprintf(emit->out, always ? "\n    {\n" : "    if (flexible) {\n");
    emit_known_tags(emit, type, "        ");
    fprintf(emit->out, "    }\n");
}

static void emit_function(const struct emit *emit, const struct struct_type *type)
{
    fprintf(emit->out, "static void write_%s(struct writer *writer, %sconst struct %s *in%s)\n{\n",
            type->snake, emit_needs_version(emit, type) ? "int16_t version, " : "", type->c_name,
            type->has_zero_copy ? ",\n        struct kafka_cut_list *cuts" : "");
    emit_flexible_variable(emit, type);
    for (size_t i = 0; i < type->field_count; i++)
        if (!type->fields[i].is_tagged)
            emit_plain_field(emit, type, &type->fields[i]);
    emit_tags(emit, type);
    fprintf(emit->out, "}\n\n");
}

static void emit_public(const struct emit *emit)
{
    const struct message *message = emit->message;
    const struct struct_type *body = message_body(message);
    const char *name = body->c_name;

    fprintf(emit->out,
            "enum err %s_write%s(struct writer *writer, int16_t version,\n"
            "        const struct %s *in%s)\n"
            "{\n"
            "    if (version < %d || version > %d)\n"
            "        return ERR_UNSUPPORTED;\n"
            "    ",
            name, body->has_zero_copy ? "_cut" : "", name,
            body->has_zero_copy ? ", struct kafka_cut_list *cuts" : "", message->valid.lowest,
            message->valid.highest);
    emit_call(emit, body, "in");
    fprintf(emit->out, "    return writer->err;\n}\n\n");
    if (body->has_zero_copy)
        fprintf(emit->out,
                "enum err %s_write(struct writer *writer, int16_t version,\n"
                "        const struct %s *in)\n"
                "{\n"
                "    return %s_write_cut(writer, version, in, NULL);\n"
                "}\n\n",
                name, name, name);
}

static void emit_prefixed(const struct emit *emit)
{
    const struct message *message = emit->message;
    const char *name = message_body(message)->c_name;

    if (message->kind == MESSAGE_COORDINATOR_KEY)
        fprintf(emit->out,
                "enum err %s_write_prefixed(struct writer *writer,\n"
                "        const struct %s *in)\n"
                "{\n"
                "    writer_i16(writer, KAFKA_%s_TYPE);\n"
                "    return %s_write(writer, %d, in);\n"
                "}\n\n",
                name, name, message->upper, name, message->valid.lowest);
    else if (message->has_version_prefix)
        fprintf(emit->out,
                "enum err %s_write_prefixed(struct writer *writer, int16_t version,\n"
                "        const struct %s *in)\n"
                "{\n"
                "    writer_i16(writer, version);\n"
                "    return %s_write(writer, version, in);\n"
                "}\n\n",
                name, name, name);
}

void emit_write(const struct emit *emit)
{
    for (size_t i = 0; i < emit->message->struct_count; i++)
        emit_function(emit, emit->message->structs[i]);
    emit_public(emit);
    emit_prefixed(emit);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* <message>.h: one struct a type, inner ones first, and what can be done with them. */
#include "common/kafka/codegen/emit.h"
#include "common/kafka/codegen/naming.h"

static void emit_range(const struct emit *emit, const struct field *field)
{
    const struct versions valid = emit->message->valid;

    if (versions_cover(field->versions, valid))
        return;
    if (field->versions.lowest == field->versions.highest)
        fprintf(emit->out, " [v%d]", field->versions.lowest);
    else if (field->versions.highest == valid.highest)
        fprintf(emit->out, " [v%d+]", field->versions.lowest);
    else
        fprintf(emit->out, " [v%d-%d]", field->versions.lowest, field->versions.highest);
}

static void emit_nullable(const struct emit *emit, const struct field *field)
{
    if (versions_is_empty(field->nullable))
        return;
    if (versions_cover(field->nullable, field->versions))
        fprintf(emit->out, " [nullable]");
    else
        fprintf(emit->out, " [nullable v%d%s]", field->nullable.lowest,
                field->nullable.highest == field->versions.highest ? "+" : " and older ones");
}

static void emit_struct(const struct emit *emit, const struct struct_type *type)
{
    fprintf(emit->out, "struct %s {\n", type->c_name);
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];

        fprintf(emit->out, "    /* %s", field->about);
        emit_range(emit, field);
        emit_nullable(emit, field);
        if (field->is_tagged)
            fprintf(emit->out, " [tag %u]", field->tag);
        if (field->default_text != NULL)
            fprintf(emit->out, " [default %s]", field->default_text);
        fprintf(emit->out, " */\n    %s%s;\n", emit_c_type(emit, field), field->snake);
    }
    fprintf(emit->out, "};\n\n");
    if (type->is_array_element)
        fprintf(emit->out,
                "struct %s_array {\n    struct %s *items;\n    int32_t count; /* -1 is null */\n"
                "};\n\n",
                type->c_name, type->c_name);
}

static void emit_inner_functions(const struct emit *emit, const struct struct_type *type)
{
    if (type == message_body(emit->message))
        return;
    fprintf(emit->out, "void %s_init_defaults(struct %s *item);\n", type->c_name, type->c_name);
    if (type->is_array_element)
        fprintf(emit->out,
                "enum err %s_array_init(struct %s_array *array, struct arena *arena,\n"
                "        int32_t count) WARN_UNUSED;\n",
                type->c_name, type->c_name);
}

static void emit_prefixed_functions(const struct emit *emit)
{
    const char *name = message_body(emit->message)->c_name;

    if (emit->message->kind == MESSAGE_COORDINATOR_KEY) {
        fprintf(emit->out,
                "/* The type that stands before the key. */\n"
                "#define KAFKA_%s_TYPE %d\n"
                "enum err %s_write_prefixed(struct writer *writer,\n"
                "        const struct %s *in) WARN_UNUSED;\n\n",
                emit->message->upper, emit->message->api_key, name, name);
        return;
    }
    if (!emit->message->has_version_prefix)
        return;
    fprintf(emit->out,
            "/* With the version before it.%s */\n"
            "enum err %s_read_prefixed(struct reader *reader, struct arena *arena,\n"
            "        struct %s *out) WARN_UNUSED;\n"
            "enum err %s_write_prefixed(struct writer *writer, int16_t version,\n"
            "        const struct %s *in) WARN_UNUSED;\n\n",
            emit->message->kind == MESSAGE_DATA
                ? " A version newer than ours is read as our newest;\n"
                  " * what it adds stays unread."
                : "",
            name, name, name, name);
}

static void emit_functions(const struct emit *emit)
{
    const struct struct_type *body = message_body(emit->message);
    const char *name = body->c_name;

    fprintf(emit->out,
            "void %s_init_defaults(struct %s *message);\n"
            "enum err %s_read(struct reader *reader, int16_t version, struct arena *arena,\n"
            "        struct %s *out) WARN_UNUSED;\n"
            "enum err %s_write(struct writer *writer, int16_t version,\n"
            "        const struct %s *in) WARN_UNUSED;\n",
            name, name, name, name, name, name);
    if (body->has_zero_copy)
        fprintf(emit->out,
                "/* Leaves the large bytes out and notes where they go. */\n"
                "enum err %s_write_cut(struct writer *writer, int16_t version,\n"
                "        const struct %s *in, struct kafka_cut_list *cuts) WARN_UNUSED;\n",
                name, name);
    fprintf(emit->out, "\n");
    emit_prefixed_functions(emit);
}

void emit_header(const struct emit *emit)
{
    const struct message *message = emit->message;

    fprintf(emit->out,
            "/* SPDX-License-Identifier: Apache-2.0 */\n"
            "/* Generated from api/kafka/%s.json by common/kafka/codegen, whose README has the"
            " rules. */\n"
            "#ifndef COMMON_KAFKA_%s_H\n#define COMMON_KAFKA_%s_H\n\n"
            "#include \"common/kafka/kafka_wire.h\"\n\n",
            message->name, message->upper, message->upper);
    fprintf(emit->out,
            "#define KAFKA_%s_LOWEST_VERSION %d\n#define KAFKA_%s_HIGHEST_VERSION %d\n\n",
            message->upper, message->valid.lowest, message->upper, message->valid.highest);
    for (size_t i = 0; i < message->struct_count; i++)
        emit_struct(emit, message->structs[i]);
    emit_functions(emit);
    for (size_t i = 0; i < message->struct_count; i++)
        emit_inner_functions(emit, message->structs[i]);
    fprintf(emit->out, "\n#endif\n");
}

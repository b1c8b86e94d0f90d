/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: fills every field that a version has with pseudo-random values, and a table of all
 * messages. tests/unit/common/kafka/message_fill.h declares what is called here. */
#include "common/kafka/codegen/emit.h"

static const char *fill_call(const struct field *field)
{
    switch (field->kind) {
    case FIELD_BOOL:
        return "fill_bool";
    case FIELD_INT8:
        return "fill_i8";
    case FIELD_INT16:
        return "fill_i16";
    case FIELD_UINT16:
        return "fill_u16";
    case FIELD_INT32:
        return "fill_i32";
    case FIELD_INT64:
        return "fill_i64";
    case FIELD_FLOAT64:
        return "fill_f64";
    case FIELD_UUID:
        return "fill_uuid";
    case FIELD_STRING:
    case FIELD_BYTES:
        return "fill_slice";
    case FIELD_STRUCT:
        break;
    }
    return "";
}

static void emit_struct_array(const struct emit *emit, const struct field *field,
                              const char *nullable)
{
    fprintf(emit->out,
            "        out->%s.count = fill_count(fill, %s);\n"
            "        if (out->%s.count >= 0)\n"
            "            fill_check(%s_array_init(&out->%s, fill->arena, out->%s.count));\n"
            "        for (int32_t i = 0; i < out->%s.count; i++)\n"
            "            fill_%s(fill, version, &out->%s.items[i]);\n",
            field->snake, nullable, field->snake, field->type->c_name, field->snake, field->snake,
            field->snake, field->type->c_name, field->snake);
}

static void emit_nullable_struct(const struct emit *emit, const struct field *field)
{
    fprintf(emit->out,
            "        if (fill_count(fill, true) >= 0) {\n"
            "            out->%s = arena_new(fill->arena, struct %s);\n"
            "            ck_assert_ptr_nonnull(out->%s);\n"
            "            %s_init_defaults(out->%s);\n"
            "            fill_%s(fill, version, out->%s);\n"
            "        }\n",
            field->snake, field->type->c_name, field->snake, field->type->c_name, field->snake,
            field->type->c_name, field->snake);
}

static void emit_field(const struct emit *emit, const struct struct_type *type,
                       const struct field *field)
{
    const char *nullable = emit_condition_value(emit, field->nullable, field->versions);

    fprintf(emit->out, "    if (%s) {\n",
            emit_condition_value(emit, field->versions, type->versions));
    if (field->is_array && field->kind == FIELD_STRUCT)
        emit_struct_array(emit, field, nullable);
    else if (field->is_array)
        fprintf(emit->out, "        fill_%s_array(fill, %s, &out->%s);\n",
                field->kind == FIELD_INT32 ? "i32" : "string", nullable, field->snake);
    else if (field->kind == FIELD_STRUCT && !versions_is_empty(field->nullable))
        emit_nullable_struct(emit, field);
    else if (field->kind == FIELD_STRUCT)
        fprintf(emit->out, "        fill_%s(fill, version, &out->%s);\n", field->type->c_name,
                field->snake);
    else if (field->kind == FIELD_STRING || field->kind == FIELD_BYTES)
        fprintf(emit->out, "        out->%s = fill_slice(fill, %s);\n", field->snake, nullable);
    else
        fprintf(emit->out, "        out->%s = %s(fill);\n", field->snake, fill_call(field));
    fprintf(emit->out, "    }\n");
}

static void emit_fill_function(const struct emit *emit, const struct struct_type *type)
{
    fprintf(emit->out,
            "static void fill_%s(struct message_fill *fill, int16_t version, struct %s *out)\n"
            "{\n    (void)version;\n",
            type->c_name, type->c_name);
    for (size_t i = 0; i < type->field_count; i++)
        emit_field(emit, type, &type->fields[i]);
    fprintf(emit->out, "}\n\n");
}

/* The table holds void pointers; these put the types back. */
static void emit_adapters(const struct emit *emit)
{
    const char *name = message_body(emit->message)->c_name;
    const char *snake = emit->message->snake;

    fprintf(emit->out, "static void case_init_%s(void *out)\n{\n    %s_init_defaults(out);\n}\n\n",
            snake, name);
    fprintf(emit->out,
            "static enum err case_read_%s(struct reader *reader, int16_t version,\n"
            "        struct arena *arena, void *out)\n"
            "{\n    return %s_read(reader, version, arena, out);\n}\n\n",
            snake, name);
    fprintf(
        emit->out,
        "static enum err case_write_%s(struct writer *writer, int16_t version, const void *in)\n"
        "{\n    return %s_write(writer, version, in);\n}\n\n",
        snake, name);
    fprintf(emit->out,
            "static void case_fill_%s(struct message_fill *fill, int16_t version, void *out)\n"
            "{\n    fill_%s(fill, version, out);\n}\n\n",
            snake, name);
}

void emit_fill(FILE *out, struct pool *pool, struct message *const *messages, size_t count)
{
    fprintf(out, "/* SPDX-License-Identifier: Apache-2.0 */\n"
                 "/* Generated from api/kafka/ by common/kafka/codegen. */\n"
                 "#include \"tests/unit/common/kafka/message_fill.h\"\n\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "#include \"common/kafka/%s.h\"\n", messages[i]->snake);
    fprintf(out, "\n");
    for (size_t i = 0; i < count; i++) {
        const struct emit emit = {out, pool, messages[i]};

        for (size_t j = 0; j < messages[i]->struct_count; j++)
            emit_fill_function(&emit, messages[i]->structs[j]);
        emit_adapters(&emit);
    }
    fprintf(out, "const struct message_case message_cases[] = {\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out,
                "    {\"%s\", \"%s\", %d, %d, sizeof(struct kafka_%s),\n"
                "     case_init_%s, case_read_%s, case_write_%s, case_fill_%s},\n",
                messages[i]->name, messages[i]->snake, messages[i]->valid.lowest,
                messages[i]->valid.highest, messages[i]->snake, messages[i]->snake,
                messages[i]->snake, messages[i]->snake, messages[i]->snake);
    fprintf(out, "};\n\nconst size_t message_case_count =\n"
                 "    sizeof(message_cases) / sizeof(message_cases[0]);\n");
}

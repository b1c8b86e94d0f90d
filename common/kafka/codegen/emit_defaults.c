/* SPDX-License-Identifier: Apache-2.0 */
/* init_defaults and array_init of every type, and is_default of those that can be left out. */
#include "common/kafka/codegen/emit.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static bool is_null_text(const char *text)
{
    return text != NULL && strcmp(text, "null") == 0;
}

static const char *default_number(const struct emit *emit, const struct field *field)
{
    const char *text = field->default_text != NULL ? field->default_text : "0";
    char *end = NULL;
    const long long number = strtoll(text, &end, 10);

    if (*end != '\0' || end == text)
        fail("%s.%s: default \"%s\" is no number", emit->message->name, field->name, text);
    if (number == 0)
        return NULL;
    if (field->kind == FIELD_INT64)
        return pool_printf(emit->pool, "INT64_C(%lld)", number);
    if (field->kind == FIELD_INT32 && number == INT_MIN)
        return "INT32_MIN";
    return pool_printf(emit->pool, "%lld", number);
}

/* The field's default as C, or NULL when zeroed memory is right already. */
static const char *default_value(const struct emit *emit, const struct field *field)
{
    const char *text = field->default_text;

    if (field->is_array)
        return is_null_text(text) ? "{NULL, -1}" : NULL;
    switch (field->kind) {
    case FIELD_STRING:
    case FIELD_BYTES:
        if (is_null_text(text))
            return NULL;
        if (text != NULL && text[0] != '\0')
            fail("%s.%s: strings have \"\" or \"null\" as default", emit->message->name,
                 field->name);
        return "SLICE_LITERAL(\"\")";
    case FIELD_BOOL:
        return text != NULL && strcmp(text, "true") == 0 ? "true" : NULL;
    case FIELD_INT8:
    case FIELD_INT16:
    case FIELD_UINT16:
    case FIELD_INT32:
    case FIELD_INT64:
        return default_number(emit, field);
    case FIELD_FLOAT64:
    case FIELD_UUID:
    case FIELD_STRUCT:
        if (text != NULL && !is_null_text(text))
            fail("%s.%s: this type has no default of its own", emit->message->name, field->name);
        return NULL;
    }
    return NULL;
}

static void emit_init_defaults(const struct emit *emit, const struct struct_type *type)
{
    const char *variable = type == message_body(emit->message) ? "message" : "item";
    bool is_zero = true;

    fprintf(emit->out, "void %s_init_defaults(struct %s *%s)\n{\n    *%s = (struct %s){",
            type->c_name, type->c_name, variable, variable, type->c_name);
    for (size_t i = 0; i < type->field_count; i++) {
        const char *value = default_value(emit, &type->fields[i]);

        if (value == NULL)
            continue;
        fprintf(emit->out, "%s        .%s = %s,\n", is_zero ? "\n" : "", type->fields[i].snake,
                value);
        is_zero = false;
    }
    fprintf(emit->out, is_zero ? "0};\n" : "    };\n");
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];

        if (field->kind == FIELD_STRUCT && !field->is_array && versions_is_empty(field->nullable))
            fprintf(emit->out, "    %s_init_defaults(&%s->%s);\n", field->type->c_name, variable,
                    field->snake);
    }
    fprintf(emit->out, "}\n\n");
}

static void emit_array_init(const struct emit *emit, const struct struct_type *type)
{
    fprintf(emit->out,
            "enum err %s_array_init(struct %s_array *array, struct arena *arena, int32_t count)\n"
            "{\n"
            "    struct %s *items = NULL;\n"
            "\n"
            "    if (count < 0)\n"
            "        return ERR_INVALID;\n"
            "    items = arena_array(arena, (size_t)count, sizeof(*items));\n"
            "    if (items == NULL)\n"
            "        return ERR_NO_MEMORY;\n"
            "    for (int32_t i = 0; i < count; i++)\n"
            "        %s_init_defaults(&items[i]);\n"
            "    array->items = items;\n"
            "    array->count = count;\n"
            "    return ERR_OK;\n"
            "}\n\n",
            type->c_name, type->c_name, type->c_name, type->c_name);
}

/* "in->x differs from its default" as C. */
static const char *differs(const struct emit *emit, const struct field *field)
{
    const char *value = default_value(emit, field);
    const char *name = field->snake;

    if (field->is_array)
        return pool_printf(emit->pool, "in->%s.count != %d", name, value != NULL ? -1 : 0);
    switch (field->kind) {
    case FIELD_BOOL:
    case FIELD_INT8:
    case FIELD_INT16:
    case FIELD_UINT16:
    case FIELD_INT32:
    case FIELD_INT64:
    case FIELD_FLOAT64:
        return pool_printf(emit->pool, "in->%s != %s", name, value != NULL ? value : "0");
    case FIELD_UUID:
        return pool_printf(emit->pool, "!uuid_is_zero(in->%s)", name);
    case FIELD_STRING:
    case FIELD_BYTES:
        if (value == NULL)
            return pool_printf(emit->pool, "!slice_is_null(in->%s)", name);
        return pool_printf(emit->pool, "(in->%s.len != 0 || slice_is_null(in->%s))", name, name);
    case FIELD_STRUCT:
        if (!versions_is_empty(field->nullable))
            return pool_printf(emit->pool, "in->%s != NULL", name);
        return pool_printf(emit->pool, "%s_differs(&in->%s)", field->type->snake, name);
    }
    return "";
}

/* `<type>_differs`: must a tagged struct be written at all? */
static void emit_differs(const struct emit *emit, const struct struct_type *type)
{
    fprintf(emit->out, "static bool %s_differs(const struct %s *in)\n{\n    return ", type->snake,
            type->c_name);
    for (size_t i = 0; i < type->field_count; i++)
        fprintf(emit->out, "%s%s", i > 0 ? " ||\n           " : "",
                differs(emit, &type->fields[i]));
    fprintf(emit->out, ";\n}\n\n");
}

/* `<type>_has_<field>`: is the tag to be written? */
static void emit_has_tag(const struct emit *emit, const struct struct_type *type,
                         const struct field *field)
{
    const char *condition = emit_condition(emit, field->versions, type->versions);

    fprintf(emit->out, "static bool %s_has_%s(%sconst struct %s *in)\n{\n    return ", type->snake,
            field->snake, condition != NULL ? "int16_t version, " : "", type->c_name);
    if (condition != NULL)
        fprintf(emit->out, "%s && ", condition);
    fprintf(emit->out, "%s;\n}\n\n", differs(emit, field));
}

void emit_defaults(const struct emit *emit)
{
    const struct message *message = emit->message;

    for (size_t i = 0; i < message->struct_count; i++) {
        const struct struct_type *type = message->structs[i];

        emit_init_defaults(emit, type);
        if (type->is_array_element)
            emit_array_init(emit, type);
        if (type->is_tag_value)
            emit_differs(emit, type);
        for (size_t j = 0; j < type->field_count; j++)
            if (type->fields[j].is_tagged)
                emit_has_tag(emit, type, &type->fields[j]);
    }
}

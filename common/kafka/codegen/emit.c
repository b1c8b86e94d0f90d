/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/codegen/emit.h"

const char *emit_condition(const struct emit *emit, struct versions range, struct versions context)
{
    const bool from = range.lowest > context.lowest;
    const bool to = range.highest < context.highest;

    if (from && to && range.lowest == range.highest)
        return pool_printf(emit->pool, "version == %d", range.lowest);
    if (from && to)
        return pool_printf(emit->pool, "version >= %d && version <= %d", range.lowest,
                           range.highest);
    if (from)
        return pool_printf(emit->pool, "version >= %d", range.lowest);
    if (to)
        return pool_printf(emit->pool, "version <= %d", range.highest);
    return NULL;
}

const char *emit_condition_value(const struct emit *emit, struct versions range,
                                 struct versions context)
{
    if (versions_is_empty(range))
        return "false";
    const char *condition = emit_condition(emit, range, context);
    return condition != NULL ? condition : "true";
}

static const char *flexible_value(const struct emit *emit, const struct struct_type *type)
{
    return emit_condition_value(emit, versions_intersect(emit->message->flexible, type->versions),
                                type->versions);
}

static bool is_constant(const char *value)
{
    return value[0] == 't' || value[0] == 'f';
}

const char *emit_flexible(const struct emit *emit, const struct struct_type *type)
{
    const char *value = flexible_value(emit, type);

    return is_constant(value) ? value : "flexible";
}

void emit_flexible_variable(const struct emit *emit, const struct struct_type *type)
{
    const char *value = flexible_value(emit, type);

    if (!is_constant(value))
        fprintf(emit->out, "    const bool flexible = %s;\n\n", value);
}

bool emit_needs_version(const struct emit *emit, const struct struct_type *type)
{
    if (!is_constant(flexible_value(emit, type)))
        return true;
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];

        if (!versions_cover(field->versions, type->versions))
            return true;
        if (!is_constant(emit_condition_value(emit, field->nullable, field->versions)))
            return true;
        if (field->type != NULL && emit_needs_version(emit, field->type))
            return true;
    }
    return false;
}

bool emit_needs_arena(const struct struct_type *type)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];

        if (field->is_array || (field->type != NULL && !versions_is_empty(field->nullable)))
            return true;
        if (field->type != NULL && emit_needs_arena(field->type))
            return true;
    }
    return false;
}

bool emit_has_tags(const struct struct_type *type)
{
    for (size_t i = 0; i < type->field_count; i++)
        if (type->fields[i].is_tagged)
            return true;
    return false;
}

static const char *c_type_of_one(const struct emit *emit, const struct field *field)
{
    switch (field->kind) {
    case FIELD_BOOL:
        return "bool ";
    case FIELD_INT8:
        return "int8_t ";
    case FIELD_INT16:
        return "int16_t ";
    case FIELD_UINT16:
        return "uint16_t ";
    case FIELD_INT32:
        return "int32_t ";
    case FIELD_INT64:
        return "int64_t ";
    case FIELD_FLOAT64:
        return "double ";
    case FIELD_UUID:
        return "struct uuid ";
    case FIELD_STRING:
    case FIELD_BYTES:
        return "struct slice ";
    case FIELD_STRUCT:
        return pool_printf(emit->pool, "struct %s %s", field->type->c_name,
                           versions_is_empty(field->nullable) ? "" : "*");
    }
    return "";
}

const char *emit_c_type(const struct emit *emit, const struct field *field)
{
    if (!field->is_array)
        return c_type_of_one(emit, field);
    if (field->kind == FIELD_STRUCT)
        return pool_printf(emit->pool, "struct %s_array ", field->type->c_name);
    return field->kind == FIELD_INT32 ? "struct kafka_i32_array " : "struct kafka_string_array ";
}

/* SPDX-License-Identifier: Apache-2.0 */
/* From JSON to the model.
 *
 * Unknown keys are refused, so that a misspelt "nullableVersions" cannot silently mean "never". Every
 * range is cut to where it can apply: fields to their struct's versions, inner structs to their
 * field's. Structs are listed inner ones first, which is the order C needs. */
#include "common/kafka/codegen/schema.h"

#include "common/kafka/codegen/naming.h"

#include <jansson.h>
#include <string.h>

#define MAX_STRUCTS 64

struct loader {
    struct pool *pool;
    const char *path;
    struct message *message;
    json_t *common_structs; /* array or NULL; borrowed from the tree */
    unsigned depth;
};

static struct struct_type *load_struct(struct loader *loader, const char *name, json_t *fields,
                                       struct versions versions);

static const struct {
    const char *name;
    enum field_kind kind;
} primitive_names[] = {
    {"bool", FIELD_BOOL},       {"int8", FIELD_INT8},     {"int16", FIELD_INT16},
    {"uint16", FIELD_UINT16},   {"int32", FIELD_INT32},   {"int64", FIELD_INT64},
    {"float64", FIELD_FLOAT64}, {"uuid", FIELD_UUID},     {"string", FIELD_STRING},
    {"bytes", FIELD_BYTES},     {"records", FIELD_BYTES},
};

static const struct {
    const char *name;
    enum message_kind kind;
} message_kind_names[] = {
    {"request", MESSAGE_REQUEST},
    {"response", MESSAGE_RESPONSE},
    {"header", MESSAGE_HEADER},
    {"data", MESSAGE_DATA},
    {"coordinator-key", MESSAGE_COORDINATOR_KEY},
    {"coordinator-value", MESSAGE_COORDINATOR_VALUE},
};

static void refuse_unknown_keys(const struct loader *loader, json_t *object, const char *known)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach(object, key, value)
    {
        char padded[80];

        snprintf(padded, sizeof(padded), " %s ", key);
        if (strstr(known, padded) == NULL)
            fail("%s: unknown key \"%s\"; there are:%s", loader->path, key, known);
    }
}

static const char *copy_text(struct loader *loader, json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    if (value == NULL)
        return NULL;
    if (!json_is_string(value))
        fail("%s: \"%s\" must be a string", loader->path, key);
    return pool_printf(loader->pool, "%s", json_string_value(value));
}

static const char *need_text(struct loader *loader, json_t *object, const char *key)
{
    const char *text = copy_text(loader, object, key);

    if (text == NULL)
        fail("%s: \"%s\" is missing", loader->path, key);
    return text;
}

static struct versions read_versions(struct loader *loader, json_t *object, const char *key,
                                     struct versions fallback)
{
    const char *text = copy_text(loader, object, key);
    struct versions versions = fallback;

    if (text != NULL && !versions_parse(text, &versions))
        fail("%s: \"%s\": \"%s\" is no range: write \"3\", \"3-7\", \"3+\" or \"none\"",
             loader->path, key, text);
    return versions;
}

static bool read_flag(const struct loader *loader, json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    if (value != NULL && !json_is_boolean(value))
        fail("%s: \"%s\" must be true or false", loader->path, key);
    return json_is_true(value);
}

static int read_number(const struct loader *loader, json_t *object, const char *key, int fallback)
{
    json_t *value = json_object_get(object, key);

    if (value == NULL)
        return fallback;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > VERSION_MAX)
        fail("%s: \"%s\" must be a number from 0 to %d", loader->path, key, VERSION_MAX);
    return (int)json_integer_value(value);
}

static struct struct_type *find_struct(const struct message *message, const char *name)
{
    for (size_t i = 0; i < message->struct_count; i++)
        if (strcmp(message->structs[i]->name, name) == 0)
            return message->structs[i];
    return NULL;
}

/* Inner fields make the type; a type without them is one of commonStructs, loaded at its first use. */
static struct struct_type *resolve_struct(struct loader *loader, const struct field *field,
                                          json_t *inner)
{
    struct struct_type *known = find_struct(loader->message, field->type_name);
    size_t i = 0;
    json_t *common = NULL;

    if (inner != NULL)
        return load_struct(loader, field->type_name, inner, field->versions);
    if (known != NULL)
        return known;

    json_array_foreach(loader->common_structs, i, common)
    {
        refuse_unknown_keys(loader, common, " name versions fields ");
        if (strcmp(need_text(loader, common, "name"), field->type_name) == 0)
            return load_struct(
                loader, field->type_name, json_object_get(common, "fields"),
                versions_intersect(loader->message->valid,
                                   read_versions(loader, common, "versions", VERSIONS_NONE)));
    }
    fail("%s: field \"%s\": no type \"%s\"", loader->path, field->name, field->type_name);
}

/* A tagged struct is left out when it is default, and so its inner structs are asked too. */
static void mark_tag_value(struct struct_type *type)
{
    type->is_tag_value = true;
    for (size_t i = 0; i < type->field_count; i++)
        if (type->fields[i].type != NULL && !type->fields[i].is_array &&
            versions_is_empty(type->fields[i].nullable))
            mark_tag_value(type->fields[i].type);
}

static void read_type(struct loader *loader, json_t *json, struct field *field)
{
    const char *text = need_text(loader, json, "type");

    if (strncmp(text, "[]", 2) == 0) {
        field->is_array = true;
        text += 2;
    }
    for (size_t i = 0; i < sizeof(primitive_names) / sizeof(primitive_names[0]); i++) {
        if (strcmp(text, primitive_names[i].name) == 0) {
            field->kind = primitive_names[i].kind;
            return;
        }
    }
    field->kind = FIELD_STRUCT;
    field->type_name = text;
    field->type = resolve_struct(loader, field, json_object_get(json, "fields"));
    field->type->is_array_element |= field->is_array;
    if (field->is_tagged && !field->is_array)
        mark_tag_value(field->type);
}

/* What the emitters cannot do, said here and not by a compiler error in generated code. */
static void check_field(const struct loader *loader, const struct field *field)
{
    const bool is_nullable_kind = field->is_array || field->kind == FIELD_STRING ||
                                  field->kind == FIELD_BYTES || field->kind == FIELD_STRUCT;

    if (versions_is_empty(field->versions))
        fail("%s: field \"%s\" is in no version of its struct", loader->path, field->name);
    if (!versions_is_empty(field->nullable) && !is_nullable_kind)
        fail("%s: field \"%s\" has a type that cannot be null", loader->path, field->name);
    if (field->default_text != NULL && strcmp(field->default_text, "null") == 0 &&
        !versions_cover(field->nullable, field->versions))
        fail("%s: field \"%s\" is null by default, but not in all its versions", loader->path,
             field->name);
    if (field->is_array && field->kind != FIELD_STRUCT && field->kind != FIELD_INT32 &&
        field->kind != FIELD_STRING)
        fail("%s: field \"%s\": kafka_wire has arrays of int32 and string only: add yours there",
             loader->path, field->name);
    if (field->is_tagged && !versions_cover(loader->message->flexible, field->versions))
        fail("%s: field \"%s\" is tagged in a version that is not flexible", loader->path,
             field->name);
    if (field->is_tagged && field->is_zero_copy)
        fail("%s: field \"%s\": a tagged field cannot be cut out", loader->path, field->name);
    if (field->is_tagged && field->kind == FIELD_STRUCT && !field->is_array &&
        !versions_is_empty(field->nullable))
        fail("%s: field \"%s\": a tagged struct is left out, not null", loader->path, field->name);
    if (field->is_zero_copy && (field->kind != FIELD_BYTES || field->is_array))
        fail("%s: field \"%s\": only bytes and records can be cut out", loader->path, field->name);
    if (field->kind == FIELD_STRUCT && !field->is_array && !versions_is_empty(field->nullable) &&
        !versions_cover(field->nullable, field->versions))
        fail("%s: field \"%s\": a struct is nullable in all its versions or none", loader->path,
             field->name);
}

static void load_field(struct loader *loader, json_t *json, struct versions context,
                       struct field *field)
{
    refuse_unknown_keys(loader, json,
                        " name type versions nullableVersions taggedVersions tag default about "
                        "fields flexibleVersions zeroCopy ");
    field->name = need_text(loader, json, "name");
    field->snake = naming_snake(loader->pool, field->name);
    field->about = copy_text(loader, json, "about");
    if (field->about == NULL)
        field->about = "";
    field->versions =
        versions_intersect(context, read_versions(loader, json, "versions", VERSIONS_NONE));
    field->nullable = versions_intersect(
        field->versions, read_versions(loader, json, "nullableVersions", VERSIONS_NONE));
    field->default_text = copy_text(loader, json, "default");
    field->is_tagged = json_object_get(json, "tag") != NULL;
    field->tag = (uint32_t)read_number(loader, json, "tag", 0);
    field->is_zero_copy = read_flag(loader, json, "zeroCopy");
    if (json_object_get(json, "flexibleVersions") != NULL) {
        if (strcmp(need_text(loader, json, "flexibleVersions"), "none") != 0)
            fail("%s: field \"%s\": flexibleVersions can only be \"none\"", loader->path,
                 field->name);
        field->is_never_flexible = true;
    }
    if (field->is_tagged &&
        !versions_cover(read_versions(loader, json, "taggedVersions", VERSIONS_NONE),
                        field->versions))
        fail("%s: field \"%s\" is tagged in all its versions or none", loader->path, field->name);
    read_type(loader, json, field);
    check_field(loader, field);
}

static void check_tags(const struct loader *loader, const struct struct_type *type)
{
    for (size_t i = 0; i < type->field_count; i++)
        for (size_t j = i + 1; j < type->field_count; j++)
            if (type->fields[i].is_tagged && type->fields[j].is_tagged &&
                type->fields[i].tag >= type->fields[j].tag)
                fail("%s: fields of \"%s\": tags must ascend", loader->path, type->name);
}

static struct struct_type *load_struct(struct loader *loader, const char *name, json_t *fields,
                                       struct versions versions)
{
    struct message *message = loader->message;
    struct struct_type *type = pool_alloc(loader->pool, sizeof(*type));
    size_t i = 0;
    json_t *field = NULL;

    if (!json_is_array(fields))
        fail("%s: \"%s\": \"fields\" must be an array", loader->path, name);
    if (++loader->depth > MAX_STRUCTS)
        fail("%s: \"%s\": structs too deep, or one is in itself", loader->path, name);

    type->name = name;
    type->snake = naming_snake(loader->pool, name);
    type->c_name = pool_printf(loader->pool, "kafka_%s_%s", message->snake, type->snake);
    type->versions = versions;
    type->field_count = json_array_size(fields);
    type->fields = pool_alloc(loader->pool, (type->field_count + 1) * sizeof(*type->fields));
    json_array_foreach(fields, i, field)
    {
        load_field(loader, field, versions, &type->fields[i]);
        type->has_zero_copy |= type->fields[i].is_zero_copy;
        if (type->fields[i].type != NULL)
            type->has_zero_copy |= type->fields[i].type->has_zero_copy;
    }
    check_tags(loader, type);

    loader->depth--;
    if (find_struct(message, name) != NULL)
        fail("%s: type \"%s\" is declared twice: names are flat in a message", loader->path, name);
    if (message->struct_count == MAX_STRUCTS)
        fail("%s: more than %d structs", loader->path, MAX_STRUCTS);
    message->structs[message->struct_count++] = type;
    return type;
}

static enum message_kind read_message_kind(struct loader *loader, json_t *root)
{
    const char *text = need_text(loader, root, "type");

    for (size_t i = 0; i < sizeof(message_kind_names) / sizeof(message_kind_names[0]); i++)
        if (strcmp(text, message_kind_names[i].name) == 0)
            return message_kind_names[i].kind;
    fail("%s: no message type \"%s\"", loader->path, text);
}

struct message *schema_load(struct pool *pool, const char *path)
{
    struct loader loader = {.pool = pool, .path = path};
    struct message *message = pool_alloc(pool, sizeof(*message));
    json_error_t why;
    json_auto_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);

    if (root == NULL)
        fail("%s:%d: %s", path, why.line, why.text);
    loader.message = message;
    loader.common_structs = json_object_get(root, "commonStructs");
    refuse_unknown_keys(&loader, root,
                        " apiKey type name validVersions flexibleVersions minimumAdvertised "
                        "versionPrefix fields commonStructs ");

    message->name = need_text(&loader, root, "name");
    message->snake = naming_snake(pool, message->name);
    message->upper = naming_upper(pool, message->name);
    message->kind = read_message_kind(&loader, root);
    message->api_key = read_number(&loader, root, "apiKey", -1);
    message->valid = read_versions(&loader, root, "validVersions", VERSIONS_NONE);
    if (versions_is_empty(message->valid) || message->valid.highest == VERSION_MAX)
        fail("%s: \"validVersions\" must be a closed range", path);
    message->flexible = read_versions(&loader, root, "flexibleVersions", VERSIONS_NONE);
    message->minimum_advertised =
        read_number(&loader, root, "minimumAdvertised", message->valid.lowest);
    message->has_version_prefix =
        message->kind == MESSAGE_COORDINATOR_VALUE || read_flag(&loader, root, "versionPrefix");

    message->structs = pool_alloc(pool, MAX_STRUCTS * sizeof(struct struct_type *));
    struct struct_type *body =
        load_struct(&loader, message->name, json_object_get(root, "fields"), message->valid);
    body->snake = "message";
    body->c_name = pool_printf(pool, "kafka_%s", message->snake);
    return message;
}

const struct struct_type *message_body(const struct message *message)
{
    return message->structs[message->struct_count - 1];
}

static size_t min_bytes_in_version(const struct message *message, const struct struct_type *type,
                                   int version);

static size_t field_min_bytes(const struct message *message, const struct field *field, int version)
{
    const bool flexible = versions_contain(message->flexible, version) && !field->is_never_flexible;

    if (field->is_tagged || !versions_contain(field->versions, version))
        return 0;
    if (field->is_array)
        return flexible ? 1 : 4;
    switch (field->kind) {
    case FIELD_BOOL:
    case FIELD_INT8:
        return 1;
    case FIELD_INT16:
    case FIELD_UINT16:
        return 2;
    case FIELD_INT32:
        return 4;
    case FIELD_INT64:
    case FIELD_FLOAT64:
        return 8;
    case FIELD_UUID:
        return 16;
    case FIELD_STRING:
        return flexible ? 1 : 2;
    case FIELD_BYTES:
        return flexible ? 1 : 4;
    case FIELD_STRUCT:
        if (versions_contain(field->nullable, version))
            return 1;
        return min_bytes_in_version(message, field->type, version);
    }
    return 0;
}

static size_t min_bytes_in_version(const struct message *message, const struct struct_type *type,
                                   int version)
{
    size_t bytes = versions_contain(message->flexible, version) ? 1 : 0;

    for (size_t i = 0; i < type->field_count; i++)
        bytes += field_min_bytes(message, &type->fields[i], version);
    return bytes;
}

size_t struct_min_bytes(const struct message *message, const struct struct_type *type)
{
    size_t least = SIZE_MAX;

    for (int version = type->versions.lowest; version <= type->versions.highest; version++) {
        const size_t bytes = min_bytes_in_version(message, type, version);

        if (bytes < least)
            least = bytes;
    }
    if (least == 0)
        fail("%s: type \"%s\" can take no byte at all", message->name, type->name);
    return least;
}

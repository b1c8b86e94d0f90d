/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds, keys, and the small kinds: credentials, listeners, brokers. What the JSON says must agree
 * with the key it was stored under. */
#include "dataplane/cluster/image_parse.h"

#include "common/crypto/encoding.h"
#include "dataplane/cluster/image_parse_internal.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const kind_names[IMAGE_KIND_COUNT] = {
    [IMAGE_TENANT] = "tenant",     [IMAGE_CREDENTIAL] = "credential", [IMAGE_TOPIC] = "topic",
    [IMAGE_LISTENER] = "listener", [IMAGE_BROKER] = "broker",
};

const char *image_kind_name(enum image_kind kind)
{
    return kind_names[kind];
}

bool image_kind_find(struct slice name, enum image_kind *ret_kind)
{
    for (int kind = 0; kind < IMAGE_KIND_COUNT; kind++) {
        if (slice_equal_cstring(name, kind_names[kind])) {
            *ret_kind = (enum image_kind)kind;
            return true;
        }
    }
    return false;
}

enum err image_id_parse(enum image_kind kind, struct slice key, struct image_id *ret_id)
{
    struct uuid uuid;

    if (kind == IMAGE_TENANT || kind == IMAGE_TOPIC) {
        if (uuid_parse(key, &uuid) != ERR_OK)
            return ERR_INVALID;
        memcpy(ret_id->bytes, uuid.bytes, sizeof(uuid.bytes));
        ret_id->len = sizeof(uuid.bytes);
        return ERR_OK;
    }
    if (key.len == 0 || key.len > sizeof(ret_id->bytes))
        return ERR_INVALID;
    memcpy(ret_id->bytes, key.data, key.len);
    ret_id->len = key.len;
    return ERR_OK;
}

struct image_record *image_record_new(enum image_kind kind, size_t size)
{
    struct image_record *record = calloc(1, size);

    if (record == NULL)
        return NULL;
    record->kind = kind;
    atomic_init(&record->reference_count, 1);
    return record;
}

static bool decode_base64(struct image_fields *fields, const char *name, uint8_t *bytes, size_t len)
{
    struct slice text = fields_text(fields, name, 1, 4 * ((len + 2) / 3));
    uint8_t decoded[SCRAM_MAX_KEY_LEN + 3];
    size_t got = 0;

    if (base64_decode(text, decoded, sizeof(decoded), &got) != ERR_OK || got != len) {
        fields_fail(fields, name, "is not base64 of the right length");
        return false;
    }
    memcpy(bytes, decoded, len);
    return true;
}

/* Absent or null: no verifier of that kind. */
static void parse_scram(struct image_fields *fields, const char *name,
                        enum scram_mechanism mechanism, struct image_credential *credential)
{
    struct image_fields inner = {.object = fields_object(fields, name), .error = fields->error};
    struct scram_verifier *verifier = &credential->scram[mechanism];
    size_t key_len = scram_key_len(mechanism);

    if (inner.object == NULL)
        return;
    verifier->mechanism = mechanism;
    verifier->iterations = (int32_t)fields_integer(&inner, "iterations", 4096, 1000000);
    decode_base64(&inner, "salt", verifier->salt, SCRAM_SALT_LEN);
    decode_base64(&inner, "stored_key", verifier->stored_key, key_len);
    decode_base64(&inner, "server_key", verifier->server_key, key_len);
    credential->has_scram[mechanism] = true;
    fields->is_bad = fields->is_bad || inner.is_bad;
}

static enum image_role parse_role(struct image_fields *fields)
{
    static const char *const roles[] = {[ROLE_NONE] = "NONE",
                                        [ROLE_READER] = "Reader",
                                        [ROLE_WRITER] = "Writer",
                                        [ROLE_MANAGER] = "Manager"};
    struct slice role = fields_text(fields, "role", 1, 16);

    for (int i = 0; i <= ROLE_MANAGER; i++) {
        if (slice_equal_cstring(role, roles[i]))
            return (enum image_role)i;
    }
    fields_fail(fields, "role", "is not Manager, Writer, Reader or NONE");
    return ROLE_NONE;
}

static enum err parse_credential(struct image_fields *fields, struct image_record **ret_record)
{
    struct image_record *record =
        image_record_new(IMAGE_CREDENTIAL, sizeof(struct image_credential));
    struct image_credential *credential = (struct image_credential *)(void *)record;
    struct slice verifier = SLICE_NULL;

    if (record == NULL)
        return ERR_NO_MEMORY;
    fields_copy(fields, "key_id", KEY_ID_LEN, credential->key_id, sizeof(credential->key_id));
    credential->instance_no = (int32_t)fields_integer(fields, "instance_no", 1, INT32_MAX);
    credential->role = parse_role(fields);
    verifier = fields_text(fields, "verifier", 2 * KEY_VERIFIER_LEN, 2 * KEY_VERIFIER_LEN);
    if (!fields->is_bad && hex_decode(verifier, credential->verifier, KEY_VERIFIER_LEN) != ERR_OK)
        fields_fail(fields, "verifier", "is not hex");
    parse_scram(fields, "scram_sha_256", SCRAM_SHA_256, credential);
    parse_scram(fields, "scram_sha_512", SCRAM_SHA_512, credential);
    record->id = slice_from_cstring(credential->key_id);
    *ret_record = record;
    return ERR_OK;
}

static enum listener_security parse_security(struct image_fields *fields)
{
    static const char *const securities[] = {[LISTENER_SASL_SSL] = "SASL_SSL",
                                             [LISTENER_SASL_PLAINTEXT] = "SASL_PLAINTEXT",
                                             [LISTENER_PLAINTEXT] = "PLAINTEXT"};
    struct slice security = fields_text(fields, "security", 1, 32);

    for (int i = 0; i <= LISTENER_PLAINTEXT; i++) {
        if (slice_equal_cstring(security, securities[i]))
            return (enum listener_security)i;
    }
    fields_fail(fields, "security", "is not SASL_SSL, SASL_PLAINTEXT or PLAINTEXT");
    return LISTENER_SASL_SSL;
}

/* A listener or broker and the text it is found by, in one piece. */
struct keyed_listener {
    struct image_listener listener;
    char key[96];
};

struct keyed_broker {
    struct image_broker broker;
    char key[16];
};

static enum err parse_listener(struct image_fields *fields, struct image_record **ret_record)
{
    struct image_record *record = image_record_new(IMAGE_LISTENER, sizeof(struct keyed_listener));
    struct keyed_listener *keyed = (struct keyed_listener *)(void *)record;
    struct image_listener *listener = &keyed->listener;

    if (record == NULL)
        return ERR_NO_MEMORY;
    listener->broker = (int32_t)fields_integer(fields, "broker", 0, INT32_MAX);
    fields_copy(fields, "name", 1, listener->name, sizeof(listener->name));
    fields_copy(fields, "host", 1, listener->host, sizeof(listener->host));
    listener->port = (int)fields_integer(fields, "port", 1, 65535);
    listener->security = parse_security(fields);
    listener->instance_no = (int32_t)fields_integer_or(fields, "instance_no", 1, INT32_MAX, 0);
    listener->auto_create_partitions =
        (int32_t)fields_integer_or(fields, "auto_create_partitions", 0, IMAGE_MAX_PARTITIONS, 0);
    if (listener->security == LISTENER_PLAINTEXT && listener->instance_no == 0)
        fields_fail(fields, "instance_no", "is needed on a PLAINTEXT listener");
    snprintf(keyed->key, sizeof(keyed->key), "%d/%s", listener->broker, listener->name);
    record->id = slice_from_cstring(keyed->key);
    *ret_record = record;
    return ERR_OK;
}

static enum err parse_broker(struct image_fields *fields, struct image_record **ret_record)
{
    struct image_record *record = image_record_new(IMAGE_BROKER, sizeof(struct keyed_broker));
    struct keyed_broker *keyed = (struct keyed_broker *)(void *)record;
    struct image_broker *broker = &keyed->broker;

    if (record == NULL)
        return ERR_NO_MEMORY;
    broker->id = (int32_t)fields_integer(fields, "id", 0, INT32_MAX);
    broker->epoch = fields_integer(fields, "epoch", 0, INT64_MAX);
    broker->has_rack = !json_is_null(json_object_get(fields->object, "rack")) &&
                       json_object_get(fields->object, "rack") != NULL;
    if (broker->has_rack)
        fields_copy(fields, "rack", 0, broker->rack, sizeof(broker->rack));
    snprintf(keyed->key, sizeof(keyed->key), "%d", broker->id);
    record->id = slice_from_cstring(keyed->key);
    *ret_record = record;
    return ERR_OK;
}

static enum err parse_kind(const struct image_parser *parser, enum image_kind kind,
                           struct image_fields *fields, struct image_record **ret_record)
{
    switch (kind) {
    case IMAGE_TENANT:
        return image_parse_tenant(parser, fields, ret_record);
    case IMAGE_CREDENTIAL:
        return parse_credential(fields, ret_record);
    case IMAGE_TOPIC:
        return image_parse_topic(parser, fields, ret_record);
    case IMAGE_LISTENER:
        return parse_listener(fields, ret_record);
    case IMAGE_BROKER:
        return parse_broker(fields, ret_record);
    case IMAGE_KIND_COUNT:
        break;
    }
    return ERR_INVALID;
}

static enum err keep_source(struct image_record *record, struct slice payload)
{
    uint8_t *copy = malloc(payload.len);

    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, payload.data, payload.len);
    record->source = slice_of(copy, payload.len);
    return ERR_OK;
}

enum err image_parse(const struct image_parser *parser, enum image_kind kind, struct slice key,
                     struct slice payload, struct image_record **ret_record, struct error *error)
{
    json_error_t json_error;
    json_t *object = NULL;
    struct image_fields fields = {.error = error};
    struct image_record *record = NULL;
    struct image_id id;
    enum err rc = ERR_OK;

    if (payload.len == 0 || payload.len > IMAGE_MAX_PAYLOAD_BYTES)
        return error_set(error, ERR_TOO_LARGE, "payload of %zu bytes", payload.len);
    if (image_id_parse(kind, key, &id) != ERR_OK)
        return error_set(error, ERR_INVALID, "key is not one of a %s", kind_names[kind]);
    object =
        json_loadb((const char *)payload.data, payload.len, JSON_REJECT_DUPLICATES, &json_error);
    if (!json_is_object(object)) {
        json_decref(object);
        return error_set(error, ERR_INVALID, "payload is not a JSON object");
    }
    fields.object = object;
    rc = parse_kind(parser, kind, &fields, &record);
    json_decref(object);
    if (rc == ERR_OK && fields.is_bad)
        rc = ERR_INVALID;
    if (rc == ERR_OK && !slice_equal(record->id, slice_of(id.bytes, id.len)))
        rc = error_set(error, ERR_INVALID, "key and payload name different objects");
    if (rc == ERR_OK)
        rc = keep_source(record, payload);
    if (rc == ERR_NO_MEMORY)
        error_set(error, rc, "out of memory");
    if (rc != ERR_OK) {
        image_record_unref(record);
        return rc;
    }
    *ret_record = record;
    return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One schema of api/kafka, checked and with everything resolved that the emitters ask for. */
#ifndef COMMON_KAFKA_CODEGEN_SCHEMA_H
#define COMMON_KAFKA_CODEGEN_SCHEMA_H

#include "common/kafka/codegen/pool.h"
#include "common/kafka/codegen/versions.h"

#include <stdint.h>

enum message_kind {
    MESSAGE_REQUEST,
    MESSAGE_RESPONSE,
    MESSAGE_HEADER,
    MESSAGE_DATA,
    MESSAGE_COORDINATOR_KEY,
    MESSAGE_COORDINATOR_VALUE,
};

enum field_kind {
    FIELD_BOOL,
    FIELD_INT8,
    FIELD_INT16,
    FIELD_UINT16,
    FIELD_INT32,
    FIELD_INT64,
    FIELD_FLOAT64,
    FIELD_UUID,
    FIELD_STRING,
    FIELD_BYTES, /* records too: the same on the wire */
    FIELD_STRUCT,
};

struct struct_type;

struct field {
    const char *name;  /* "ThrottleTimeMs" */
    const char *snake; /* "throttle_time_ms" */
    const char *about; /* "" when the schema says nothing */
    enum field_kind kind;
    bool is_array;
    const char *type_name;    /* of a struct, as in the schema */
    struct struct_type *type; /* of a struct; NULL else */
    struct versions versions; /* cut to those of the struct it is in */
    struct versions nullable; /* cut to versions */
    const char *default_text; /* NULL: the type's own */
    bool is_tagged;
    uint32_t tag;
    bool is_never_flexible;
    bool is_zero_copy;
};

struct struct_type {
    const char *name;         /* "Topic"; the message's own for its body */
    const char *snake;        /* "topic"; "message" for the body */
    const char *c_name;       /* "kafka_produce_request_topic" */
    struct versions versions; /* in which it occurs */
    struct field *fields;
    size_t field_count;
    bool is_array_element;
    bool is_tag_value;  /* somewhere it is a tagged field: may be left out when default */
    bool has_zero_copy; /* itself or what is in it */
};

struct message {
    const char *name;  /* "ProduceRequest" */
    const char *snake; /* "produce_request" */
    const char *upper; /* "PRODUCE_REQUEST" */
    enum message_kind kind;
    int api_key; /* -1 for headers and data */
    struct versions valid;
    struct versions flexible;
    int minimum_advertised;
    bool has_version_prefix;
    struct struct_type **structs; /* inner ones first; the body last */
    size_t struct_count;
};

/* Gives up with a message when the file is not a schema. */
struct message *schema_load(struct pool *pool, const char *path);

/* The body: the last of the structs. */
const struct struct_type *message_body(const struct message *message);

/* Fewest bytes that a value of the type takes on the wire, in any of its versions. */
size_t struct_min_bytes(const struct message *message, const struct struct_type *type);

#endif

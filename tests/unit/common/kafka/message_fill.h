/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-random messages: a table of all that there are, generated, and the values it fills in. */
#ifndef TESTS_UNIT_COMMON_KAFKA_MESSAGE_FILL_H
#define TESTS_UNIT_COMMON_KAFKA_MESSAGE_FILL_H

#include "common/kafka/kafka_wire.h"

#include <check.h>

struct message_fill {
    uint64_t state; /* the seed at first; decides everything */
    struct arena *arena;
};

struct message_case {
    const char *name;  /* "ProduceRequest" */
    const char *snake; /* "produce_request" */
    int16_t lowest_version;
    int16_t highest_version;
    size_t size; /* of the struct */
    void (*init_defaults)(void *message);
    enum err (*read)(struct reader *reader, int16_t version, struct arena *arena, void *out);
    enum err (*write)(struct writer *writer, int16_t version, const void *in);
    void (*fill)(struct message_fill *fill, int16_t version, void *out);
};

extern const struct message_case message_cases[];
extern const size_t message_case_count;

/* By "ProduceRequest"; what follows a '/' is not looked at. NULL when there is none. */
const struct message_case *message_case_find(const char *name);

bool fill_bool(struct message_fill *fill);
int8_t fill_i8(struct message_fill *fill);
int16_t fill_i16(struct message_fill *fill);
uint16_t fill_u16(struct message_fill *fill);
int32_t fill_i32(struct message_fill *fill);
int64_t fill_i64(struct message_fill *fill);
double fill_f64(struct message_fill *fill);
struct uuid fill_uuid(struct message_fill *fill);
/* Null (when it may be), empty or short; sometimes longer than one compact length byte can say. */
struct slice fill_slice(struct message_fill *fill, bool nullable);
/* -1 (when it may be) to 3. */
int32_t fill_count(struct message_fill *fill, bool nullable);
void fill_i32_array(struct message_fill *fill, bool nullable, struct kafka_i32_array *out);
void fill_string_array(struct message_fill *fill, bool nullable, struct kafka_string_array *out);
void fill_check(enum err rc);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/common/kafka/message_fill.h"

/* splitmix64 */
static uint64_t next(struct message_fill *fill)
{
    uint64_t mixed = fill->state += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

const struct message_case *message_case_find(const char *name)
{
    const size_t len = strcspn(name, "/");

    for (size_t i = 0; i < message_case_count; i++)
        if (strlen(message_cases[i].name) == len && strncmp(message_cases[i].name, name, len) == 0)
            return &message_cases[i];
    return NULL;
}

bool fill_bool(struct message_fill *fill)
{
    return next(fill) % 2 == 0;
}

/* One in four is -1, which is the default of many a field. */
int64_t fill_i64(struct message_fill *fill)
{
    const uint64_t value = next(fill);

    return value % 4 == 0 ? -1 : (int64_t)value;
}

int8_t fill_i8(struct message_fill *fill)
{
    return (int8_t)fill_i64(fill);
}

int16_t fill_i16(struct message_fill *fill)
{
    return (int16_t)fill_i64(fill);
}

uint16_t fill_u16(struct message_fill *fill)
{
    return (uint16_t)fill_i64(fill);
}

int32_t fill_i32(struct message_fill *fill)
{
    return (int32_t)fill_i64(fill);
}

double fill_f64(struct message_fill *fill)
{
    return (double)fill_i64(fill) / 16;
}

struct uuid fill_uuid(struct message_fill *fill)
{
    struct uuid uuid = {{0}};

    for (size_t i = 0; fill_bool(fill) && i < sizeof(uuid.bytes); i++)
        uuid.bytes[i] = (uint8_t)next(fill);
    return uuid;
}

struct slice fill_slice(struct message_fill *fill, bool nullable)
{
    const uint64_t choice = next(fill) % 16;
    const size_t len = choice < 2 ? 0 : choice < 15 ? next(fill) % 12 : 100 + next(fill) % 200;
    uint8_t *bytes = NULL;

    if (choice == 0 && nullable)
        return SLICE_NULL;
    bytes = arena_alloc(fill->arena, len);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)next(fill);
    return slice_of(bytes, len);
}

int32_t fill_count(struct message_fill *fill, bool nullable)
{
    const int32_t count = (int32_t)(next(fill) % 5) - 1;

    return count < 0 && !nullable ? 0 : count;
}

void fill_i32_array(struct message_fill *fill, bool nullable, struct kafka_i32_array *out)
{
    const int32_t count = fill_count(fill, nullable);

    *out = (struct kafka_i32_array){NULL, -1};
    if (count < 0)
        return;
    fill_check(kafka_i32_array_init(out, fill->arena, count));
    for (int32_t i = 0; i < count; i++)
        out->items[i] = fill_i32(fill);
}

void fill_string_array(struct message_fill *fill, bool nullable, struct kafka_string_array *out)
{
    const int32_t count = fill_count(fill, nullable);

    *out = (struct kafka_string_array){NULL, -1};
    if (count < 0)
        return;
    fill_check(kafka_string_array_init(out, fill->arena, count));
    for (int32_t i = 0; i < count; i++)
        out->items[i] = fill_slice(fill, false);
}

void fill_check(enum err rc)
{
    ck_assert_int_eq(rc, ERR_OK);
}

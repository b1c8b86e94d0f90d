/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a JSON object from outside: each getter checks type and bounds. The first failure
 * sticks (message set), later getters give harmless values, so a parser reads on and asks once. */
#ifndef DATAPLANE_CLUSTER_IMAGE_FIELDS_H
#define DATAPLANE_CLUSTER_IMAGE_FIELDS_H

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/base/uuid.h"

#include <jansson.h>
#include <stdint.h>

struct image_fields {
    const json_t *object;
    struct error *error;
    bool is_bad;
};

void fields_fail(struct image_fields *fields, const char *name, const char *what);
int64_t fields_integer(struct image_fields *fields, const char *name, int64_t minimum,
                       int64_t maximum);
/* Absent or null gives otherwise. */
int64_t fields_integer_or(struct image_fields *fields, const char *name, int64_t minimum,
                          int64_t maximum, int64_t otherwise);
bool fields_bool(struct image_fields *fields, const char *name);
/* Borrowed from the JSON; never with an inner NUL; "" on failure. */
struct slice fields_text(struct image_fields *fields, const char *name, size_t min_len,
                         size_t max_len);
/* The same, copied NUL-terminated into room. */
void fields_copy(struct image_fields *fields, const char *name, size_t min_len, char *ret_text,
                 size_t room);
struct uuid fields_uuid(struct image_fields *fields, const char *name);
/* NULL when it is absent or null; anything else than an object, or an array, fails. */
const json_t *fields_object(struct image_fields *fields, const char *name);
const json_t *fields_array(struct image_fields *fields, const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* From the store's JSON (migrations/README.md) to records, and from keys to ids. Loop 0 only,
 * because a tenant keeps the usage, and a topic takes the limits, of what its image holds. */
#ifndef DATAPLANE_CLUSTER_IMAGE_PARSE_H
#define DATAPLANE_CLUSTER_IMAGE_PARSE_H

#include "dataplane/cluster/image.h"

#define IMAGE_ID_MAX 128

struct image_id {
    uint8_t bytes[IMAGE_ID_MAX];
    size_t len;
};

const char *image_kind_name(enum image_kind kind); /* "tenant" */
bool image_kind_find(struct slice name, enum image_kind *ret_kind);

/* The id that an object with this key has. ERR_INVALID. */
enum err image_id_parse(enum image_kind kind, struct slice key,
                        struct image_id *ret_id) WARN_UNUSED;

struct image_parser {
    const struct image *image; /* of loop 0 */
    int64_t now_us;
};

/* One reference, for the caller. A topic comes without replicas (all NULL). ERR_INVALID,
 * ERR_TOO_LARGE, ERR_NO_MEMORY; the message names the field. */
enum err image_parse(const struct image_parser *parser, enum image_kind kind, struct slice key,
                     struct slice payload, struct image_record **ret_record,
                     struct error *error) WARN_UNUSED;

#endif

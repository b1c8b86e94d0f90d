/* SPDX-License-Identifier: Apache-2.0 */
/* One parser a kind; each makes a record whose kind is set and whose id points into it. */
#ifndef DATAPLANE_CLUSTER_IMAGE_PARSE_INTERNAL_H
#define DATAPLANE_CLUSTER_IMAGE_PARSE_INTERNAL_H

#include "dataplane/cluster/image_fields.h"
#include "dataplane/cluster/image_parse.h"

/* All zero, one reference. */
struct image_record *image_record_new(enum image_kind kind, size_t size);

enum err image_parse_tenant(const struct image_parser *parser, struct image_fields *fields,
                            struct image_record **ret_record) WARN_UNUSED;
enum err image_parse_topic(const struct image_parser *parser, struct image_fields *fields,
                           struct image_record **ret_record) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata image of one loop: tables of pointers to shared records, touched on that loop only.
 *
 * Lookups are plain reads without locks. What they return is borrowed until the end of the turn of
 * the loop; to keep it longer take image_record_ref(&x->record). A topic is always asked for
 * together with the caller's instance: one of another instance looks unknown, by name and by id.
 *
 * Each version is applied whole, then the observers of this loop are told object by object; they
 * see the image as it is after the whole version. */
#ifndef DATAPLANE_CLUSTER_IMAGE_H
#define DATAPLANE_CLUSTER_IMAGE_H

#include "common/base/list.h"
#include "dataplane/cluster/image_records.h"

struct image;

int64_t image_version(const struct image *image); /* 0 = nothing known yet */

/* NULL = not known. */
const struct image_tenant *image_tenant_by_no(const struct image *image, int32_t instance_no);
const struct image_tenant *image_tenant_by_uuid(const struct image *image, struct uuid instance);
const struct image_tenant *image_tenant_by_label(const struct image *image, struct slice label);
const struct image_credential *image_credential_by_key_id(const struct image *image,
                                                          struct slice key_id);
const struct image_listener *image_listener_find(const struct image *image, int32_t broker,
                                                 struct slice name);
const struct image_broker *image_broker_by_id(const struct image *image, int32_t broker);
const struct image_topic *image_topic_by_name(const struct image *image, int32_t instance_no,
                                              struct slice name);
const struct image_topic *image_topic_by_id(const struct image *image, int32_t instance_no,
                                            struct uuid topic_id);

/* All of an instance's topics (internal ones too) in the order of their names: 0 … count-1. */
size_t image_topic_count(const struct image *image, int32_t instance_no);
const struct image_topic *image_topic_at(const struct image *image, int32_t instance_no,
                                         size_t index);
/* Index of the first topic whose name is not before `name`; count when there is none (cursors). */
size_t image_topic_position(const struct image *image, int32_t instance_no, struct slice name);

/* Partitions of all topics of an instance, internal ones left out: they count against no limit. */
int64_t image_partition_count(const struct image *image, int32_t instance_no);

/* Tenants in the order of their numbers. */
size_t image_tenant_count(const struct image *image);
const struct image_tenant *image_tenant_at(const struct image *image, size_t index);

/* Brokers of the cell in the order of ids; listeners in the order of (broker, name). */
size_t image_broker_count(const struct image *image);
const struct image_broker *image_broker_at(const struct image *image, size_t index);
size_t image_listener_count(const struct image *image);
const struct image_listener *image_listener_at(const struct image *image, size_t index);

/* All objects of a kind, whoever's they are, in no particular order; previous NULL = first, NULL = end. Nothing may change meanwhile. */
const struct image_record *image_next(const struct image *image, enum image_kind kind,
                                      const struct image_record *previous);

/* before NULL = new, after NULL = removed; borrowed for the call. */
struct image_change {
    enum image_kind kind;
    const struct image_record *before;
    const struct image_record *after;
};

struct image_observer {
    void (*changed)(struct image_observer *observer, const struct image_change *change);
    struct list link;
};

/* On the image's loop, or before the loops run. Told in the order of registration. Not from
 * changed(). */
void image_observe(struct image *image, struct image_observer *observer);
void image_unobserve(struct image_observer *observer);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* How the cluster fills images. Everything is on the image's loop, or before the loops run.
 *
 * Memory for an image is memory the broker cannot do without: an image that could not follow a
 * version would serve a past that the store believes gone. Running out of it here is fatal. */
#ifndef DATAPLANE_CLUSTER_IMAGE_INTERNAL_H
#define DATAPLANE_CLUSTER_IMAGE_INTERNAL_H

#include "common/base/hash_table.h"
#include "dataplane/cluster/image.h"

enum err image_new(struct hash_seed seed, struct image **ret_image) WARN_UNUSED;
void image_free(struct image *image); /* NULL is allowed */

/* Takes references of its own and gives up those of `before`, which must be what the image holds.
 */
void image_apply(struct image *image, const struct image_change *change);
void image_set_version(struct image *image, int64_t version);
/* Tells the observers of one change that was applied. */
void image_notify(const struct image *image, const struct image_change *change);

/* By the id of its kind (uuid bytes or text), whoever's it is; NULL = not known. */
const struct image_record *image_find(const struct image *image, enum image_kind kind,
                                      struct slice id);
size_t image_record_count(const struct image *image, enum image_kind kind);

#endif

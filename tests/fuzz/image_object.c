/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of the metadata store. The first byte chooses the kind; then the key, a zero byte, the payload.
 * What is taken must be usable: it goes into an image and comes out again. */
#include "dataplane/cluster/image_internal.h"
#include "dataplane/cluster/image_parse.h"
#include "tests/unit/dataplane/cluster/fake_replica.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *zero = len > 1 ? memchr(data + 1, 0, len - 1) : NULL;
    struct image *image = NULL;
    struct image_record *record = NULL;
    struct image_parser parser = {.now_us = 1};
    struct error error;
    enum image_kind kind = IMAGE_TENANT;

    if (zero == NULL || image_new((struct hash_seed){1, 2}, &image) != ERR_OK)
        return 0;
    fake_replicas_reset();
    parser.image = image;
    kind = (enum image_kind)(data[0] % IMAGE_KIND_COUNT);
    if (image_parse(&parser, kind, slice_of(data + 1, (size_t)(zero - data - 1)),
                    slice_of(zero + 1, len - (size_t)(zero - data) - 1), &record,
                    &error) == ERR_OK) {
        image_apply(image, &(struct image_change){.kind = kind, .after = record});
        invariant(image_find(image, kind, record->id) == record);
        image_record_unref(record);
    } else {
        invariant(strlen(error.message) > 0);
    }
    image_free(image);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* meta.json: whose directory this is. Small, replaced whole. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/storage/log_directory_internal.h"

#define META_FILE "meta.json"
#define META_FORMAT 1
#define META_MAX_BYTES 4096

static enum err parse(struct slice bytes, struct directory_meta *meta, struct error *error)
{
    json_error_t why;
    json_int_t format = 0;
    json_int_t broker = 0;
    const char *cell = NULL;
    const char *directory = NULL;
    json_t *root = json_loadb((const char *)bytes.data, bytes.len, JSON_REJECT_DUPLICATES, &why);
    enum err rc = ERR_OK;

    if (root == NULL)
        return error_set(error, ERR_CORRUPT, "meta.json is no JSON: %s", why.text);
    if (json_unpack_ex(root, &why, 0, "{s:I}", "format", &format) != 0)
        rc = error_set(error, ERR_CORRUPT, "meta.json: %s", why.text);
    else if (format != META_FORMAT)
        rc = error_set(error, ERR_UNSUPPORTED,
                       "the data directory has format %" JSON_INTEGER_FORMAT
                       ", this broker knows %d; start the broker version that wrote it",
                       format, META_FORMAT);
    else if (json_unpack_ex(root, &why, 0, "{s:s, s:I, s:s}", "cell", &cell, "broker", &broker,
                            "directory", &directory) != 0 ||
             broker < INT32_MIN || broker > INT32_MAX ||
             uuid_parse(slice_from_cstring(cell), &meta->cell_id) != ERR_OK ||
             uuid_parse(slice_from_cstring(directory), &meta->directory_id) != ERR_OK)
        rc = error_set(error, ERR_CORRUPT, "meta.json is damaged; restore it from a copy");
    meta->broker_id = (int32_t)broker;
    json_decref(root);
    return rc;
}

enum err directory_meta_load(struct disk *disk, struct directory_meta *ret_meta,
                             struct error *error)
{
    struct directory_meta meta = {.broker_id = -1};
    uint8_t *data = NULL;
    size_t len = 0;
    enum err rc = disk_read_file(disk, META_FILE, META_MAX_BYTES, &data, &len);

    if (rc != ERR_OK)
        return error_set(error, rc, "cannot read meta.json: %s", err_text(rc));
    rc = parse(slice_of(data, len), &meta, error);
    free(data);
    if (rc == ERR_OK)
        *ret_meta = meta;
    return rc;
}

enum err directory_meta_save(struct disk *disk, const struct directory_meta *meta)
{
    char text[META_MAX_BYTES];
    char cell[UUID_TEXT_LEN + 1];
    char directory[UUID_TEXT_LEN + 1];
    int len = 0;

    uuid_format(meta->cell_id, cell);
    uuid_format(meta->directory_id, directory);
    len = snprintf(text, sizeof(text),
                   "{\"format\": %d, \"cell\": \"%s\", \"broker\": %" PRId32
                   ", \"directory\": \"%s\"}\n",
                   META_FORMAT, cell, meta->broker_id, directory);
    return disk_replace_file(disk, "", META_FILE, text, (size_t)len);
}

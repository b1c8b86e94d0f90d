/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/common/port/disk_rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void disk_rig_init(struct disk_rig *rig)
{
    snprintf(rig->root, sizeof(rig->root), "/tmp/millrace-disk-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig->root));
    ck_assert_int_eq(posix_disk_open(rig->root, &rig->disk, NULL), ERR_OK);
}

static bool remove_each(void *context, const char *name, bool is_directory)
{
    struct disk *disk = context;

    if (is_directory)
        ck_assert_int_eq(disk->ops->remove_dir(disk, name), ERR_OK);
    else
        ck_assert_int_eq(disk->ops->remove(disk, name), ERR_OK);
    return true;
}

void disk_rig_done(struct disk_rig *rig)
{
    ck_assert_int_eq(rig->disk->ops->list(rig->disk, "", remove_each, rig->disk), ERR_OK);
    posix_disk_close(rig->disk);
    ck_assert_int_eq(rmdir(rig->root), 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A real disk below a directory of its own, which a fixture makes for each test and takes away. */
#ifndef TESTS_UNIT_COMMON_PORT_DISK_RIG_H
#define TESTS_UNIT_COMMON_PORT_DISK_RIG_H

#include "common/port/disk.h"

struct disk_rig {
    char root[64];
    struct disk *disk;
};

void disk_rig_init(struct disk_rig *rig);
/* With all that was made there. */
void disk_rig_done(struct disk_rig *rig);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of a file that let others have the device.
 *
 * In pieces, so that a sync of somebody else waits in the device's queue behind no more than one of each reader. While a
 * hurry is under way (right_of_way.h), a piece that is not in memory gives way before it is read; one that is in memory
 * does not. */
#ifndef COMMON_PORT_POLITE_READ_H
#define COMMON_PORT_POLITE_READ_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/port/right_of_way.h"

#define POLITE_READ_PIECE_BYTES ((size_t)256 << 10)

/* As read_at of disk.h. Blocking; any thread. */
enum err polite_read(struct right_of_way *way, int fd, int64_t offset, void *data, size_t len,
                     size_t *ret_len) WARN_UNUSED;

#endif

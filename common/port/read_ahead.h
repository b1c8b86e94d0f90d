/* SPDX-License-Identifier: Apache-2.0 */
/* How far the system reads ahead of who reads a file, by the settings of its device (queue/read_ahead_kb).
 *
 * It reads ahead in large pages, which are cheaper to read from later, and keeps a device busy between two reads of one
 * reader; but what it asks for at once is what others then wait behind. 128 KiB is Linux's default; some images of
 * machines have 8 MiB. */
#ifndef COMMON_PORT_READ_AHEAD_H
#define COMMON_PORT_READ_AHEAD_H

#include <stdint.h>

/* In bytes, of the device that has the file; -1 = it cannot be told. sysfs: where that is mounted. Blocking; any thread. */
int64_t read_ahead_bytes(int fd, const char *sysfs);

#endif

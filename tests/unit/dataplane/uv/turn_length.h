/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_DATAPLANE_UV_TURN_LENGTH_H
#define TESTS_UNIT_DATAPLANE_UV_TURN_LENGTH_H

#include <stdbool.h>
#include <stdint.h>

/* Of the calling thread, as the kernel says it; 0 = it does not say. */
int64_t turn_length_ns(void);
/* Whether a thread may choose it: Linux 6.12 and later. */
bool turn_length_can_be_chosen(void);

#endif

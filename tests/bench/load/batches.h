/* SPDX-License-Identifier: Apache-2.0 */
/* Record batches of a load. A quarter of the bytes of each value is random, the rest repeats itself. */
#ifndef TESTS_BENCH_LOAD_BATCHES_H
#define TESTS_BENCH_LOAD_BATCHES_H

#include "common/base/slice.h"

/* One batch of as many records as fit, at least one. The caller frees its data. */
struct slice batch_build(int record_bytes, int batch_bytes, int32_t *ret_records);

/* A time in the first value, and the CRC made right again; batch: writable bytes of batch_build. */
void batch_stamp(uint8_t *batch, size_t len, int64_t time_ns);
/* -1 = the batch is none of ours, or not whole. */
int64_t batch_stamped(struct slice batch);

/* What fetched records consist of, header by header. The last batch may be incomplete: it is left out. */
struct batch_walk {
    struct slice left;
    struct slice batch; /* the one at hand */
    int64_t next_offset;
    int32_t records;
};
bool batch_walk_next(struct batch_walk *walk);

#endif

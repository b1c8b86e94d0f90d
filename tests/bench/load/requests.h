/* SPDX-License-Identifier: Apache-2.0 */
/* The few requests of a load, by hand, in versions that every server has: whole frames, with their length and the
 * correlation id 0 (answers come in order). Frames that are returned are the caller's, to be freed.
 *
 * Answers are without their length. What is no good answer ends the process. */
#ifndef TESTS_BENCH_LOAD_REQUESTS_H
#define TESTS_BENCH_LOAD_REQUESTS_H

#include "common/base/slice.h"
#include "tests/bench/load/load_options.h"

struct slice request_mechanism(void);
struct slice request_plain_login(const char *user, const char *password);
void answer_check_login(struct slice answer);

/* Metadata of the topic, which may be made by it. False: it is not led yet. */
struct slice request_metadata(const char *topic);
bool answer_is_led(struct slice answer);

/* One batch for each of `batches` partitions from first_partition on, round and round. *ret_batch_at is where in the frame the
 * first batch is. */
struct slice request_produce(const struct load_options *options, int32_t first_partition,
                             struct slice batch, size_t *ret_batch_at);
/* The error code, 0 = all were appended. */
int answer_produce_error(struct slice answer);

/* From each of the partitions, `positions` says where. */
struct fetch_position {
    int32_t partition;
    int64_t offset;
};
struct slice request_fetch(const struct load_options *options,
                           const struct fetch_position *positions, int count, int32_t wait_ms);
/* each(partition, high watermark, its records, which may end in the middle of a batch). */
void answer_fetch(struct slice answer,
                  void (*each)(void *context, int32_t partition, int64_t high_watermark,
                               struct slice records),
                  void *context);

#endif

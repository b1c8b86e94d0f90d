/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket as one number: the time at which all that was taken so far would have been earned
 * (theoretical arrival time). It lies at most the bucket's depth behind now (a full bucket) and
 * runs ahead of now by what is owed. The rate is an argument, so that a new plan counts at once.
 *
 *   full bucket    earned_ns = now - depth          take(bytes): earned_ns += bytes / rate
 *   empty          earned_ns = now                  owed: earned_ns - now > 0 = how long to be mute
 *
 * One request may overdraw it, as in Kafka: the bytes are taken and the answer says for how long
 * the client is muted. Any loop may take: the number is one atomic and its order with other memory
 * does not matter. Pure: time comes in as an argument. */
#ifndef DATAPLANE_QUOTA_TOKEN_BUCKET_H
#define DATAPLANE_QUOTA_TOKEN_BUCKET_H

#include <stdatomic.h>
#include <stdint.h>

#define TOKEN_BUCKET_DEPTH_US 250000
#define TOKEN_BUCKET_MAX_THROTTLE_MS 30000 /* no answer asks for more at once */

struct token_bucket {
    _Atomic int64_t earned_ns;
    int64_t depth_us; /* what a full one holds, as time */
};

/* A full bucket. */
void token_bucket_init(struct token_bucket *bucket, int64_t depth_us, int64_t now_us);

/* Takes bytes at a rate of bytes_per_second (-1 = no bound: takes nothing). Returns
 * throttle_time_ms, rounded up; 0 = within the quota. */
int32_t token_bucket_take(struct token_bucket *bucket, int64_t bytes_per_second, int64_t bytes,
                          int64_t now_us);

/* Gives back what was taken and not used, at the same rate. */
void token_bucket_give(struct token_bucket *bucket, int64_t bytes_per_second, int64_t bytes);

/* What a full bucket holds at a rate, in bytes; INT64_MAX without a bound. */
int64_t token_bucket_depth(const struct token_bucket *bucket, int64_t bytes_per_second);

/* How long until the bucket owes nothing, in ms rounded up, without taking: what a fetch asks
 * before it reads anything. */
int32_t token_bucket_throttle_ms(const struct token_bucket *bucket, int64_t bytes_per_second,
                                 int64_t now_us);

#endif

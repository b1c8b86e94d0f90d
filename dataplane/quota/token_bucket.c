/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/quota/token_bucket.h"

#define NS_PER_US 1000
#define NS_PER_MS 1000000
#define NS_PER_SECOND 1000000000
#define US_PER_SECOND 1000000
#define MAX_COST_NS                                                                                \
    (3600 * (int64_t)NS_PER_SECOND) /* of one request; keeps sums far from overflow */

void token_bucket_init(struct token_bucket *bucket, int64_t depth_us, int64_t now_us)
{
    bucket->depth_us = depth_us;
    atomic_init(&bucket->earned_ns, (now_us - depth_us) * NS_PER_US);
}

static int32_t owed_ms(int64_t earned_ns, int64_t now_ns)
{
    int64_t owed_ns = earned_ns - now_ns;

    if (owed_ns <= 0)
        return 0;
    if (owed_ns > (int64_t)TOKEN_BUCKET_MAX_THROTTLE_MS * NS_PER_MS)
        return TOKEN_BUCKET_MAX_THROTTLE_MS;
    return (int32_t)((owed_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/* A rate of 0 earns nothing: every byte costs the most there is. */
static int64_t cost_of(int64_t bytes, int64_t bytes_per_second)
{
    int64_t product = 0;

    if (bytes_per_second == 0 || __builtin_mul_overflow(bytes, (int64_t)NS_PER_SECOND, &product))
        return MAX_COST_NS;
    product /= bytes_per_second;
    return product < MAX_COST_NS ? product : MAX_COST_NS;
}

int32_t token_bucket_take(struct token_bucket *bucket, int64_t bytes_per_second, int64_t bytes,
                          int64_t now_us)
{
    int64_t now_ns = now_us * NS_PER_US;
    int64_t full_ns = now_ns - bucket->depth_us * NS_PER_US;
    int64_t limit_ns = now_ns + MAX_COST_NS;
    int64_t before = atomic_load_explicit(&bucket->earned_ns, memory_order_relaxed);
    int64_t after = 0;

    if (bytes_per_second < 0 || bytes <= 0)
        return 0;
    do {
        after = (before > full_ns ? before : full_ns) + cost_of(bytes, bytes_per_second);
        if (after > limit_ns)
            after = limit_ns;
    } while (!atomic_compare_exchange_weak_explicit(&bucket->earned_ns, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    return owed_ms(after, now_ns);
}

void token_bucket_give(struct token_bucket *bucket, int64_t bytes_per_second, int64_t bytes)
{
    if (bytes_per_second <= 0 || bytes <= 0)
        return;
    atomic_fetch_sub_explicit(&bucket->earned_ns, cost_of(bytes, bytes_per_second),
                              memory_order_relaxed);
}

int64_t token_bucket_depth(const struct token_bucket *bucket, int64_t bytes_per_second)
{
    int64_t product = 0;

    if (bytes_per_second < 0 ||
        __builtin_mul_overflow(bytes_per_second, bucket->depth_us, &product))
        return INT64_MAX;
    return product / US_PER_SECOND;
}

int32_t token_bucket_throttle_ms(const struct token_bucket *bucket, int64_t bytes_per_second,
                                 int64_t now_us)
{
    if (bytes_per_second < 0)
        return 0;
    return owed_ms(atomic_load_explicit(&bucket->earned_ns, memory_order_relaxed),
                   now_us * NS_PER_US);
}

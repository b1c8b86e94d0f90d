/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that one thread changes and any thread reads: what metrics are made of.
 *
 * There is one writer, so that adding is a plain load and a plain store: no locked instruction on a hot
 * path. Readers may be a moment late; numbers that belong together need not agree. */
#ifndef COMMON_OBSERVE_COUNTER_H
#define COMMON_OBSERVE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic int64_t value;
};

/* The writer. */
static inline void counter_add(struct counter *counter, int64_t more)
{
    int64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);

    atomic_store_explicit(&counter->value, value + more, memory_order_relaxed);
}

/* Where there are several writers. */
static inline void counter_add_shared(struct counter *counter, int64_t more)
{
    atomic_fetch_add_explicit(&counter->value, more, memory_order_relaxed);
}

/* The writer. For gauges: what it is now. */
static inline void counter_set(struct counter *counter, int64_t value)
{
    atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

/* Any thread. */
static inline int64_t counter_read(const struct counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

#endif

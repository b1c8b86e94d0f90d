/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness as a port. system_random is RAND_bytes, checked; simulations use a seeded one. */
#ifndef COMMON_PORT_RANDOM_H
#define COMMON_PORT_RANDOM_H

#include "common/base/error.h"

#include <stddef.h>
#include <stdint.h>

struct random {
    enum err (*fill)(struct random *random, void *data, size_t len);
};

static inline WARN_UNUSED enum err random_fill(struct random *random, void *data, size_t len)
{
    return random->fill(random, data, len);
}

/* SplitMix64: for simulations and jitter, never for secrets. */
struct seeded_random {
    struct random base;
    uint64_t state;
};

void seeded_random_init(struct seeded_random *random, uint64_t seed);
uint64_t seeded_random_u64(struct seeded_random *random);
/* Uniform in [0, bound); bound > 0. */
uint64_t seeded_random_below(struct seeded_random *random, uint64_t bound);

extern struct random system_random; /* any thread */

#endif

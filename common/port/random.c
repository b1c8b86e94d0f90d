/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/random.h"

#include "common/base/list.h"

#include <limits.h>
#include <openssl/rand.h>
#include <string.h>

static enum err system_fill(struct random *random, void *data, size_t len)
{
    (void)random;
    if (len > INT_MAX)
        return ERR_TOO_LARGE;
    return RAND_bytes(data, (int)len) == 1 ? ERR_OK : ERR_UNAVAILABLE;
}

struct random system_random = {system_fill};

uint64_t seeded_random_u64(struct seeded_random *random)
{
    uint64_t z = (random->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t seeded_random_below(struct seeded_random *random, uint64_t bound)
{
    /* The bias of the product is below 2^-32 for the bounds that simulations use. */
    return (uint64_t)(((unsigned __int128)seeded_random_u64(random) * bound) >> 64);
}

static enum err seeded_fill(struct random *random, void *data, size_t len)
{
    struct seeded_random *seeded = container_of(random, struct seeded_random, base);
    uint8_t *at = data;

    while (len > 0) {
        uint64_t word = seeded_random_u64(seeded);
        size_t part = len < sizeof(word) ? len : sizeof(word);

        memcpy(at, &word, part);
        at += part;
        len -= part;
    }
    return ERR_OK;
}

void seeded_random_init(struct seeded_random *random, uint64_t seed)
{
    random->base.fill = seeded_fill;
    random->state = seed;
}

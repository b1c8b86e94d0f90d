/* SPDX-License-Identifier: Apache-2.0 */
/* Sums and products of numbers that came from outside. True = fits and *ret is set. */
#ifndef COMMON_BASE_CHECKED_H
#define COMMON_BASE_CHECKED_H

#include "common/base/error.h"

#include <stddef.h>
#include <stdint.h>

static inline WARN_UNUSED bool checked_add(size_t a, size_t b, size_t *ret)
{
    return !__builtin_add_overflow(a, b, ret);
}

static inline WARN_UNUSED bool checked_mul(size_t a, size_t b, size_t *ret)
{
    return !__builtin_mul_overflow(a, b, ret);
}

static inline WARN_UNUSED bool checked_add_i64(int64_t a, int64_t b, int64_t *ret)
{
    return !__builtin_add_overflow(a, b, ret);
}

static inline WARN_UNUSED bool checked_mul_i64(int64_t a, int64_t b, int64_t *ret)
{
    return !__builtin_mul_overflow(a, b, ret);
}

#endif

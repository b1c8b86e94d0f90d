/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/quota/memory_budget.h"

#include "common/base/error.h"

void memory_budget_init(struct memory_budget *budget, const struct memory_limits *limits)
{
    budget->limits = *limits;
    atomic_init(&budget->used_bytes, 0);
    atomic_init(&budget->refusals, 0);
    atomic_init(&budget->strangers.used_bytes, 0);
    atomic_init(&budget->has_finisher, false);
}

static int64_t add(_Atomic int64_t *number, int64_t bytes)
{
    return atomic_fetch_add_explicit(number, bytes, memory_order_relaxed) + bytes;
}

static bool is_granted(const struct memory_budget *budget, const struct memory_account *account,
                       int64_t mine, int64_t all)
{
    const struct memory_limits *limits = &budget->limits;

    if (account == &budget->strangers)
        return mine <= limits->stranger_bytes && all <= limits->limit_bytes;
    if (mine <= limits->guarantee_bytes)
        return all <= limits->limit_bytes;
    return mine <= limits->instance_bytes && all <= limits->shared_bytes;
}

bool memory_take(struct memory_budget *budget, struct memory_account *account, size_t bytes)
{
    int64_t mine = add(&account->used_bytes, (int64_t)bytes);
    int64_t all = add(&budget->used_bytes, (int64_t)bytes);

    if (is_granted(budget, account, mine, all))
        return true;
    memory_give(budget, account, bytes);
    atomic_fetch_add_explicit(&budget->refusals, 1, memory_order_relaxed);
    return false;
}

bool memory_take_to_finish(struct memory_budget *budget, struct memory_account *account,
                           bool *is_finisher, size_t bytes)
{
    if (memory_take(budget, account, bytes))
        return true;
    /* Strangers' frames are small and have a deadline of their own. */
    if (account == &budget->strangers)
        return false;
    if (!*is_finisher)
        *is_finisher = !atomic_exchange_explicit(&budget->has_finisher, true, memory_order_relaxed);
    if (!*is_finisher)
        return false;
    memory_force(budget, account, bytes);
    return true;
}

void memory_finished(struct memory_budget *budget, bool *is_finisher)
{
    if (*is_finisher)
        atomic_store_explicit(&budget->has_finisher, false, memory_order_relaxed);
    *is_finisher = false;
}

void memory_force(struct memory_budget *budget, struct memory_account *account, size_t bytes)
{
    (void)add(&account->used_bytes, (int64_t)bytes);
    (void)add(&budget->used_bytes, (int64_t)bytes);
}

void memory_give(struct memory_budget *budget, struct memory_account *account, size_t bytes)
{
    int64_t mine = add(&account->used_bytes, -(int64_t)bytes);
    int64_t all = add(&budget->used_bytes, -(int64_t)bytes);

    invariant(mine >= 0 && all >= 0);
}

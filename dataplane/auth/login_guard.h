/* SPDX-License-Identifier: Apache-2.0 */
/* What one loop remembers of those who are not logged in: how many strangers an address has, and who has
 * failed lately. Nobody is locked out: a right login is answered at once, wherever it comes from and
 * whatever was tried before. What grows is the time until a failure is told:
 *
 *   delay = max(delay of the address, delay of the key), 100 ms doubling to 5 s
 *
 * a key id from its second failure on, an address from its 20th (many clients may share one). A failure is
 * forgotten after ten seconds. Together with a bound on strangers this bounds the guesses of an address to
 * (strangers of an address) / 5 s, without a thread or a lock. Unknown key ids are remembered as known ones.
 *
 * At most LOGIN_GUARD_ENTRIES addresses and keys are remembered; the one not seen for longest goes first. */
#ifndef DATAPLANE_AUTH_LOGIN_GUARD_H
#define DATAPLANE_AUTH_LOGIN_GUARD_H

#include "common/base/hash_table.h"
#include "common/base/list.h"

enum { LOGIN_GUARD_ENTRIES = 4096, LOGIN_GUARD_FREE_FAILURES = 20 };

#define LOGIN_GUARD_DELAY_US 100000
#define LOGIN_GUARD_MOST_DELAY_US 5000000
#define LOGIN_GUARD_FORGET_US 10000000

struct login_guard_limits {
    size_t strangers;             /* connections before login, on this loop */
    size_t strangers_per_address; /* of them, from one address */
};

struct login_guard {
    struct login_guard_limits limits;
    struct hash_table entries;
    struct list by_age; /* the one not seen for longest first */
    size_t strangers;
};

void login_guard_init(struct login_guard *guard, const struct login_guard_limits *limits,
                      struct hash_seed seed);
void login_guard_done(struct login_guard *guard);

/* A stranger comes; false = too many are here: close. */
bool login_guard_admit(struct login_guard *guard, const char *address);
/* It is logged in, or gone. */
void login_guard_leave(struct login_guard *guard, const char *address);

/* A login failed. key_id: what was tried, "" = none. Returns how long to wait with the answer.
 * *ret_is_notable: worth a line in the log; failures 1, 2, 4, 8 … of the address are. */
int64_t login_guard_fail(struct login_guard *guard, const char *address, const char *key_id,
                         int64_t now_us, bool *ret_is_notable);

#endif

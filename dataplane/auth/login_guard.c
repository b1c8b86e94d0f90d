/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/auth/login_guard.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_LEN = 71, MOST_LOOKED_AT = 8, MOST_FAILURES = 1 << 20 };

struct guard_entry {
    struct hash_node node;
    struct list link;            /* in by_age */
    char name[NAME_MAX_LEN + 1]; /* "a" and an address, or "k" and a key id */
    size_t strangers;
    int64_t failures;  /* those not yet forgotten */
    int64_t forgot_us; /* up to when they were forgotten */
};

void login_guard_init(struct login_guard *guard, const struct login_guard_limits *limits,
                      struct hash_seed seed)
{
    *guard = (struct login_guard){.limits = *limits};
    hash_table_init(&guard->entries, seed);
    list_init(&guard->by_age);
}

static void drop(struct login_guard *guard, struct guard_entry *entry)
{
    hash_table_remove(&guard->entries, &entry->node);
    list_remove(&entry->link);
    free(entry);
}

void login_guard_done(struct login_guard *guard)
{
    while (!list_is_empty(&guard->by_age))
        drop(guard, container_of(guard->by_age.next, struct guard_entry, link));
    hash_table_done(&guard->entries);
}

static bool is_entry(const struct hash_node *node, const void *key)
{
    return strcmp(container_of(node, const struct guard_entry, node)->name, key) == 0;
}

static void make_room(struct login_guard *guard)
{
    for (int i = 0; guard->entries.count >= LOGIN_GUARD_ENTRIES && i < MOST_LOOKED_AT; i++) {
        struct guard_entry *oldest = container_of(guard->by_age.next, struct guard_entry, link);

        if (oldest->strangers == 0) {
            drop(guard, oldest);
            continue;
        }
        list_remove(&oldest->link);
        list_push_back(&guard->by_age, &oldest->link);
    }
}

static struct guard_entry *find(struct login_guard *guard, const char *name, uint64_t hash)
{
    struct hash_node *node = hash_table_find(&guard->entries, hash, is_entry, name);

    return node ? container_of(node, struct guard_entry, node) : NULL;
}

/* Finds or makes; NULL = no memory. */
static struct guard_entry *touch(struct login_guard *guard, char kind, const char *text,
                                 int64_t now_us)
{
    char name[NAME_MAX_LEN + 1];
    struct guard_entry *entry = NULL;
    uint64_t hash = 0;

    snprintf(name, sizeof(name), "%c%.70s", kind, text);
    hash = hash_bytes(guard->entries.seed, name, strlen(name));
    entry = find(guard, name, hash);
    if (entry != NULL) {
        list_remove(&entry->link);
        list_push_back(&guard->by_age, &entry->link);
        return entry;
    }
    make_room(guard);
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    memcpy(entry->name, name, sizeof(name));
    entry->forgot_us = now_us;
    if (hash_table_insert(&guard->entries, hash, &entry->node) != ERR_OK) {
        free(entry);
        return NULL;
    }
    list_push_back(&guard->by_age, &entry->link);
    return entry;
}

bool login_guard_admit(struct login_guard *guard, const char *address)
{
    struct guard_entry *entry = NULL;

    if (guard->strangers >= guard->limits.strangers)
        return false;
    entry = touch(guard, 'a', address, 0);
    if (entry == NULL || entry->strangers >= guard->limits.strangers_per_address)
        return false;
    entry->strangers++;
    guard->strangers++;
    return true;
}

void login_guard_leave(struct login_guard *guard, const char *address)
{
    struct guard_entry *entry = touch(guard, 'a', address, 0);

    invariant(entry != NULL && entry->strangers > 0 && guard->strangers > 0);
    entry->strangers--;
    guard->strangers--;
}

/* Counts one failure more; how many there were before that are not forgotten. */
static int64_t count_failure(struct guard_entry *entry, int64_t now_us)
{
    int64_t forgotten = (now_us - entry->forgot_us) / LOGIN_GUARD_FORGET_US;
    int64_t before = entry->failures;

    if (forgotten >= before) {
        before = 0;
        entry->forgot_us = now_us;
    } else {
        before -= forgotten;
        entry->forgot_us += forgotten * LOGIN_GUARD_FORGET_US;
    }
    entry->failures = before < MOST_FAILURES ? before + 1 : before;
    return before;
}

static int64_t delay_after(int64_t failures)
{
    int64_t delay_us = LOGIN_GUARD_DELAY_US;

    while (failures-- > 0 && delay_us < LOGIN_GUARD_MOST_DELAY_US)
        delay_us *= 2;
    return delay_us < LOGIN_GUARD_MOST_DELAY_US ? delay_us : LOGIN_GUARD_MOST_DELAY_US;
}

int64_t login_guard_fail(struct login_guard *guard, const char *address, const char *key_id,
                         int64_t now_us, bool *ret_is_notable)
{
    struct guard_entry *of_address = touch(guard, 'a', address, now_us);
    int64_t address_failures = of_address ? count_failure(of_address, now_us) : 0;
    struct guard_entry *of_key = key_id[0] != '\0' ? touch(guard, 'k', key_id, now_us) : NULL;
    int64_t key_delay_us = delay_after(of_key ? count_failure(of_key, now_us) : 0);
    int64_t address_delay_us = delay_after(address_failures - LOGIN_GUARD_FREE_FAILURES + 1);

    *ret_is_notable = ((address_failures + 1) & address_failures) == 0;
    return key_delay_us > address_delay_us ? key_delay_us : address_delay_us;
}

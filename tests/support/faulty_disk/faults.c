/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/faulty_disk/faults.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RULES_MAX 32
#define PATTERN_BYTES 128

static const char *const kind_names[] = {
    [FAULT_READ_ERROR] = "read-error", [FAULT_WRITE_ERROR] = "write-error",
    [FAULT_SYNC_ERROR] = "sync-error", [FAULT_SYNC_LIE] = "sync-lie",
    [FAULT_SLOW_SYNC] = "slow-sync",   [FAULT_SHORT_WRITE] = "short-write",
    [FAULT_NO_SPACE] = "no-space",     [FAULT_FREE_SPACE] = "free-space",
};

struct rule {
    enum fault_kind kind;
    char pattern[PATTERN_BYTES];
    int64_t number; /* times left, or bytes; -1 = no bound */
};

static struct {
    pthread_mutex_t lock;
    const char *control_file;
    struct stat seen; /* of the file that `rules` came from */
    struct rule rules[RULES_MAX];
    int count;
} faults = {.lock = PTHREAD_MUTEX_INITIALIZER};

void faults_init(const char *control_file)
{
    faults.control_file = control_file;
}

static void refuse_line(const char *line)
{
    fprintf(stderr, "faulty_disk: %s: not a rule: %s\n", faults.control_file, line);
    abort();
}

static void add_rule(const char *line)
{
    struct rule rule = {.number = -1};
    char name[32];
    long long number = -1;

    if (line[strspn(line, " \n")] == '\0')
        return;
    if (faults.count == RULES_MAX ||
        sscanf(line, "%31s %127s %lld", name, rule.pattern, &number) < 2)
        refuse_line(line);
    rule.number = number;
    for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
        if (strcmp(name, kind_names[i]) == 0) {
            rule.kind = (enum fault_kind)i;
            faults.rules[faults.count++] = rule;
            return;
        }
    }
    refuse_line(line);
}

/* With the lock. */
static void reload_if_new(void)
{
    struct stat now = {0};
    char line[256];
    FILE *file = NULL;

    if (faults.control_file == NULL)
        return;
    if (stat(faults.control_file, &now) != 0)
        memset(&now, 0, sizeof(now));
    if (now.st_ino == faults.seen.st_ino && now.st_mtim.tv_sec == faults.seen.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == faults.seen.st_mtim.tv_nsec)
        return;
    faults.seen = now;
    faults.count = 0;
    file = now.st_ino == 0 ? NULL : fopen(faults.control_file, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        add_rule(line);
    if (file != NULL)
        (void)fclose(file);
}

bool faults_are_on(void)
{
    bool any = false;

    pthread_mutex_lock(&faults.lock);
    reload_if_new();
    any = faults.count > 0;
    pthread_mutex_unlock(&faults.lock);
    return any;
}

/* With the lock; NULL = none. */
static struct rule *find(enum fault_kind kind, const char *path)
{
    for (int i = 0; i < faults.count; i++) {
        struct rule *rule = &faults.rules[i];

        if (rule->kind == kind && fnmatch(rule->pattern, path, 0) == 0)
            return rule;
    }
    return NULL;
}

bool faults_hit(enum fault_kind kind, const char *path)
{
    struct rule *rule = NULL;
    bool is_hit = false;

    pthread_mutex_lock(&faults.lock);
    rule = find(kind, path);
    is_hit = rule != NULL && rule->number != 0;
    if (is_hit && rule->number > 0)
        rule->number--;
    pthread_mutex_unlock(&faults.lock);
    return is_hit;
}

/* The number of the first rule that fits; `otherwise` when there is none. */
static int64_t number_of(enum fault_kind kind, const char *path, int64_t otherwise)
{
    const struct rule *rule = NULL;
    int64_t number = otherwise;

    pthread_mutex_lock(&faults.lock);
    rule = find(kind, path);
    if (rule != NULL)
        number = rule->number;
    pthread_mutex_unlock(&faults.lock);
    return number;
}

int64_t faults_sync_delay_us(const char *path)
{
    return number_of(FAULT_SLOW_SYNC, path, 0);
}

bool faults_is_full(const char *path)
{
    return number_of(FAULT_NO_SPACE, path, -1) == 0;
}

int64_t faults_free_bytes(void)
{
    return number_of(FAULT_FREE_SPACE, "", -1);
}

int64_t faults_allow_write(const char *path, int64_t wanted, int64_t growth)
{
    struct rule *shorter = NULL;
    struct rule *space = NULL;
    int64_t allowed = wanted;

    pthread_mutex_lock(&faults.lock);
    shorter = find(FAULT_SHORT_WRITE, path);
    space = find(FAULT_NO_SPACE, path);
    if (shorter != NULL && shorter->number > 0 && shorter->number < allowed)
        allowed = shorter->number;
    growth -= wanted - allowed; /* what is left out is at the end */
    if (space != NULL && growth > space->number) {
        allowed -= growth - space->number;
        growth = space->number;
        if (allowed <= 0)
            allowed = -1;
    }
    if (space != NULL && growth > 0 && allowed > 0)
        space->number -= growth;
    pthread_mutex_unlock(&faults.lock);
    return allowed;
}

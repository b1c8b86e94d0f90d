/* SPDX-License-Identifier: Apache-2.0 */
/* The group of the scenario: members, polled in turn by one thread, and what they have read together. */
#ifndef TESTS_CLIENTS_LIBRDKAFKA_GROUP_H
#define TESTS_CLIENTS_LIBRDKAFKA_GROUP_H

#include <librdkafka/rdkafka.h>

enum { MAX_NUMBERS = 1000, MAX_MEMBERS = 3 };

struct member {
    rd_kafka_t *client; /* NULL = not in the group */
    int rebalances;     /* assignments received */
};

struct group {
    struct member members[MAX_MEMBERS];
    int times_read[MAX_NUMBERS]; /* by number */
    int read;
};

/* instance_id NULL = a dynamic member. */
void group_join(struct group *group, int member, const char *instance_id);
void group_leave(struct group *group, int member);

/* The partitions of a member, as bits. */
unsigned member_partitions(const struct member *member);

/* Polls all members until all three partitions are assigned, each to one member, and each member has one. */
void group_await_shares(struct group *group);
void group_await_partitions(struct group *group, int member, unsigned wanted);

/* Polls until numbers 0 … count-1 have been read; each must have been read once. Then every member commits. */
void group_read_and_commit(struct group *group, int count);

void expect_committed(int64_t wanted);

#endif

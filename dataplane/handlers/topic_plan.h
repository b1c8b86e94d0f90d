/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what creating a topic, or adding partitions to one, would mean: all checks that need no store,
 * in Kafka's order, and the numbers that come out. Pure. The same for a dry run (validate_only).
 *
 * The limit of partitions is checked here so that a dry run tells the truth and most refusals need no
 * trip; the store checks it again in its own transaction, and its word counts. */
#ifndef DATAPLANE_HANDLERS_TOPIC_PLAN_H
#define DATAPLANE_HANDLERS_TOPIC_PLAN_H

#include "common/kafka/create_partitions_request.h"
#include "common/kafka/create_topics_request.h"
#include "dataplane/cluster/cluster.h"

/* Of one request, all topics together: as many as Kafka takes. */
enum { TOPIC_PLAN_MAX_PARTITIONS = 10000 };

/* What is decided against; counts what it has let through. */
struct topic_plan_limits {
    const struct topic_policy *policy;
    const int32_t *broker_ids; /* of the cell */
    int32_t broker_count;
    int64_t max_partitions; /* of the instance, -1 = no bound */
    int64_t partitions;     /* it has now, the plans before this one included */
    int64_t planned;        /* by this request */
    int64_t max_reserved;   /* bytes of disk that its topics may reserve, -1 = no bound */
    int64_t reserved;       /* now, the plans before this one included */
};

struct topic_plan {
    enum kafka_error error; /* NONE: the rest counts */
    const char *message;    /* with an error; in the arena or static; NULL when memory was short */
    int32_t add_partitions;
    int32_t replication_factor;                     /* real replicas */
    const struct partition_assignment *assignments; /* NULL = let the cluster choose */
    const struct topic_override *overrides;         /* create */
    size_t override_count;
};

/* Name and existence are the caller's to check before. */
void topic_plan_create(struct topic_plan_limits *limits,
                       const struct kafka_create_topics_request_topic *asked, struct arena *arena,
                       struct topic_plan *ret_plan);

/* topic: as it is. Its new partitions reserve as much as those it has. */
void topic_plan_grow(struct topic_plan_limits *limits, const struct image_topic *topic,
                     const struct kafka_create_partitions_request_topic *asked, struct arena *arena,
                     struct topic_plan *ret_plan);

/* POLICY_VIOLATION in words: what was asked, and how far the limit is. */
const char *partition_limit_message(struct arena *arena, struct slice topic, int64_t requested,
                                    int64_t current, int64_t maximum);
/* The same of reserved disk; bytes. */
const char *storage_limit_message(struct arena *arena, struct slice topic, int64_t current,
                                  int64_t maximum);

#endif

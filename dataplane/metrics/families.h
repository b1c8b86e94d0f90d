/* SPDX-License-Identifier: Apache-2.0 */
/* Every metric of the broker. Names come from three places, so that dashboards people own work as they
 * are: kafka_exporter (kafka_topic_*, kafka_consumergroup_*), the Prometheus JMX exporter as Strimzi sets
 * it up (kafka_server_*, kafka_network_*), and our own (millrace_*). operations-security.md 1.1. Names that promtool objects to
 * (_sum and _count of what is no histogram) are ours instead.
 *
 * The target's own label is `instance`, so a service instance is `instance_id`. */
#ifndef DATAPLANE_METRICS_FAMILIES_H
#define DATAPLANE_METRICS_FAMILIES_H

#include "common/observe/process_figures.h"

enum broker_family {
    FAMILY_BUILD_INFO = PROCESS_FAMILY_COUNT,
    FAMILY_RECORDS_IN,
    FAMILY_BYTES_IN,
    FAMILY_BYTES_OUT,
    FAMILY_PRODUCE_REQUESTS,
    FAMILY_PRODUCE_FAILURES,
    FAMILY_FETCH_REQUESTS,
    FAMILY_FETCH_FAILURES,
    FAMILY_PARTITIONS,
    FAMILY_LEADERS,
    FAMILY_UNDER_REPLICATED,
    FAMILY_UNDER_MIN_ISR,
    FAMILY_OFFLINE,
    FAMILY_REQUESTS,
    FAMILY_CONNECTIONS,
    FAMILY_REQUEST_SECONDS,
    FAMILY_REQUEST_BYTES,
    FAMILY_REQUESTS_REFUSED,
    FAMILY_FRAMES_REFUSED,
    FAMILY_LOGINS,
    FAMILY_LOOP_BUSY,
    FAMILY_FLUSH_SECONDS,
    FAMILY_DIRECTORY_FAILED,
    FAMILY_WAL_BYTES,
    FAMILY_CHECKPOINTS,
    FAMILY_UNSYNCED_LOGS,
    FAMILY_LATE_BYTES,
    FAMILY_LATE_WRITES,
    FAMILY_SPARE_BYTES,
    FAMILY_SPARES,
    FAMILY_COMPACTIONS,
    FAMILY_COMPACTION_BYTES,
    FAMILY_LOG_BYTES,
    FAMILY_INSTANCES,
    FAMILY_IMAGE_VERSION,
    FAMILY_MEMORY_USED,
    FAMILY_MEMORY_LIMIT,
    FAMILY_MEMORY_REFUSALS,
    /* per object */
    FAMILY_INSTANCE_CONNECTIONS,
    FAMILY_INSTANCE_PARTITIONS,
    FAMILY_INSTANCE_LOG_BYTES,
    FAMILY_INSTANCE_CLIENTS,
    FAMILY_INSTANCE_REQUESTS,
    FAMILY_INSTANCE_BYTES,
    FAMILY_INSTANCE_THROTTLED,
    FAMILY_INSTANCE_REFUSED,
    FAMILY_INSTANCE_MEMORY,
    FAMILY_BROKERS,
    FAMILY_BROKER_INFO,
    FAMILY_TOPIC_PARTITIONS,
    FAMILY_TOPIC_CURRENT_OFFSET,
    FAMILY_TOPIC_OLDEST_OFFSET,
    FAMILY_TOPIC_LEADER,
    FAMILY_TOPIC_IN_SYNC,
    FAMILY_TOPIC_LEADER_PREFERRED,
    FAMILY_TOPIC_REPLICAS,
    FAMILY_TOPIC_UNDER_REPLICATED,
    FAMILY_TOPIC_LOG_BYTES,
    FAMILY_GROUP_MEMBERS,
    FAMILY_GROUP_OFFSET,
    FAMILY_GROUP_LAG,
    FAMILY_GROUPS_NOT_SHOWN
};

/* By enum broker_family. */
extern const struct metric_family broker_families[];

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The only place that turns the cluster's answers into Kafka's codes. */
#include "dataplane/handlers/topic_change.h"

#include "dataplane/handlers/topic_plan.h"

enum { LONGEST_WAIT_MS = 60000 };

void topic_change_submit(struct request *request, struct cluster_request *change,
                         enum meta_request_kind kind, struct topic_request *topics, size_t count,
                         int32_t timeout_ms, void (*done)(struct cluster_request *change))
{
    struct loop *loop = request->broker->loop;
    int64_t wait_ms = timeout_ms > 0 ? timeout_ms : TOPIC_CHANGE_WAIT_MS;

    if (wait_ms > LONGEST_WAIT_MS)
        wait_ms = LONGEST_WAIT_MS;
    change->kind = kind;
    change->instance_no = request_instance(request);
    change->topics = topics;
    change->topic_count = count;
    change->deadline_us = loop_now_us(loop) + wait_ms * 1000;
    change->home = loop;
    change->done = done;
    cluster_submit(request->broker->cluster, change);
}

static enum kafka_error not_answered(const struct cluster_request *change, const char **ret_message)
{
    if (change->err == ERR_TIMEOUT) {
        *ret_message = "The change was not confirmed in time: look whether it was made";
        return KAFKA_REQUEST_TIMED_OUT;
    }
    *ret_message = "Topics cannot be changed right now; reading and writing go on. Try again";
    return KAFKA_NOT_CONTROLLER;
}

static enum kafka_error made(const struct cluster_request *change, const char **ret_message)
{
    if (change->err != ERR_TIMEOUT)
        return KAFKA_NONE;
    *ret_message = "The change was made and is not yet known to the whole broker";
    return KAFKA_REQUEST_TIMED_OUT;
}

enum kafka_error topic_change_result(const struct cluster_request *change,
                                     const struct topic_request *topic, enum kafka_error not_found,
                                     struct arena *arena, const char **ret_message)
{
    *ret_message = NULL;
    switch (topic->result) {
    case TOPIC_NOT_ANSWERED:
        return not_answered(change, ret_message);
    case TOPIC_OK:
        return made(change, ret_message);
    case TOPIC_EXISTS:
        *ret_message = "A topic of this name exists already";
        return KAFKA_TOPIC_ALREADY_EXISTS;
    case TOPIC_NOT_FOUND:
        *ret_message = "There is no such topic";
        return not_found;
    case TOPIC_OVER_LIMIT:
        *ret_message = partition_limit_message(arena, topic->name, topic->add_partitions,
                                               topic->current, topic->maximum);
        return KAFKA_POLICY_VIOLATION;
    case TOPIC_OVER_STORAGE:
        *ret_message = storage_limit_message(arena, topic->name, topic->current, topic->maximum);
        return KAFKA_POLICY_VIOLATION;
    case TOPIC_CONFLICT:
        *ret_message = "The topic was changed by another request meanwhile. Try again";
        return KAFKA_NOT_CONTROLLER;
    case TOPIC_DENIED:
        *ret_message = "The service instance is suspended";
        return KAFKA_TOPIC_AUTHORIZATION_FAILED;
    }
    return KAFKA_NOT_CONTROLLER;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of topics as handlers ask for them: how long to wait, and what to tell the client.
 *
 * The store away means NOT_CONTROLLER, at once: the one code that every client takes as "nothing was
 * done, ask again" (Java, franz-go, sarama, kafkajs and kafka-python look up the controller anew and
 * retry). REQUEST_TIMED_OUT would not do: librdkafka hides it as a success from callers that do not wait.
 * That one is for a change that was made and is not yet seen everywhere. When the store fell silent with a
 * change under way, the change may still be made after the 41; the client's retry then finds it there. */
#ifndef DATAPLANE_HANDLERS_TOPIC_CHANGE_H
#define DATAPLANE_HANDLERS_TOPIC_CHANGE_H

#include "dataplane/cluster/cluster.h"
#include "dataplane/dispatch/request.h"

/* To those whose role is too small; the same whether the topic exists or not. */
#define REFUSED_TOPIC_CHANGE "Topics are changed with a key of role Manager"
/* With THROTTLING_QUOTA_EXCEEDED. */
#define TOPIC_CHANGE_THROTTLED                                                                     \
    "Too many partitions were created or deleted lately: try again after the throttle time"

enum { TOPIC_CHANGE_WAIT_MS = 30000 }; /* of requests that name no time, or none that makes sense */

/* Sends topics[0 … count-1] (in the request's arena); done comes later, on this loop. timeout_ms is the
 * client's: up to a minute is believed, 0 or less means TOPIC_CHANGE_WAIT_MS, for the change is made
 * anyway and an answer that says so is worth more than an early one. */
void topic_change_submit(struct request *request, struct cluster_request *change,
                         enum meta_request_kind kind, struct topic_request *topics, size_t count,
                         int32_t timeout_ms, void (*done)(struct cluster_request *change));

/* What became of one topic. not_found: what to call a topic that went meanwhile (by name, by id).
 * ret_message: a sentence, or NULL without an error. */
enum kafka_error topic_change_result(const struct cluster_request *change,
                                     const struct topic_request *topic, enum kafka_error not_found,
                                     struct arena *arena, const char **ret_message);

#endif

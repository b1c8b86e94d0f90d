/* SPDX-License-Identifier: Apache-2.0 */
/* Over quota, as Kafka does it (KIP-219): nothing is refused, the answer carries throttle_time_ms, and
 * the connection is not read for that time.
 *
 *   produce   pays when its frame is here. Over quota: the connection is mute from then on, so that
 *             what it has sent meanwhile waits in its socket; the batches are appended and answered.
 *   fetch     over quota: an empty answer at once. Else it reserves what it may read, a full bucket at
 *             most, and pays for what it has read.
 *   topics    creating and deleting partitions (KIP-599): see throttle_mutation.
 *
 * So whatever the number of connections and keys, and with acks 0 too, an instance overdraws its bucket
 * by one request a connection. On the session's loop. */
#ifndef DATAPLANE_DISPATCH_THROTTLE_H
#define DATAPLANE_DISPATCH_THROTTLE_H

#include "dataplane/dispatch/request.h"

/* The request's frame; sets request->throttle_time_ms and mutes. */
void throttle_produce(struct request *request);

/* Is the instance over its consume quota? Sets request->throttle_time_ms. */
bool throttle_is_consume_over(struct request *request);
/* How many of `wanted` bytes may be read now, paid already; 0 = over quota, throttle_time_ms is set.
 * Without a bound: wanted. */
size_t throttle_reserve_fetch(struct request *request, size_t wanted);
/* The fetch has read so many; sets throttle_time_ms. */
void throttle_settle_fetch(struct request *request, size_t reserved, size_t read);

/* A change of so many partitions. False = not now, throttle_time_ms says when (strict: the API's
 * version knows THROTTLING_QUOTA_EXCEEDED). Older versions: always true, throttled afterwards. */
bool throttle_mutation(struct request *request, int64_t partitions, bool is_strict);

/* What is left of throttle_time_ms, for the answer: time has passed since it was set. */
void throttle_refresh(struct request *request);

/* Nothing is read from the session for so long; a longer time that runs already stands. */
void throttle_mute(struct session *session, int32_t throttle_time_ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency-Key on POST: a repetition of a call makes nothing and gets the first one's answer.
 *
 *   seen, same body       the kept answer, with Idempotency-Replayed: true; when it was never given (the process died, or
 *                         the first call still waits), the handler goes on from where the first one was
 *   seen, another body    422
 *   not seen              the row is written with what the call makes, the answer when it is given
 *
 * A key is its caller's own and is kept for a day. Refusals (4xx, 5xx) are not kept: nothing was made. */
#ifndef CONTROLPLANE_ENDPOINTS_IDEMPOTENCY_H
#define CONTROLPLANE_ENDPOINTS_IDEMPOTENCY_H

#include "controlplane/endpoints/call.h"
#include "controlplane/store/idempotency.h"

struct idempotency {
    struct idempotency_owner owner; /* owner.key NULL: the caller sent none */
    const char *route;              /* "instances", "keys" */
    uint8_t body_hash[32];
    bool is_known; /* the call was made before, and not answered */
    struct uuid subject;
    struct slice secret; /* sealed, if one was kept */
};

/* Before the body is opened: the bytes as they came are compared. *ret_is_replied: there is no more to do. */
enum err idempotency_begin(struct call *call, const char *route, struct idempotency *ret,
                           bool *ret_is_replied, struct error *error) WARN_UNUSED;
/* In the transaction. secret: sealed, or the null slice. ERR_EXISTS: begin again. */
enum err idempotency_insert(struct call *call, const struct idempotency *idempotency,
                            struct uuid subject, struct slice secret,
                            struct error *error) WARN_UNUSED;
/* After ERR_EXISTS: the other one's row. ERR_EXISTS again when it was not the Idempotency-Key that existed. */
enum err idempotency_begin_again(struct call *call, struct idempotency *idempotency,
                                 bool *ret_is_replied, struct error *error) WARN_UNUSED;
/* After the reply is set. Failing is no failure: the next repetition finds what was made. */
void idempotency_keep_answer(struct call *call, const struct idempotency *idempotency);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* ETag and If-Match: a strong tag made from what a client sees of an object, so that it changes exactly when that does. */
#ifndef CONTROLPLANE_ENDPOINTS_ETAG_H
#define CONTROLPLANE_ENDPOINTS_ETAG_H

#include "controlplane/endpoints/call.h"

#define ETAG_ROOM 40

/* object NULL (memory out) gives "". */
void etag_of(const json_t *object, char ret_etag[ETAG_ROOM]);
/* Sets the header of the reply. */
void etag_reply(struct http_request *request, const json_t *object);
/* object is moved. ERR_STALE when the caller sent If-Match and none of its tags is this object's. */
enum err etag_check(const struct http_request *request, json_t *object,
                    struct error *error) WARN_UNUSED;

#endif

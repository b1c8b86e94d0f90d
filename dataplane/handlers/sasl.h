/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of handshake version 0: length and bytes, no Kafka header, both ways. */
#ifndef DATAPLANE_HANDLERS_SASL_H
#define DATAPLANE_HANDLERS_SASL_H

#include "dataplane/dispatch/session.h"

/* Takes the frame. Success is silent; failure closes. */
void handle_raw_sasl(struct session *session, struct frame frame);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of one exchange. */
#ifndef DATAPLANE_AUTH_SASL_INTERNAL_H
#define DATAPLANE_AUTH_SASL_INTERNAL_H

#include "dataplane/auth/sasl_exchange.h"

/* Ends the exchange; why is static text for our log. */
enum sasl_status sasl_fail(struct sasl_exchange *exchange, const char *why);
/* NUL-terminated copy; false = too long, or an inner NUL. */
bool sasl_copy_text(struct slice text, char *ret_text, size_t room);

enum sasl_status scram_take_first(struct sasl_exchange *exchange,
                                  const struct sasl_directory *directory, struct slice token,
                                  char reply[SASL_REPLY_MAX], size_t *ret_reply_len);
enum sasl_status scram_take_final(struct sasl_exchange *exchange, struct slice token,
                                  char reply[SASL_REPLY_MAX], size_t *ret_reply_len);

#endif

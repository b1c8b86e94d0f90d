/* SPDX-License-Identifier: Apache-2.0 */
/* From enum err to what a REST client sees: the one table. */
#ifndef CONTROLPLANE_HTTP_PROBLEM_H
#define CONTROLPLANE_HTTP_PROBLEM_H

#include "common/base/error.h"

#include <jansson.h>

struct problem {
    int status;
    const char *code;
    bool is_private;   /* the message may name rows, paths or hosts: clients get `text` instead */
    const char *text;  /* for private ones */
    int retry_after_s; /* 0 = no Retry-After */
};

const struct problem *problem_of(enum err code);

/* {"message", "error_code", "status_code", "transaction_id", "errors": [{"code", "message"}]}; NULL when
 * memory is out. */
json_t *problem_render(int status, const char *code, const char *message,
                       const char *transaction_id);

#endif

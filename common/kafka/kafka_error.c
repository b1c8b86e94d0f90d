/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/kafka_error.h"

#include <stddef.h>

/* The codes follow each other from -1 on, so the code is the place in the table. */
static const struct {
    const char *name;
    bool is_retriable;
} rows[] = {
#define KAFKA_ERROR_ROW(name, code, is_retriable) [(code) + 1] = {#name, is_retriable},
    KAFKA_ERROR_LIST(KAFKA_ERROR_ROW)
#undef KAFKA_ERROR_ROW
};

static bool is_known(enum kafka_error error)
{
    const int code = (int)error;

    return code >= -1 && code < (int)(sizeof(rows) / sizeof(rows[0])) - 1;
}

const char *kafka_error_name(enum kafka_error error)
{
    return is_known(error) ? rows[(int)error + 1].name : "UNKNOWN";
}

bool kafka_error_is_retriable(enum kafka_error error)
{
    return is_known(error) && rows[(int)error + 1].is_retriable;
}

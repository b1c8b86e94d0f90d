/* SPDX-License-Identifier: Apache-2.0 */
/* CamelCase of the schemas to the names of C. */
#ifndef COMMON_KAFKA_CODEGEN_NAMING_H
#define COMMON_KAFKA_CODEGEN_NAMING_H

#include "common/kafka/codegen/pool.h"

/* "ThrottleTimeMs" to "throttle_time_ms". */
char *naming_snake(struct pool *pool, const char *camel);
/* "ThrottleTimeMs" to "THROTTLE_TIME_MS". */
char *naming_upper(struct pool *pool, const char *camel);

#endif

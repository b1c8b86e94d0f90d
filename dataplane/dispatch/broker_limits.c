/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/dispatch/broker_limits.h"

const struct broker_limits broker_limits_default = {
    .login_deadline_us = 10000000,
    .idle_timeout_us = 600000000,
    .stalled_timeout_us = 30000000,
    .max_frame_bytes = 100 * 1048576,
    .max_login_frame_bytes = 64 * 1024,
    .max_control_frame_bytes = 8 * 1048576,
    .memory = {.limit_bytes = 512LL << 20,
               .shared_bytes = 358LL << 20,
               .guarantee_bytes = 8LL << 20,
               .instance_bytes = 256LL << 20,
               .stranger_bytes = 32LL << 20},
    .connection_memory_bytes = 64 * 1048576,
    .logins = {.strangers = 2000, .strangers_per_address = 500},
    .topic_mutations_per_second = 500,
};

struct memory_limits memory_limits_of(int64_t total_bytes)
{
    return (struct memory_limits){.limit_bytes = total_bytes,
                                  .shared_bytes = total_bytes / 10 * 7,
                                  .guarantee_bytes = total_bytes / 64,
                                  .instance_bytes = total_bytes / 2,
                                  .stranger_bytes = total_bytes / 16};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/dispatch/broker_limits.h"

const struct broker_limits broker_limits_default = {
    .login_deadline_us = 10000000,
    .idle_timeout_us = 600000000,
    .stalled_timeout_us = 30000000,
    .max_frame_bytes = 100 * 1048576,
    .max_login_frame_bytes = 64 * 1024,
    .topic_mutations_per_second = 500,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target of a Kafka message does with its input.
 *
 * Input: one byte, the version above the lowest; then the message. Reading may refuse it. What it
 * accepts must be written without complaint, and what was written must be read and written again
 * byte by byte; and no input may cost more memory than kafka_wire.h promises. */
#ifndef TESTS_FUZZ_KAFKA_MESSAGE_H
#define TESTS_FUZZ_KAFKA_MESSAGE_H

#include "tests/unit/common/kafka/message_fill.h"

void fuzz_kafka_message(const struct message_case *message, const uint8_t *data, size_t size);

#endif

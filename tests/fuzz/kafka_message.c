/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/kafka_message.h"

#include <stdlib.h>

/* The promise, twice for what chunks leave unused at their ends, and the first chunk. */
static size_t arena_limit(size_t size)
{
    return 2 * (KAFKA_READ_AMPLIFICATION + 16) * size + 8192;
}

static void *allocate(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);

    invariant(memory != NULL);
    return memory;
}

/* What was accepted is valid: ret_written is the canonical form of it. */
static enum err read_and_write(const struct message_case *message, int16_t version,
                               struct slice bytes, struct buffer *ret_written)
{
    struct arena arena;
    struct reader reader;
    struct writer writer;
    void *value = allocate(message->size);
    enum err rc = ERR_OK;

    arena_init(&arena, arena_limit(bytes.len));
    reader_init(&reader, bytes);
    rc = message->read(&reader, version, &arena, value);
    invariant(rc == ERR_OK || rc == ERR_INVALID || rc == ERR_TRUNCATED);
    if (rc == ERR_OK) {
        writer_init(&writer, ret_written);
        invariant(message->write(&writer, version, value) == ERR_OK);
    }
    arena_done(&arena);
    free(value);
    return rc;
}

void fuzz_kafka_message(const struct message_case *message, const uint8_t *data, size_t size)
{
    const int versions = message->highest_version - message->lowest_version + 1;
    struct buffer first, second;

    if (size == 0)
        return;
    const int16_t version = (int16_t)(message->lowest_version + data[0] % versions);
    buffer_init(&first, SIZE_MAX);
    buffer_init(&second, SIZE_MAX);
    if (read_and_write(message, version, slice_of(data + 1, size - 1), &first) == ERR_OK) {
        invariant(read_and_write(message, version, buffer_slice(&first), &second) == ERR_OK);
        invariant(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    }
    buffer_done(&first);
    buffer_done(&second);
}

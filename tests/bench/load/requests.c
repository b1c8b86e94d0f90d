/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load/requests.h"

#include <err.h>
#include <stdlib.h>

#include "common/base/buffer.h"
#include "common/kafka/kafka_error.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

#define FRAME_MAX_BYTES ((size_t)256 << 20)
#define TIMEOUT_MS 30000

enum api { PRODUCE = 0, FETCH = 1, METADATA = 3, SASL_HANDSHAKE = 17, SASL_AUTHENTICATE = 36 };

/* --- frames --- */

static void begin_frame(struct writer *writer, struct buffer *buffer, enum api api, int16_t version)
{
    buffer_init(buffer, FRAME_MAX_BYTES);
    writer_init(writer, buffer);
    writer_i32(writer, 0); /* the length, patched */
    writer_i16(writer, (int16_t)api);
    writer_i16(writer, version);
    writer_i32(writer, 0);
    writer_i16(writer, 4);
    writer_bytes(writer, "load", 4);
}

static struct slice end_frame(struct writer *writer)
{
    size_t len = 0;
    uint8_t *data = NULL;

    writer_patch_i32(writer, 0, (int32_t)(writer_position(writer) - 4));
    if (writer->err != ERR_OK)
        errx(1, "a request cannot be encoded: it is too large");
    data = buffer_take(writer->buffer, &len);
    return slice_of(data, len);
}

static void write_string(struct writer *writer, const char *text)
{
    writer_i16(writer, (int16_t)strlen(text));
    writer_bytes(writer, text, strlen(text));
}

static struct slice read_string(struct reader *reader)
{
    int16_t len = reader_i16(reader);

    return len < 0 ? SLICE_NULL : reader_bytes(reader, (size_t)len);
}

static void begin_answer(struct reader *reader, struct slice answer)
{
    reader_init(reader, answer);
    reader_skip(reader, 4);
}

static void end_answer(const struct reader *reader, const char *what)
{
    if (reader->err != ERR_OK)
        errx(1, "an answer to %s ends too early", what);
}

static void die_of(const char *what, int code)
{
    errx(1, "%s was answered with error %d", what, code);
}

/* --- login --- */

struct slice request_mechanism(void)
{
    struct buffer buffer;
    struct writer writer;

    begin_frame(&writer, &buffer, SASL_HANDSHAKE, 1);
    write_string(&writer, "PLAIN");
    return end_frame(&writer);
}

struct slice request_plain_login(const char *user, const char *password)
{
    struct buffer buffer;
    struct writer writer;

    begin_frame(&writer, &buffer, SASL_AUTHENTICATE, 1);
    writer_i32(&writer, (int32_t)(2 + strlen(user) + strlen(password)));
    writer_i8(&writer, 0);
    writer_bytes(&writer, user, strlen(user));
    writer_i8(&writer, 0);
    writer_bytes(&writer, password, strlen(password));
    return end_frame(&writer);
}

void answer_check_login(struct slice answer)
{
    struct reader reader;
    int code = 0;

    begin_answer(&reader, answer);
    code = reader_i16(&reader);
    end_answer(&reader, "the login");
    if (code != 0)
        die_of("the login", code);
}

/* --- metadata --- */

struct slice request_metadata(const char *topic)
{
    struct buffer buffer;
    struct writer writer;

    begin_frame(&writer, &buffer, METADATA, 4);
    writer_i32(&writer, 1);
    write_string(&writer, topic);
    writer_bool(&writer, true);
    return end_frame(&writer);
}

static void skip_brokers(struct reader *reader)
{
    int32_t count = reader_i32(reader);

    for (int32_t i = 0; i < count && reader->err == ERR_OK; i++) {
        reader_skip(reader, 4);
        (void)read_string(reader);
        reader_skip(reader, 4);
        (void)read_string(reader);
    }
}

bool answer_is_led(struct slice answer)
{
    struct reader reader;
    int32_t partitions = 0;
    int code = 0;

    begin_answer(&reader, answer);
    reader_skip(&reader, 4); /* throttle */
    skip_brokers(&reader);
    (void)read_string(&reader);
    reader_skip(&reader, 4); /* controller */
    if (reader_i32(&reader) != 1)
        return false;
    code = reader_i16(&reader);
    (void)read_string(&reader);
    reader_skip(&reader, 1);
    partitions = reader_i32(&reader);
    for (int32_t i = 0; i < partitions && code == 0; i++) {
        code = reader_i16(&reader);
        reader_skip(&reader, 8); /* index, leader */
        reader_skip(&reader, (size_t)reader_i32(&reader) * 4);
        reader_skip(&reader, (size_t)reader_i32(&reader) * 4);
    }
    return reader.err == ERR_OK && code == 0 && partitions > 0;
}

/* --- produce --- */

struct slice request_produce(const struct load_options *options, int32_t first_partition,
                             struct slice batch, size_t *ret_batch_at)
{
    struct buffer buffer;
    struct writer writer;

    begin_frame(&writer, &buffer, PRODUCE, 8);
    writer_i16(&writer, -1); /* no transaction */
    writer_i16(&writer, (int16_t)options->acks);
    writer_i32(&writer, TIMEOUT_MS);
    writer_i32(&writer, 1);
    write_string(&writer, options->topic);
    writer_i32(&writer, options->batches);
    for (int i = 0; i < options->batches; i++) {
        writer_i32(&writer, (first_partition + i) % options->partitions);
        writer_i32(&writer, (int32_t)batch.len);
        if (i == 0)
            *ret_batch_at = writer_position(&writer);
        writer_slice(&writer, batch);
    }
    return end_frame(&writer);
}

static int read_partition_error(struct reader *reader)
{
    int code = 0;
    int32_t records = 0;

    reader_skip(reader, 4);
    code = reader_i16(reader);
    reader_skip(reader, 24); /* base offset, append time, log start */
    records = reader_i32(reader);
    for (int32_t i = 0; i < records && reader->err == ERR_OK; i++) {
        reader_skip(reader, 4);
        (void)read_string(reader);
    }
    (void)read_string(reader);
    return code;
}

int answer_produce_error(struct slice answer)
{
    struct reader reader;
    int32_t topics = 0;
    int code = 0;

    begin_answer(&reader, answer);
    topics = reader_i32(&reader);
    for (int32_t i = 0; i < topics && reader.err == ERR_OK; i++) {
        int32_t partitions = 0;

        (void)read_string(&reader);
        partitions = reader_i32(&reader);
        for (int32_t k = 0; k < partitions && reader.err == ERR_OK && code == 0; k++)
            code = read_partition_error(&reader);
    }
    end_answer(&reader, "Produce");
    return code;
}

/* --- fetch --- */

struct slice request_fetch(const struct load_options *options,
                           const struct fetch_position *positions, int count, int32_t wait_ms)
{
    struct buffer buffer;
    struct writer writer;

    begin_frame(&writer, &buffer, FETCH, 11);
    writer_i32(&writer, -1); /* no replica */
    writer_i32(&writer, wait_ms);
    writer_i32(&writer, 1); /* byte at least */
    writer_i32(&writer, options->answer_bytes);
    writer_i8(&writer, 0);  /* read uncommitted */
    writer_i32(&writer, 0); /* no session */
    writer_i32(&writer, -1);
    writer_i32(&writer, 1);
    write_string(&writer, options->topic);
    writer_i32(&writer, count);
    for (int i = 0; i < count; i++) {
        writer_i32(&writer, positions[i].partition);
        writer_i32(&writer, -1); /* any epoch */
        writer_i64(&writer, positions[i].offset);
        writer_i64(&writer, -1); /* no log start */
        writer_i32(&writer, options->partition_bytes);
    }
    writer_i32(&writer, 0);    /* forgets nothing */
    write_string(&writer, ""); /* no rack */
    return end_frame(&writer);
}

static void skip_aborted(struct reader *reader)
{
    int32_t count = reader_i32(reader);

    if (count > 0)
        reader_skip(reader, (size_t)count * 16);
}

void answer_fetch(struct slice answer,
                  void (*each)(void *context, int32_t partition, int64_t high_watermark,
                               struct slice records),
                  void *context)
{
    struct reader reader;
    int code = 0;
    int32_t topics = 0;

    begin_answer(&reader, answer);
    reader_skip(&reader, 4); /* throttle */
    code = reader_i16(&reader);
    reader_skip(&reader, 4); /* session */
    topics = reader_i32(&reader);
    for (int32_t i = 0; i < topics && reader.err == ERR_OK && code == 0; i++) {
        int32_t partitions = 0;

        (void)read_string(&reader);
        partitions = reader_i32(&reader);
        for (int32_t k = 0; k < partitions && reader.err == ERR_OK && code == 0; k++) {
            int32_t partition = reader_i32(&reader);
            int64_t high_watermark = 0;
            int32_t len = 0;

            code = reader_i16(&reader);
            high_watermark = reader_i64(&reader);
            reader_skip(&reader, 16); /* stable, log start */
            skip_aborted(&reader);
            reader_skip(&reader, 4); /* no other replica */
            len = reader_i32(&reader);
            each(context, partition, high_watermark,
                 len > 0 ? reader_bytes(&reader, (size_t)len) : SLICE_LITERAL(""));
        }
    }
    end_answer(&reader, "Fetch");
    if (code != 0)
        die_of("Fetch", code);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that unmodified clients sent: read whole, and written again byte by byte. */
#include "common/kafka/kafka_api.h"
#include "tests/support/check_main.h"
#include "tests/unit/common/kafka/message_fill.h"

#include <stdio.h>
#include <stdlib.h>

#define FRAME_MAX 1024

static const char *const files[] = {
    GOLDEN_DIRECTORY "/captured/kcat-1.7.1.txt",
    GOLDEN_DIRECTORY "/captured/confluent-kafka-python-2.16.1.txt",
    GOLDEN_DIRECTORY "/captured/kafka-python-3.0.12.txt",
    GOLDEN_DIRECTORY "/captured/franz-go-1.22.2.txt",
    GOLDEN_DIRECTORY "/captured/java-4.3.1.txt",
};

struct capture {
    char api[40];
    int version;
    uint8_t frame[FRAME_MAX];
    size_t len;
};

static bool next_capture(FILE *file, struct capture *capture)
{
    char hex[2 * FRAME_MAX + 1];
    unsigned byte = 0;

    if (fscanf(file, "%39s %d %2048s", capture->api, &capture->version, hex) != 3)
        return false;
    capture->len = strlen(hex) / 2;
    for (size_t i = 0; i < capture->len; i++) {
        ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
        capture->frame[i] = (uint8_t)byte;
    }
    return true;
}

static void expect_body(const struct capture *capture, const struct kafka_api *api,
                        struct reader *reader)
{
    const struct slice body = slice_of(reader->at, reader_left(reader));
    char name[64];
    struct arena arena;
    struct buffer buffer;
    struct writer writer;

    snprintf(name, sizeof(name), "%sRequest", api->name);
    const struct message_case *message = message_case_find(name);
    void *value = malloc(message->size);

    arena_init(&arena, FRAME_MAX * KAFKA_READ_AMPLIFICATION);
    buffer_init(&buffer, FRAME_MAX);
    writer_init(&writer, &buffer);
    ck_assert_msg(message->read(reader, (int16_t)capture->version, &arena, value) == ERR_OK,
                  "%s v%d cannot be read", capture->api, capture->version);
    ck_assert_msg(reader_left(reader) == 0, "%s v%d: %zu bytes left", capture->api,
                  capture->version, reader_left(reader));
    ck_assert_int_eq(message->write(&writer, (int16_t)capture->version, value), ERR_OK);
    ck_assert_msg(slice_equal(buffer_slice(&buffer), body), "%s v%d is written differently",
                  capture->api, capture->version);
    buffer_done(&buffer);
    arena_done(&arena);
    free(value);
}

START_TEST(requests_of_stock_clients_are_read_whole_and_written_back_unchanged)
{
    struct capture capture;
    size_t count = 0;
    FILE *file = fopen(files[_i], "r");

    ck_assert_msg(file != NULL, "cannot open %s", files[_i]);
    while (next_capture(file, &capture)) {
        const struct kafka_api *api = NULL;
        struct kafka_request_header header;
        struct reader reader;

        reader_init(&reader, slice_of(capture.frame, capture.len));
        ck_assert_int_eq(kafka_api_read_request_header(&reader, &header, &api), ERR_OK);
        ck_assert_str_eq(api->name, capture.api);
        ck_assert_int_eq(header.request_api_version, capture.version);
        ck_assert(!slice_is_null(header.client_id));
        expect_body(&capture, api, &reader);
        count++;
    }
    ck_assert_int_eq(feof(file), 1);
    ck_assert_uint_gt(count, 10);
    fclose(file);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/kafka captured");
    TCase *tc = tcase_create("captured");

    tcase_add_loop_test(tc, requests_of_stock_clients_are_read_whole_and_written_back_unchanged, 0,
                        sizeof(files) / sizeof(files[0]));
    suite_add_tcase(suite, tc);
    return suite;
}

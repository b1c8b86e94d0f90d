/* SPDX-License-Identifier: Apache-2.0 */
/* The table of APIs, the headers before the bodies, and the names of errors. */
#include "common/kafka/kafka_api.h"
#include "common/kafka/kafka_error.h"
#include "tests/support/check_main.h"

static struct reader reader_of(const void *bytes, size_t len)
{
    struct reader reader;

    reader_init(&reader, slice_of(bytes, len));
    return reader;
}

START_TEST(apis_are_in_order_and_found_by_their_key)
{
    for (size_t i = 0; i < kafka_api_count; i++) {
        ck_assert_ptr_eq(kafka_api_find(kafka_apis[i].key), &kafka_apis[i]);
        if (i > 0)
            ck_assert_int_gt(kafka_apis[i].key, kafka_apis[i - 1].key);
    }
    ck_assert_str_eq(kafka_api_find(KAFKA_API_OFFSET_FOR_LEADER_EPOCH)->name,
                     "OffsetForLeaderEpoch");
}
END_TEST

START_TEST(keys_that_are_no_api_are_not_found)
{
    ck_assert_ptr_null(kafka_api_find(-1));
    ck_assert_ptr_null(kafka_api_find(4));
    ck_assert_ptr_null(kafka_api_find(INT16_MAX));
}
END_TEST

START_TEST(produce_advertises_what_it_does_not_read)
{
    const struct kafka_api *produce = kafka_api_find(KAFKA_API_PRODUCE);

    ck_assert_int_eq(produce->min_version, 0);
    ck_assert_int_eq(produce->max_version, 13);
    ck_assert(!kafka_api_has_version(produce, 2));
    ck_assert(kafka_api_has_version(produce, 3));
    ck_assert(kafka_api_has_version(produce, 13));
    ck_assert(!kafka_api_has_version(produce, 14));
}
END_TEST

START_TEST(header_versions_follow_the_first_flexible_version)
{
    const struct kafka_api *metadata = kafka_api_find(KAFKA_API_METADATA);
    const struct kafka_api *handshake = kafka_api_find(KAFKA_API_SASL_HANDSHAKE);
    const struct kafka_api *api_versions = kafka_api_find(KAFKA_API_API_VERSIONS);

    ck_assert_int_eq(kafka_api_request_header_version(metadata, 8), 1);
    ck_assert_int_eq(kafka_api_request_header_version(metadata, 9), 2);
    ck_assert_int_eq(kafka_api_response_header_version(metadata, 8), 0);
    ck_assert_int_eq(kafka_api_response_header_version(metadata, 9), 1);
    ck_assert_int_eq(kafka_api_request_header_version(handshake, 1), 1);
    ck_assert_int_eq(kafka_api_response_header_version(handshake, 1), 0);
    ck_assert_int_eq(kafka_api_request_header_version(api_versions, 3), 2);
    ck_assert_int_eq(kafka_api_response_header_version(api_versions, 3), 0);
}
END_TEST

START_TEST(a_header_leaves_the_reader_at_the_body)
{
    static const uint8_t old[] = {0, 3, 0, 8, 0, 0, 0, 7, 0, 1, 'c', 0xee};
    static const uint8_t flexible[] = {0, 3, 0, 9, 0, 0, 0, 7, 0, 1, 'c', 0, 0xee};
    struct reader readers[] = {reader_of(old, sizeof(old)), reader_of(flexible, sizeof(flexible))};

    for (size_t i = 0; i < 2; i++) {
        const struct kafka_api *api = NULL;
        struct kafka_request_header header;

        ck_assert_int_eq(kafka_api_read_request_header(&readers[i], &header, &api), ERR_OK);
        ck_assert_int_eq(api->key, KAFKA_API_METADATA);
        ck_assert_int_eq(header.correlation_id, 7);
        ck_assert(slice_equal_cstring(header.client_id, "c"));
        ck_assert_uint_eq(reader_left(&readers[i]), 1);
    }
}
END_TEST

START_TEST(a_header_of_an_unknown_api_is_read_up_to_the_correlation_id)
{
    static const uint8_t bytes[] = {0, 4, 0, 1, 0, 0, 0, 7, 0xff};
    const struct kafka_api *api = kafka_apis;
    struct kafka_request_header header;
    struct reader reader = reader_of(bytes, sizeof(bytes));

    ck_assert_int_eq(kafka_api_read_request_header(&reader, &header, &api), ERR_OK);
    ck_assert_ptr_null(api);
    ck_assert_int_eq(header.request_api_key, 4);
    ck_assert_int_eq(header.correlation_id, 7);
}
END_TEST

START_TEST(api_versions_beyond_ours_still_has_a_header)
{
    static const uint8_t bytes[] = {0, 18, 0, 99, 0, 0, 0, 7, 0, 1, 'c', 0, 0xee};
    const struct kafka_api *api = NULL;
    struct kafka_request_header header;
    struct reader reader = reader_of(bytes, sizeof(bytes));

    ck_assert_int_eq(kafka_api_read_request_header(&reader, &header, &api), ERR_OK);
    ck_assert_int_eq(header.request_api_version, 99);
    ck_assert(!kafka_api_has_version(api, header.request_api_version));
    ck_assert_uint_eq(reader_left(&reader), 1);
}
END_TEST

START_TEST(a_header_that_ends_too_early_is_refused)
{
    static const uint8_t bytes[] = {0, 3, 0, 9, 0, 0, 0, 7, 0, 1, 'c', 0};
    const struct kafka_api *api = NULL;
    struct kafka_request_header header;

    for (size_t len = 0; len < sizeof(bytes); len++) {
        struct reader reader = reader_of(bytes, len);

        ck_assert_int_eq(kafka_api_read_request_header(&reader, &header, &api), ERR_TRUNCATED);
        ck_assert_ptr_null(api);
    }
}
END_TEST

START_TEST(response_headers_have_tags_when_the_version_is_flexible)
{
    struct buffer buffer;
    struct writer writer;

    buffer_init(&buffer, 100);
    writer_init(&writer, &buffer);
    ck_assert_int_eq(
        kafka_api_write_response_header(&writer, kafka_api_find(KAFKA_API_METADATA), 9, 0x01020304),
        ERR_OK);
    ck_assert_int_eq(kafka_api_write_response_header(
                         &writer, kafka_api_find(KAFKA_API_API_VERSIONS), 4, 0x05060708),
                     ERR_OK);
    ck_assert(
        slice_equal(buffer_slice(&buffer), slice_of("\x01\x02\x03\x04\x00\x05\x06\x07\x08", 9)));
    buffer_done(&buffer);
}
END_TEST

START_TEST(errors_have_names_and_say_whether_to_try_again)
{
    ck_assert_str_eq(kafka_error_name(KAFKA_NONE), "NONE");
    ck_assert_str_eq(kafka_error_name(KAFKA_UNKNOWN_SERVER_ERROR), "UNKNOWN_SERVER_ERROR");
    ck_assert_str_eq(kafka_error_name(KAFKA_SHARE_SESSION_LIMIT_REACHED),
                     "SHARE_SESSION_LIMIT_REACHED");
    ck_assert_str_eq(kafka_error_name((enum kafka_error)134), "UNKNOWN");
    ck_assert_str_eq(kafka_error_name((enum kafka_error) - 2), "UNKNOWN");
    ck_assert(kafka_error_is_retriable(KAFKA_NOT_COORDINATOR));
    ck_assert(!kafka_error_is_retriable(KAFKA_INVALID_REQUEST));
    ck_assert(!kafka_error_is_retriable((enum kafka_error)1000));
}
END_TEST

START_TEST(the_error_list_has_no_holes)
{
    for (int code = -1; code <= KAFKA_SHARE_SESSION_LIMIT_REACHED; code++)
        ck_assert_str_ne(kafka_error_name((enum kafka_error)code), "UNKNOWN");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("common/kafka api");
    TCase *tc = tcase_create("api");

    tcase_add_test(tc, apis_are_in_order_and_found_by_their_key);
    tcase_add_test(tc, keys_that_are_no_api_are_not_found);
    tcase_add_test(tc, produce_advertises_what_it_does_not_read);
    tcase_add_test(tc, header_versions_follow_the_first_flexible_version);
    tcase_add_test(tc, a_header_leaves_the_reader_at_the_body);
    tcase_add_test(tc, a_header_of_an_unknown_api_is_read_up_to_the_correlation_id);
    tcase_add_test(tc, api_versions_beyond_ours_still_has_a_header);
    tcase_add_test(tc, a_header_that_ends_too_early_is_refused);
    tcase_add_test(tc, response_headers_have_tags_when_the_version_is_flexible);
    tcase_add_test(tc, errors_have_names_and_say_whether_to_try_again);
    tcase_add_test(tc, the_error_list_has_no_holes);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "controlplane/http/guard.h"
#include "controlplane/http/inflate.h"
#include "controlplane/http/problem.h"
#include "controlplane/http/request.h"
#include "controlplane/http/workers.h"
#include "tests/support/check_main.h"

static struct arena arena;

static void make_arena(void)
{
    arena_init(&arena, 1 << 20);
}

static void free_arena(void)
{
    arena_done(&arena);
}

/* ---- targets ---- */

static enum err parse(const char *text, struct target *ret_target)
{
    return target_parse(slice_from_cstring(text), &arena, ret_target, NULL);
}

START_TEST(segments_are_decoded_after_the_split)
{
    struct target target;

    ck_assert_int_eq(parse("/v2/keys/crn%3Av1:a%2F6b%2f::?limit=20&name=a+b%26", &target), ERR_OK);
    ck_assert_int_eq(target.segment_count, 3);
    ck_assert_str_eq(target.segments[2], "crn:v1:a/6b/::");
    ck_assert_int_eq(target.pair_count, 2);
    ck_assert_str_eq(target_pair_value(target.pairs, 2, "limit"), "20");
    ck_assert_str_eq(target_pair_value(target.pairs, 2, "name"), "a b&");
    ck_assert_ptr_null(target_pair_value(target.pairs, 2, "start"));
}
END_TEST

START_TEST(a_plus_in_a_path_is_a_plus)
{
    struct target target;

    ck_assert_int_eq(parse("/a+b/", &target), ERR_OK);
    ck_assert_int_eq(target.segment_count, 1);
    ck_assert_str_eq(target.segments[0], "a+b");
    ck_assert_int_eq(parse("/", &target), ERR_OK);
    ck_assert_int_eq(target.segment_count, 0);
}
END_TEST

static const char *const bad_targets[] = {
    "",
    "*",
    "http://localhost/x",
    "//x",
    "/a//b",
    "/%",
    "/%2",
    "/%zz",
    "/%00",
    "/%0d%0aX",
    "/a%7f",
    "/.",
    "/a/../b",
    "/%2e%2e",
    "/%252F",
    "/a?b=%",
    "/a?b=1&b=2",
    "/a?b=%0a",
    "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
};

START_TEST(an_unclean_target_is_refused)
{
    struct target target;

    ck_assert_int_eq(parse(bad_targets[_i], &target), ERR_INVALID);
}
END_TEST

START_TEST(a_target_has_a_bound)
{
    char *text = malloc(TARGET_MAX_BYTES + 2);
    struct target target;

    memset(text, 'a', TARGET_MAX_BYTES + 1);
    text[0] = '/';
    text[TARGET_MAX_BYTES + 1] = '\0';
    ck_assert_int_eq(parse(text, &target), ERR_TOO_LARGE);
    text[TARGET_MAX_BYTES] = '\0';
    ck_assert_int_eq(parse(text, &target), ERR_OK);
    free(text);
}
END_TEST

START_TEST(parameters_have_a_bound)
{
    char text[TARGET_MAX_PAIRS * 8 + 16] = "/a?";
    struct target target;

    for (int i = 0; i <= TARGET_MAX_PAIRS; i++)
        snprintf(text + strlen(text), 8, "p%d=1&", i);
    ck_assert_int_eq(parse(text, &target), ERR_INVALID);
}
END_TEST

/* ---- routes ---- */

static void handler(struct http_request *request)
{
    (void)request;
}

static const struct http_route routes[] = {
    {HTTP_GET, "/v2/things", handler},      {HTTP_POST, "/v2/things", handler},
    {HTTP_GET, "/v2/things/{id}", handler}, {HTTP_DELETE, "/v2/things/{id}/parts/{part}", handler},
    {HTTP_GET, "/admin/*", handler},
};

static const struct {
    enum http_method method;
    const char *path;
    int route; /* -1 = none */
    unsigned allowed;
} matches[] = {
    {HTTP_GET, "/v2/things", 0, 0},
    {HTTP_POST, "/v2/things", 1, 0},
    {HTTP_GET, "/v2/things/7", 2, 0},
    {HTTP_DELETE, "/v2/things/7/parts/8", 3, 0},
    {HTTP_GET, "/admin", 4, 0},
    {HTTP_GET, "/admin/a/b", 4, 0},
    {HTTP_PUT, "/v2/things", -1, 1u << HTTP_GET | 1u << HTTP_POST},
    {HTTP_GET, "/v2", -1, 0},
    {HTTP_GET, "/v2/things/7/8", -1, 0},
    {HTTP_GET, "/V2/things", -1, 0},
    {HTTP_GET, "/", -1, 0},
    {HTTP_GET, "/administrator", -1, 0},
};

START_TEST(a_route_is_found_by_method_and_template)
{
    struct target target;
    struct router_match match;

    ck_assert_int_eq(parse(matches[_i].path, &target), ERR_OK);
    router_match(routes, sizeof(routes) / sizeof(routes[0]), matches[_i].method, &target, &match);
    if (matches[_i].route < 0) {
        ck_assert_ptr_null(match.route);
        ck_assert_uint_eq(match.allowed_methods, matches[_i].allowed);
    } else {
        ck_assert_ptr_eq(match.route, &routes[matches[_i].route]);
    }
    if (matches[_i].route == 3) {
        ck_assert_str_eq(match.params[0], "7");
        ck_assert_str_eq(match.params[1], "8");
    }
}
END_TEST

START_TEST(head_is_get_and_unknown_methods_are_unknown)
{
    enum http_method method;

    ck_assert(http_method_parse("HEAD", &method) && method == HTTP_GET);
    ck_assert(http_method_parse("PATCH", &method) && method == HTTP_PATCH);
    ck_assert(!http_method_parse("get", &method));
    ck_assert(!http_method_parse("", &method));
}
END_TEST

/* ---- the guard ---- */

static const struct {
    const char *headers[8]; /* name, value, … */
    enum err code;
} heads[] = {
    {{"Host", "a", "Content-Length", "10"}, ERR_OK},
    {{"Host", "a", "Transfer-Encoding", "chunked"}, ERR_OK},
    {{"Host", "a"}, ERR_OK},
    {{"Content-Length", "10"}, ERR_INVALID},
    {{"Host", "a", "HOST", "a"}, ERR_INVALID},
    {{"Host", "a", "Content-Length", "1", "content-length", "1"}, ERR_INVALID},
    {{"Host", "a", "Content-Length", "1", "Transfer-Encoding", "chunked"}, ERR_INVALID},
    {{"Host", "a", "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"}, ERR_INVALID},
    {{"Host", "a", "Transfer-Encoding", "gzip, chunked"}, ERR_INVALID},
    {{"Host", "a", "Transfer-Encoding", "chunked "}, ERR_INVALID},
    {{"Host", "a", "Content-Length", "+1"}, ERR_INVALID},
    {{"Host", "a", "Content-Length", ""}, ERR_INVALID},
    {{"Host", "a", "Content-Length", "1, 1"}, ERR_INVALID},
    {{"Host", "a", "Content-Length ", "1"}, ERR_INVALID},
    {{"Host", "a", "X\tY", "1"}, ERR_INVALID},
    {{"Host", "a", "", "1"}, ERR_INVALID},
    {{"Host", "a", "X", "1\r\nY: 2"}, ERR_INVALID},
    {{"Host", "a", "Content-Length", "101"}, ERR_TOO_LARGE},
    {{"Host", "a", "Content-Length", "99999999999999999999999999999999"}, ERR_TOO_LARGE},
    {{"Host", "a", "Content-Length", "18446744073709551617"}, ERR_TOO_LARGE},
};

START_TEST(a_head_that_can_be_read_in_two_ways_is_refused)
{
    struct guard guard;

    guard_init(&guard, 100);
    for (int i = 0; i < 8 && heads[_i].headers[i]; i += 2)
        guard_add_header(&guard, slice_from_cstring(heads[_i].headers[i]),
                         slice_from_cstring(heads[_i].headers[i + 1]));
    ck_assert_int_eq(guard_check(&guard, NULL), heads[_i].code);
}
END_TEST

START_TEST(a_head_has_at_most_64_headers)
{
    struct guard guard;

    guard_init(&guard, 100);
    guard_add_header(&guard, SLICE_LITERAL("Host"), SLICE_LITERAL("a"));
    for (int i = 1; i < GUARD_MAX_HEADERS; i++)
        guard_add_header(&guard, SLICE_LITERAL("X"), SLICE_LITERAL("y"));
    ck_assert_int_eq(guard_check(&guard, NULL), ERR_OK);
    guard_add_header(&guard, SLICE_LITERAL("X"), SLICE_LITERAL("y"));
    ck_assert_int_eq(guard_check(&guard, NULL), ERR_INVALID);
}
END_TEST

/* ---- JSON ---- */

static const struct {
    const char *text;
    bool is_good;
} bodies[] = {
    {"{}", true},
    {"{\"a\": \"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"}", true},
    {"", false},
    {"[]", false},
    {"1", false},
    {"{\"a\": 1, \"a\": 2}", false},
    {"{} {}", false},
    {"{\"a\": \"\\u0000\"}", false},
    {"{\"a\": \"\xff\"}", false},
    {"{\"a\": 1e999}", false},
};

START_TEST(only_clean_json_objects_are_read)
{
    json_t *root = NULL;
    enum err rc = http_json_parse(slice_from_cstring(bodies[_i].text), &root, NULL);

    ck_assert_int_eq(rc, bodies[_i].is_good ? ERR_OK : ERR_INVALID);
    json_decref(root);
}
END_TEST

START_TEST(json_has_a_bound_in_depth)
{
    char text[200] = "{\"a\":";
    json_t *root = NULL;

    memset(text + 5, '[', HTTP_MAX_JSON_DEPTH - 1);
    memset(text + 5 + HTTP_MAX_JSON_DEPTH - 1, ']', HTTP_MAX_JSON_DEPTH - 1);
    text[5 + 2 * (HTTP_MAX_JSON_DEPTH - 1)] = '}';
    ck_assert_int_eq(http_json_parse(slice_from_cstring(text), &root, NULL), ERR_OK);
    json_decref(root);
    memset(text + 5, '[', sizeof(text) - 6);
    ck_assert_int_eq(http_json_parse(slice_from_cstring(text), &root, NULL), ERR_INVALID);
}
END_TEST

/* ---- gzip ---- */

static size_t deflate_zeros(size_t len, uint8_t *stream, size_t room)
{
    z_stream zlib = {.next_out = stream, .avail_out = (uInt)room};
    uint8_t *zeros = calloc(1, len + 1);

    ck_assert_int_eq(deflateInit2(&zlib, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    zlib.next_in = zeros;
    zlib.avail_in = (uInt)len;
    ck_assert_int_eq(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    deflateEnd(&zlib);
    free(zeros);
    return zlib.total_out;
}

static enum err inflate_into(struct slice stream, size_t max_bytes, size_t *ret_len)
{
    struct buffer out;

    buffer_init(&out, max_bytes);
    enum err rc = inflate_gzip(stream, &out, NULL);
    *ret_len = out.len;
    buffer_done(&out);
    return rc;
}

START_TEST(a_gzip_body_is_opened_up_to_the_bound)
{
    uint8_t stream[32768];
    size_t len = deflate_zeros(1000000, stream, sizeof(stream)), plain_len = 0;

    ck_assert_int_eq(inflate_into(slice_of(stream, len), 1000000, &plain_len), ERR_OK);
    ck_assert_uint_eq(plain_len, 1000000);
    ck_assert_int_eq(inflate_into(slice_of(stream, len), 999999, &plain_len), ERR_TOO_LARGE);
    ck_assert_int_eq(inflate_into(slice_of(stream, len - 1), 1000000, &plain_len), ERR_INVALID);
    ck_assert_int_eq(inflate_into(slice_of(stream, len + 1), 1000000, &plain_len), ERR_INVALID);
    ck_assert_int_eq(inflate_into(slice_of("", 0), 10, &plain_len), ERR_INVALID);
    ck_assert_int_eq(inflate_into(SLICE_LITERAL("{}"), 10, &plain_len), ERR_INVALID);
}
END_TEST

/* ---- errors ---- */

START_TEST(every_code_has_a_status_and_nothing_private_is_told)
{
    const struct problem *problem = problem_of((enum err)_i);

    ck_assert_int_ge(problem->status, 400);
    ck_assert_int_lt(problem->status, 600);
    ck_assert_ptr_nonnull(problem->code);
    ck_assert(problem->is_private == (problem->text != NULL));
    ck_assert(problem->status < 500 || problem->status == 501 || problem->is_private);
    ck_assert((problem->status == 503) == (problem->retry_after_s > 0) || problem->status == 429);
}
END_TEST

START_TEST(an_error_body_has_one_entry_in_errors)
{
    json_t *body = problem_render(404, "not_found", "There is none.", "id");
    const json_t *errors = json_object_get(body, "errors");

    ck_assert_uint_eq(json_array_size(errors), 1);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(errors, 0), "message")),
                     "There is none.");
    json_decref(body);
}
END_TEST

/* ---- waiting ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int runs;
    bool was_over;
    bool is_done;
} seen = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int runs_until_done;

static void run_waiting(struct http_request *request, bool *ret_is_parked)
{
    pthread_mutex_lock(&seen.mutex);
    seen.runs++;
    seen.was_over = request->is_wait_over;
    *ret_is_parked = !request->is_wait_over && seen.runs < runs_until_done;
    seen.is_done = !*ret_is_parked;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.mutex);
}

static struct workers *start_workers(int64_t wait_max_ms, int until_done)
{
    struct workers_config config = {
        .thread_count = 2, .queue_max = 4, .wait_max_ms = wait_max_ms, .run = run_waiting};
    struct workers *workers = NULL;

    runs_until_done = until_done;
    seen.runs = 0;
    seen.is_done = seen.was_over = false;
    ck_assert_int_eq(workers_start(&config, &workers, NULL), ERR_OK);
    return workers;
}

static void stop_workers(struct workers *workers)
{
    workers_stop(workers);
    workers_free(workers);
}

static void wait_until_done(void)
{
    pthread_mutex_lock(&seen.mutex);
    while (!seen.is_done)
        pthread_cond_wait(&seen.changed, &seen.mutex);
    pthread_mutex_unlock(&seen.mutex);
}

START_TEST(a_parked_request_looks_by_itself)
{
    struct workers *workers = start_workers(60000, 3);
    struct http_request request = {.wait_key = {{1}}};

    list_init(&request.queue_link);
    ck_assert(workers_submit(workers, &request));
    wait_until_done();
    ck_assert_int_eq(seen.runs, 3);
    ck_assert(!seen.was_over);
    stop_workers(workers);
}
END_TEST

START_TEST(a_wait_ends_at_its_deadline)
{
    struct workers *workers = start_workers(50, 1000000);
    struct http_request request = {.wait_key = {{1}}};

    list_init(&request.queue_link);
    ck_assert(workers_submit(workers, &request));
    wait_until_done();
    ck_assert(seen.was_over);
    stop_workers(workers);
}
END_TEST

START_TEST(stopping_ends_waits_and_takes_nothing_new)
{
    struct workers *workers = start_workers(60000, 1000000);
    struct http_request request = {.wait_key = {{1}}}, late = {.wait_key = {{2}}};

    list_init(&request.queue_link);
    list_init(&late.queue_link);
    ck_assert(workers_submit(workers, &request));
    workers_stop(workers);
    ck_assert(seen.is_done && seen.was_over);
    ck_assert(!workers_submit(workers, &late));
    workers_free(workers);
}
END_TEST

START_TEST(a_wake_up_runs_the_request_that_waits_for_the_key)
{
    struct workers *workers = start_workers(60000, 40);
    struct http_request request = {.wait_key = {{1}}};

    list_init(&request.queue_link);
    ck_assert(workers_submit(workers, &request));
    for (bool is_done = false; !is_done;) {
        workers_wake(workers, request.wait_key);
        pthread_mutex_lock(&seen.mutex);
        is_done = seen.is_done;
        pthread_mutex_unlock(&seen.mutex);
    }
    ck_assert_int_eq(seen.runs, 40);
    stop_workers(workers);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("controlplane/http");
    TCase *targets = tcase_create("targets"), *tc = tcase_create("http");

    tcase_add_checked_fixture(targets, make_arena, free_arena);
    tcase_add_test(targets, segments_are_decoded_after_the_split);
    tcase_add_test(targets, a_plus_in_a_path_is_a_plus);
    tcase_add_loop_test(targets, an_unclean_target_is_refused, 0,
                        sizeof(bad_targets) / sizeof(bad_targets[0]));
    tcase_add_test(targets, a_target_has_a_bound);
    tcase_add_test(targets, parameters_have_a_bound);
    tcase_add_loop_test(targets, a_route_is_found_by_method_and_template, 0,
                        sizeof(matches) / sizeof(matches[0]));
    tcase_add_test(tc, head_is_get_and_unknown_methods_are_unknown);
    tcase_add_loop_test(tc, a_head_that_can_be_read_in_two_ways_is_refused, 0,
                        sizeof(heads) / sizeof(heads[0]));
    tcase_add_test(tc, a_head_has_at_most_64_headers);
    tcase_add_loop_test(tc, only_clean_json_objects_are_read, 0,
                        sizeof(bodies) / sizeof(bodies[0]));
    tcase_add_test(tc, json_has_a_bound_in_depth);
    tcase_add_test(tc, a_gzip_body_is_opened_up_to_the_bound);
    tcase_add_loop_test(tc, every_code_has_a_status_and_nothing_private_is_told, 0,
                        ERR_INTERNAL + 1);
    tcase_add_test(tc, an_error_body_has_one_entry_in_errors);
    tcase_add_test(tc, a_parked_request_looks_by_itself);
    tcase_add_test(tc, a_wait_ends_at_its_deadline);
    tcase_add_test(tc, stopping_ends_waits_and_takes_nothing_new);
    tcase_add_test(tc, a_wake_up_runs_the_request_that_waits_for_the_key);
    suite_add_tcase(suite, targets);
    suite_add_tcase(suite, tc);
    return suite;
}

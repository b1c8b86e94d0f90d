/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a logged-in client sends, in any version of any API: the broker answers in that version's
 * layout, or closes the connection, and goes on serving. Requests are filled with pseudo-random values,
 * whole ones and ones with a flipped or missing byte. */
#include "dataplane/handlers/handlers.h"
#include "tests/support/check_main.h"
#include "tests/unit/common/kafka/message_fill.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

enum { ROUNDS = 60, MAX_STEPS = 100000 };

static struct arena arena;
static struct message_fill fill;

/* Short names are what random values hit now and then. */
static void setup(void)
{
    rig_setup();
    for (char name[2] = "a"; name[0] <= 'p'; name[0]++)
        ck_assert_int_eq(rig_create_topic(&rig_client, name, 2), KAFKA_NONE);
    arena_init(&arena, 16 << 20);
}

static void teardown(void)
{
    arena_done(&arena);
    rig_teardown();
}

static const struct message_case *message_of(const struct kafka_api *api, const char *suffix)
{
    char name[64];

    snprintf(name, sizeof(name), "%s%s", api->name, suffix);
    return message_case_find(name);
}

static void write_body(const struct kafka_api *api, int16_t version, struct writer *writer)
{
    const struct message_case *request = message_of(api, "Request");
    void *value = arena_alloc(&arena, request->size);

    ck_assert_ptr_nonnull(value);
    request->init_defaults(value);
    request->fill(&fill, version, value);
    ck_assert_int_eq(request->write(writer, version, value), ERR_OK);
}

/* Every second request is damaged: a byte changed, or its end cut off. */
static void damage(size_t body)
{
    struct buffer *out = &rig_client.out;
    uint64_t choice = (uint64_t)fill_i64(&fill);
    size_t at = out->len > body ? body + (size_t)(choice >> 8) % (out->len - body) : 0;

    if (choice % 2 == 0 || at == 0)
        return;
    if (choice % 4 == 1)
        out->data[at] ^= (uint8_t)(1 << (choice >> 4) % 8);
    else
        out->len = at;
}

static void read_answer(const struct kafka_api *api, int16_t version)
{
    const struct message_case *response = message_of(api, "Response");
    void *value = arena_alloc(&arena, response->size);
    struct reader reader = sim_kafka_take(&rig_client);

    ck_assert_ptr_nonnull(value);
    ck_assert_msg(response->read(&reader, version, &arena, value) == ERR_OK &&
                      reader_left(&reader) == 0,
                  "%s %d: the answer cannot be read", api->name, version);
}

static void try_once(const struct kafka_api *api, int16_t version, uint64_t seed)
{
    struct writer writer = sim_kafka_begin(&rig_client, (enum kafka_api_key)api->key, version);
    size_t body = writer_position(&writer);

    arena_reset(&arena);
    fill = (struct message_fill){.state = seed, .arena = &arena};
    write_body(api, version, &writer);
    damage(body);
    sim_kafka_end(&rig_client, &writer);
    sim_executor_run_until(rig.executor, sim_kafka_is_settled, &rig_client, MAX_STEPS);
    if (sim_kafka_has_answer(&rig_client)) {
        read_answer(api, version);
        return;
    }
    sim_kafka_done(&rig_client);
    sim_broker_connect(&rig, 0, &rig_client);
}

START_TEST(any_request_is_answered_in_its_version_or_ends_the_connection)
{
    const struct api_handler *handler = &served_apis[_i];
    const struct kafka_api *api = kafka_api_find((int16_t)handler->key);

    for (int16_t version = api->lowest_read_version; version <= api->max_version; version++) {
        for (uint64_t round = 0; round < ROUNDS; round++)
            try_once(api, version, round * 1000 + (uint64_t)version);
    }
    ck_assert_int_eq(rig_create_topic(&rig_other, "alive", 1), KAFKA_NONE);
}
END_TEST

static int served_count(void)
{
    int count = 0;

    while (served_apis[count].handle != NULL)
        count++;
    return count;
}

Suite *test_suite(void)
{
    Suite *suite = suite_create("any request");
    TCase *all = tcase_create("all");

    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_loop_test(all, any_request_is_answered_in_its_version_or_ends_the_connection, 0,
                        served_count());
    suite_add_tcase(suite, all);
    return suite;
}

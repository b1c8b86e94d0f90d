/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeConfigs, IncrementalAlterConfigs, AlterConfigs. */
#include "dataplane/cluster/topic_settings.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/handlers/handler_rig.h"

enum { TOPIC = 2, BROKER = 4, LOGGER = 8, CLIENT_METRICS = 16, GROUP = 32 };
enum { SET, DELETE, APPEND, SUBTRACT };

static struct kafka_describe_configs_request describe;
static struct kafka_describe_configs_request_resource described[6];
static struct kafka_describe_configs_response shown;

static struct kafka_describe_configs_request_resource *ask(int8_t type, const char *name)
{
    struct kafka_describe_configs_request_resource *resource =
        &described[describe.resources.count++];

    kafka_describe_configs_request_resource_init_defaults(resource);
    resource->resource_type = type;
    resource->resource_name = text(name);
    resource->configuration_keys.count = -1;
    return resource;
}

static void begin(void)
{
    kafka_describe_configs_request_init_defaults(&describe);
    describe.resources.items = described;
    describe.resources.count = 0;
}

static void call(struct sim_kafka *kafka, int16_t version)
{
    rig_call(kafka, DESCRIBE_CONFIGS, describe_configs, version, &describe, &shown);
}

static const struct kafka_describe_configs_response_config *config(int32_t index, const char *name)
{
    const struct kafka_describe_configs_response_resource *resource = &shown.results.items[index];

    for (int32_t i = 0; i < resource->configs.count; i++) {
        if (slice_equal_cstring(resource->configs.items[i].name, name))
            return &resource->configs.items[i];
    }
    ck_abort_msg("%s is not shown", name);
    return NULL;
}

static void show(const char *topic)
{
    begin();
    ask(TOPIC, topic);
    call(&rig_client, 4);
    ck_assert_int_eq(shown.results.items[0].error_code, KAFKA_NONE);
}

static void setup(void)
{
    rig_setup();
    begin();
    ck_assert_int_eq(rig_create_topic(&rig_client, "orders", 1), KAFKA_NONE);
}

START_TEST(every_setting_is_shown_in_every_version)
{
    for (int16_t version = 1; version <= 4; version++) {
        begin();
        describe.include_synonyms = true;
        describe.include_documentation = true;
        ask(TOPIC, "orders");
        call(&rig_client, version);
        ck_assert_int_eq(shown.results.items[0].configs.count, (int)topic_setting_count());
        assert_text(config(0, "cleanup.policy")->value, "delete");
        ck_assert_int_eq(config(0, "cleanup.policy")->config_source, 5);
        ck_assert_int_eq(config(0, "cleanup.policy")->config_type, version >= 3 ? SETTING_LIST : 0);
        ck_assert(slice_is_null(config(0, "retention.ms")->documentation) == (version < 3));
    }
}
END_TEST

START_TEST(named_settings_alone_are_shown)
{
    struct slice keys[] = {text("retention.ms"), text("no.such.key"), text("retention.ms")};
    struct kafka_describe_configs_request_resource *resource = ask(TOPIC, "orders");

    resource->configuration_keys.items = keys;
    resource->configuration_keys.count = 3;
    call(&rig_client, 4);
    ck_assert_int_eq(shown.results.items[0].configs.count, 1);
    assert_text(config(0, "retention.ms")->value, "86400000");
}
END_TEST

START_TEST(synonyms_lead_from_the_topic_to_kafkas_own_default)
{
    const struct kafka_describe_configs_response_config *entry = NULL;

    describe.include_synonyms = true;
    ask(TOPIC, "orders");
    call(&rig_client, 4);
    entry = config(0, "retention.ms");
    ck_assert_int_eq(entry->synonyms.count, 2);
    assert_text(entry->synonyms.items[0].name, "log.retention.ms");
    assert_text(entry->synonyms.items[0].value, "86400000");
    ck_assert_int_eq(entry->synonyms.items[0].source, 4);
    assert_text(entry->synonyms.items[1].value, "604800000");
    ck_assert_int_eq(entry->synonyms.items[1].source, 5);
}
END_TEST

START_TEST(topics_that_are_not_ones_own_are_unknown)
{
    ask(TOPIC, "nothing");
    ask(TOPIC, "bad name");
    ask(TOPIC, "orders");
    call(&rig_other, 4);
    ck_assert_int_eq(shown.results.items[0].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(shown.results.items[1].error_code, KAFKA_INVALID_TOPIC_EXCEPTION);
    ck_assert_int_eq(shown.results.items[2].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(shown.results.items[2].configs.count, 0);
}
END_TEST

START_TEST(this_broker_shows_its_settings_and_another_one_is_refused)
{
    ask(BROKER, "0");
    ask(BROKER, "");
    ask(BROKER, "1");
    ask(LOGGER, "0");
    ask(GROUP, "g");
    ask(3, "x");
    call(&rig_client, 4);
    assert_text(config(0, "delete.topic.enable")->value, "true");
    assert_text(config(0, "auto.create.topics.enable")->value, "false");
    assert_text(config(0, "log.retention.ms")->value, "86400000");
    assert_text(config(0, "broker.id")->value, "0");
    ck_assert(config(0, "broker.id")->read_only);
    assert_text(config(0, "group.min.session.timeout.ms")->value, "6000");
    assert_text(config(0, "offsets.retention.minutes")->value, "10080");
    assert_text(config(0, "advertised.listeners")->value, "PLAINTEXT://localhost:11000");
    ck_assert_int_eq(shown.results.items[1].error_code, KAFKA_NONE);
    ck_assert_int_eq(shown.results.items[1].configs.count, 0);
    ck_assert_int_eq(shown.results.items[2].error_code, KAFKA_INVALID_REQUEST);
    ck_assert_int_eq(shown.results.items[3].error_code, KAFKA_NONE);
    ck_assert_int_eq(shown.results.items[4].error_code, KAFKA_NONE);
    ck_assert_int_eq(shown.results.items[5].error_code, KAFKA_INVALID_REQUEST);
}
END_TEST

START_TEST(a_resource_asked_for_twice_is_answered_once)
{
    ask(TOPIC, "orders");
    ask(TOPIC, "orders");
    call(&rig_client, 4);
    ck_assert_int_eq(shown.results.count, 1);
}
END_TEST

/* --- IncrementalAlterConfigs --- */

static struct kafka_incremental_alter_configs_request edit;
static struct kafka_incremental_alter_configs_request_resource edited[4];
static struct kafka_incremental_alter_configs_request_config edits[8];
static int32_t edit_count;
static struct kafka_incremental_alter_configs_response answer;

static void begin_edit(void)
{
    kafka_incremental_alter_configs_request_init_defaults(&edit);
    edit.resources.items = edited;
    edit.resources.count = 0;
    edit_count = 0;
}

static void edit_resource(int8_t type, const char *name)
{
    struct kafka_incremental_alter_configs_request_resource *resource =
        &edited[edit.resources.count++];

    kafka_incremental_alter_configs_request_resource_init_defaults(resource);
    resource->resource_type = type;
    resource->resource_name = text(name);
    resource->configs.items = &edits[edit_count];
}

static void add_edit(const char *key, int8_t operation, const char *value)
{
    edits[edit_count++] =
        (struct kafka_incremental_alter_configs_request_config){text(key), operation, text(value)};
    edited[edit.resources.count - 1].configs.count++;
}

static void call_edit(struct sim_kafka *kafka, int16_t version)
{
    rig_call(kafka, INCREMENTAL_ALTER_CONFIGS, incremental_alter_configs, version, &edit, &answer);
}

START_TEST(a_setting_is_set_shown_as_the_topics_and_taken_back)
{
    for (int16_t version = 0; version <= 1; version++) {
        begin_edit();
        edit_resource(TOPIC, "orders");
        add_edit("retention.ms", SET, "86400000");
        call_edit(&rig_client, version);
        ck_assert_int_eq(answer.responses.items[0].error_code, KAFKA_NONE);
        ck_assert_int_eq(answer.responses.items[0].resource_type, TOPIC);
        assert_text(answer.responses.items[0].resource_name, "orders");
        show("orders");
        ck_assert_int_eq(config(0, "retention.ms")->config_source, 1);

        begin_edit();
        edit_resource(TOPIC, "orders");
        add_edit("retention.ms", DELETE, NULL);
        call_edit(&rig_client, version);
        ck_assert_int_eq(answer.responses.items[0].error_code, KAFKA_NONE);
        show("orders");
        ck_assert_int_eq(config(0, "retention.ms")->config_source, 4);
    }
}
END_TEST

START_TEST(list_items_are_appended_and_subtracted)
{
    begin_edit();
    edit_resource(TOPIC, "orders");
    add_edit("cleanup.policy", APPEND, "compact");
    call_edit(&rig_client, 1);
    show("orders");
    assert_text(config(0, "cleanup.policy")->value, "delete,compact");
    begin_edit();
    edit_resource(TOPIC, "orders");
    add_edit("cleanup.policy", SUBTRACT, "delete");
    call_edit(&rig_client, 1);
    show("orders");
    assert_text(config(0, "cleanup.policy")->value, "compact");
}
END_TEST

START_TEST(resources_fail_one_by_one)
{
    rig_create_topic(&rig_client, "other", 1);
    begin_edit();
    edit_resource(TOPIC, "orders");
    add_edit("retention.ms", SET, "soon");
    edit_resource(TOPIC, "other");
    add_edit("retention.ms", SET, "3600000");
    edit_resource(TOPIC, "nothing");
    add_edit("retention.ms", SET, "3600000");
    edit_resource(BROKER, "0");
    add_edit("log.retention.ms", SET, "1");
    call_edit(&rig_client, 1);
    ck_assert_int_eq(answer.responses.items[0].error_code, KAFKA_INVALID_CONFIG);
    ck_assert_int_eq(answer.responses.items[1].error_code, KAFKA_NONE);
    ck_assert_int_eq(answer.responses.items[2].error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    ck_assert_int_eq(answer.responses.items[3].error_code, KAFKA_CLUSTER_AUTHORIZATION_FAILED);
    show("other");
    assert_text(config(0, "retention.ms")->value, "3600000");
}
END_TEST

START_TEST(a_resource_given_twice_is_refused_once_and_not_changed)
{
    begin_edit();
    edit_resource(TOPIC, "orders");
    add_edit("retention.ms", SET, "3600000");
    edit_resource(TOPIC, "orders");
    add_edit("segment.ms", SET, "3600000");
    call_edit(&rig_client, 1);
    ck_assert_int_eq(answer.responses.count, 1);
    ck_assert_int_eq(answer.responses.items[0].error_code, KAFKA_INVALID_REQUEST);
    show("orders");
    ck_assert_int_eq(config(0, "retention.ms")->config_source, 4);
}
END_TEST

START_TEST(a_dry_run_and_an_internal_topic_change_nothing)
{
    begin_edit();
    edit.validate_only = true;
    edit_resource(TOPIC, "orders");
    add_edit("retention.ms", SET, "3600000");
    call_edit(&rig_client, 1);
    ck_assert_int_eq(answer.responses.items[0].error_code, KAFKA_NONE);
    show("orders");
    ck_assert_int_eq(config(0, "retention.ms")->config_source, 4);
    begin_edit();
    edit_resource(TOPIC, "__consumer_offsets");
    add_edit("retention.ms", SET, "3600000");
    call_edit(&rig_client, 1);
    ck_assert_int_eq(answer.responses.items[0].error_code, KAFKA_TOPIC_AUTHORIZATION_FAILED);
}
END_TEST

START_TEST(with_the_store_away_only_what_changes_nothing_succeeds)
{
    rig_set_store_reachable(false);
    begin_edit();
    edit_resource(TOPIC, "orders");
    add_edit("retention.ms", SET, "3600000");
    call_edit(&rig_client, 1);
    ck_assert_int_eq(answer.responses.items[0].error_code, KAFKA_NOT_CONTROLLER);
    begin_edit();
    edit_resource(TOPIC, "orders");
    add_edit("retention.ms", DELETE, NULL);
    call_edit(&rig_client, 1);
    ck_assert_int_eq(answer.responses.items[0].error_code, KAFKA_NONE);
}
END_TEST

/* --- AlterConfigs --- */

static int replace(int16_t version, const char *key, const char *value)
{
    struct kafka_alter_configs_request request;
    struct kafka_alter_configs_request_resource resource;
    struct kafka_alter_configs_request_config item = {text(key), text(value)};
    struct kafka_alter_configs_response response;

    kafka_alter_configs_request_init_defaults(&request);
    kafka_alter_configs_request_resource_init_defaults(&resource);
    resource.resource_type = TOPIC;
    resource.resource_name = text("orders");
    resource.configs.items = &item;
    resource.configs.count = key != NULL;
    request.resources.items = &resource;
    request.resources.count = 1;
    rig_call(&rig_client, ALTER_CONFIGS, alter_configs, version, &request, &response);
    return response.responses.items[0].error_code;
}

START_TEST(the_old_call_replaces_all_that_was_set)
{
    ck_assert_int_eq(replace(0, "retention.ms", "3600000"), KAFKA_NONE);
    ck_assert_int_eq(replace(1, "segment.ms", "3600000"), KAFKA_NONE);
    show("orders");
    ck_assert_int_eq(config(0, "retention.ms")->config_source, 4);
    ck_assert_int_eq(config(0, "segment.ms")->config_source, 1);
    ck_assert_int_eq(replace(2, NULL, NULL), KAFKA_NONE);
    show("orders");
    ck_assert_int_ne(config(0, "segment.ms")->config_source, 1);
    ck_assert_int_eq(replace(2, "segment.ms", NULL), KAFKA_INVALID_REQUEST);
}
END_TEST

/* Terraform, ksqlDB and MirrorMaker read all and write it back. */
START_TEST(all_that_is_shown_is_taken_back)
{
    struct kafka_alter_configs_request request;
    struct kafka_alter_configs_request_resource resource;
    struct kafka_alter_configs_request_config items[64];
    struct kafka_alter_configs_response response;

    show("orders");
    kafka_alter_configs_request_init_defaults(&request);
    kafka_alter_configs_request_resource_init_defaults(&resource);
    resource.resource_type = TOPIC;
    resource.resource_name = text("orders");
    resource.configs.items = items;
    resource.configs.count = shown.results.items[0].configs.count;
    for (int32_t i = 0; i < resource.configs.count; i++)
        items[i] = (struct kafka_alter_configs_request_config){
            shown.results.items[0].configs.items[i].name,
            shown.results.items[0].configs.items[i].value};
    request.resources.items = &resource;
    request.resources.count = 1;
    rig_call(&rig_client, ALTER_CONFIGS, alter_configs, 2, &request, &response);
    ck_assert_int_eq(response.responses.items[0].error_code, KAFKA_NONE);
    show("orders");
    ck_assert_int_eq(config(0, "retention.ms")->config_source, 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("configs");
    TCase *describing = tcase_create("describe");
    TCase *altering = tcase_create("alter");

    tcase_add_checked_fixture(describing, setup, rig_teardown);
    tcase_add_test(describing, every_setting_is_shown_in_every_version);
    tcase_add_test(describing, named_settings_alone_are_shown);
    tcase_add_test(describing, synonyms_lead_from_the_topic_to_kafkas_own_default);
    tcase_add_test(describing, topics_that_are_not_ones_own_are_unknown);
    tcase_add_test(describing, this_broker_shows_its_settings_and_another_one_is_refused);
    tcase_add_test(describing, a_resource_asked_for_twice_is_answered_once);
    suite_add_tcase(suite, describing);
    tcase_add_checked_fixture(altering, setup, rig_teardown);
    tcase_add_test(altering, a_setting_is_set_shown_as_the_topics_and_taken_back);
    tcase_add_test(altering, list_items_are_appended_and_subtracted);
    tcase_add_test(altering, resources_fail_one_by_one);
    tcase_add_test(altering, a_resource_given_twice_is_refused_once_and_not_changed);
    tcase_add_test(altering, a_dry_run_and_an_internal_topic_change_nothing);
    tcase_add_test(altering, with_the_store_away_only_what_changes_nothing_succeeds);
    tcase_add_test(altering, the_old_call_replaces_all_that_was_set);
    tcase_add_test(altering, all_that_is_shown_is_taken_back);
    suite_add_tcase(suite, altering);
    return suite;
}

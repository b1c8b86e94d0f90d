/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of every kind: the good one is taken, and each way to break it is refused. */
#include "dataplane/cluster/image_internal.h"
#include "dataplane/cluster/image_parse.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/cluster/fake_replica.h"

#include <stdio.h>
#include <stdlib.h>

#define UUID_A "11111111-2222-4333-8444-555555555555"
#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SCRAM_256                                                                                  \
    "{\"salt\": \"AAECAwQFBgcICQoLDA0ODw==\", \"iterations\": 4096, "                              \
    "\"stored_key\": \"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=\", "                           \
    "\"server_key\": \"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=\"}"
#define LIMITS                                                                                     \
    "{\"partitions\": 100, \"produce_bytes_per_second\": 1000, \"consume_bytes_per_second\": -1, " \
    "\"connections\": 5, \"groups\": 10, \"max_message_bytes\": 2000, "                            \
    "\"retention_bytes_per_partition\": 3000000, \"storage_bytes\": -1}"
#define TENANT                                                                                     \
    "{\"instance\": \"" UUID_A "\", \"instance_no\": 7, \"label\": \"k3x\", "                      \
    "\"state\": \"active\", \"internal_partitions\": 1, \"internal_visible\": false, "             \
    "\"limits\": " LIMITS ", \"topic_settings\": {\"retention.ms\": {\"min\": 1, \"max\": 2}, "    \
    "\"cleanup.policy\": {}, \"a.later.key\": {}}}"
#define CREDENTIAL                                                                                 \
    "{\"key_id\": \"0123456789abcdef\", \"instance_no\": 7, \"role\": \"Writer\", "                \
    "\"verifier\": \"" HEX64 "\", \"scram_sha_256\": " SCRAM_256 ", \"scram_sha_512\": null}"
#define TOPIC                                                                                      \
    "{\"topic_id\": \"" UUID_A "\", \"instance_no\": 7, \"name\": \"orders\", "                    \
    "\"internal\": false, \"configs\": {\"retention.ms\": \"5\", \"later.key\": \"x\"}, "          \
    "\"partitions\": [[0, 1, 2, [0, 1], [0]], [-1, 0, 0, [1], []]]}"
#define LISTENER                                                                                   \
    "{\"broker\": 0, \"name\": \"sasl_ssl\", \"host\": \"b0-{label}.pool.test\", "                 \
    "\"port\": 19093, \"security\": \"SASL_SSL\", \"instance_no\": null, "                         \
    "\"auto_create_partitions\": 0}"

static struct image *image;

static void setup(void)
{
    fake_replicas_reset();
    ck_assert_int_eq(image_new((struct hash_seed){1, 2}, &image), ERR_OK);
}

static void teardown(void)
{
    image_free(image);
}

static enum err parse(enum image_kind kind, const char *key, const char *payload,
                      struct image_record **ret_record)
{
    struct image_parser parser = {.image = image, .now_us = 1000000};
    struct error error;

    return image_parse(&parser, kind, slice_from_cstring(key), slice_from_cstring(payload),
                       ret_record, &error);
}

/* The payload with one text replaced by another; static room. */
static const char *with(const char *payload, const char *from, const char *to)
{
    static char text[4096];
    const char *at = strstr(payload, from);

    ck_assert_msg(at != NULL, "%s", from);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - payload), payload, to, at + strlen(from));
    return text;
}

static void refuse(enum image_kind kind, const char *key, const char *payload)
{
    struct image_record *record = NULL;

    ck_assert_msg(parse(kind, key, payload, &record) != ERR_OK, "%s", payload);
    ck_assert_ptr_null(record);
}

START_TEST(a_tenant_is_parsed_whole)
{
    struct image_record *record = NULL;
    const struct image_tenant *tenant = NULL;

    ck_assert_int_eq(parse(IMAGE_TENANT, UUID_A, TENANT, &record), ERR_OK);
    tenant = image_as_tenant(record);
    ck_assert_int_eq(tenant->instance_no, 7);
    ck_assert_str_eq(tenant->label, "k3x");
    ck_assert_uint_eq(strlen(tenant->cluster_id), UUID_BASE64_LEN);
    ck_assert(tenant->is_active);
    ck_assert_int_eq(tenant->limits.partitions, 100);
    ck_assert_int_eq(tenant->limits.consume_bytes_per_second, -1);
    ck_assert_int_eq(tenant->policy.max_retention_bytes, 3000000);
    ck_assert(!tenant->policy.allows_every_key);
    ck_assert_uint_eq(tenant->policy.range_count, 2);
    ck_assert_str_eq(tenant->policy.ranges[1].setting->name, "retention.ms");
    ck_assert_int_eq(tenant->policy.ranges[1].maximum, 2);
    image_record_unref(record);

    ck_assert_int_eq(parse(IMAGE_TENANT, UUID_A,
                           with(TENANT,
                                "{\"retention.ms\": {\"min\": 1, \"max\": 2}, "
                                "\"cleanup.policy\": {}, \"a.later.key\": {}}",
                                "null"),
                           &record),
                     ERR_OK);
    ck_assert(image_as_tenant(record)->policy.allows_every_key);
    image_record_unref(record);
}
END_TEST

START_TEST(a_tenant_keeps_its_usage_over_a_change)
{
    struct image_record *record = NULL, *again = NULL;

    ck_assert_int_eq(parse(IMAGE_TENANT, UUID_A, TENANT, &record), ERR_OK);
    image_apply(image, &(struct image_change){.kind = IMAGE_TENANT, .after = record});
    ck_assert_int_eq(parse(IMAGE_TENANT, UUID_A, with(TENANT, "active", "suspended"), &again),
                     ERR_OK);
    ck_assert_ptr_eq(image_as_tenant(record)->usage, image_as_tenant(again)->usage);
    ck_assert(!image_as_tenant(again)->is_active);
    image_record_unref(record);
    image_record_unref(again);
}
END_TEST

START_TEST(a_tenant_with_a_bad_field_is_refused)
{
    refuse(IMAGE_TENANT, UUID_A, with(TENANT, "\"instance_no\": 7", "\"instance_no\": 0"));
    refuse(IMAGE_TENANT, UUID_A, with(TENANT, "\"instance_no\": 7", "\"instance_no\": \"7\""));
    refuse(IMAGE_TENANT, UUID_A, with(TENANT, "\"instance_no\": 7", "\"instance_no\": 2147483648"));
    refuse(IMAGE_TENANT, UUID_A, with(TENANT, "k3x", ""));
    refuse(IMAGE_TENANT, UUID_A, with(TENANT, "k3x", "a\\u0000b"));
    refuse(IMAGE_TENANT, UUID_A, with(TENANT, "active", "dead"));
    refuse(IMAGE_TENANT, UUID_A, with(TENANT, "\"partitions\": 100", "\"partitions\": -2"));
    refuse(IMAGE_TENANT, UUID_A, with(TENANT, "\"groups\": 10, ", ""));
    refuse(IMAGE_TENANT, UUID_A, with(TENANT, "{\"min\": 1, \"max\": 2}", "[1, 2]"));
    refuse(IMAGE_TENANT, UUID_A, with(TENANT, "\"max\": 2", "\"max\": 2.5"));
    refuse(IMAGE_TENANT, "11111111-2222-4333-8444-555555555556", TENANT);
    refuse(IMAGE_TENANT, "no uuid", TENANT);
    refuse(IMAGE_TENANT, UUID_A, "[]");
    refuse(IMAGE_TENANT, UUID_A, "{");
    refuse(IMAGE_TENANT, UUID_A, "");
    refuse(IMAGE_TENANT, UUID_A, with(TENANT, "\"label\"", "\"instance_no\": 7, \"label\""));
}
END_TEST

START_TEST(a_credential_is_parsed_whole)
{
    struct image_record *record = NULL;
    const struct image_credential *credential = NULL;

    ck_assert_int_eq(parse(IMAGE_CREDENTIAL, "0123456789abcdef", CREDENTIAL, &record), ERR_OK);
    credential = image_as_credential(record);
    ck_assert_str_eq(credential->key_id, "0123456789abcdef");
    ck_assert_int_eq(credential->role, ROLE_WRITER);
    ck_assert_uint_eq(credential->verifier[1], 0x11);
    ck_assert(credential->has_scram[SCRAM_SHA_256]);
    ck_assert(!credential->has_scram[SCRAM_SHA_512]);
    ck_assert_uint_eq(credential->scram[SCRAM_SHA_256].salt[15], 15);
    ck_assert_uint_eq(credential->scram[SCRAM_SHA_256].server_key[31], 15);
    image_record_unref(record);
}
END_TEST

START_TEST(a_credential_with_a_bad_field_is_refused)
{
    const char *key = "0123456789abcdef";

    refuse(IMAGE_CREDENTIAL, key, with(CREDENTIAL, "Writer", "writer"));
    refuse(IMAGE_CREDENTIAL, key, with(CREDENTIAL, "\"0011", "\"zz11"));
    refuse(IMAGE_CREDENTIAL, key, with(CREDENTIAL, "eeff00", "00"));
    refuse(IMAGE_CREDENTIAL, key, with(CREDENTIAL, "4096", "1"));
    refuse(IMAGE_CREDENTIAL, key, with(CREDENTIAL, "AAECAwQFBgcICQoLDA0ODw==", "AAEC"));
    refuse(IMAGE_CREDENTIAL, key, with(CREDENTIAL, "null", "{}"));
    refuse(IMAGE_CREDENTIAL, key, with(CREDENTIAL, "null", "3"));
    refuse(IMAGE_CREDENTIAL, key, with(CREDENTIAL, "0123456789abcdef", "0123456789abcde"));
    refuse(IMAGE_CREDENTIAL, "0123456789abcdee", CREDENTIAL);
}
END_TEST

START_TEST(a_topic_is_parsed_whole)
{
    struct image_record *record = NULL;
    const struct image_topic *topic = NULL;

    ck_assert_int_eq(parse(IMAGE_TOPIC, UUID_A, TOPIC, &record), ERR_OK);
    topic = image_as_topic(record);
    ck_assert(slice_equal_cstring(topic->name, "orders"));
    ck_assert_int_eq(topic->partition_count, 2);
    ck_assert_int_eq(topic->partitions[0].leader_epoch, 1);
    ck_assert_int_eq(topic->partitions[0].partition_epoch, 2);
    ck_assert_uint_eq(topic->partitions[0].replica_count, 2);
    ck_assert_uint_eq(topic->partitions[0].isr_count, 1);
    ck_assert_int_eq(topic->partitions[1].leader, -1);
    ck_assert_uint_eq(topic->override_count, 1);
    ck_assert_str_eq(topic->overrides[0].setting->name, "retention.ms");
    ck_assert_int_eq(topic->config.retention_ms, 5);
    ck_assert_int_eq(topic->config.segment_bytes, 536870912);
    image_record_unref(record);
}
END_TEST

START_TEST(a_topic_with_a_bad_field_is_refused)
{
    refuse(IMAGE_TOPIC, UUID_A, with(TOPIC, "orders", "or ders"));
    refuse(IMAGE_TOPIC, UUID_A, with(TOPIC, "orders", ".."));
    refuse(IMAGE_TOPIC, UUID_A, with(TOPIC, "\"internal\": false, ", ""));
    refuse(IMAGE_TOPIC, UUID_A, with(TOPIC, "[0, 1, 2, [0, 1], [0]]", "[0, 1, 2, [0, 1]]"));
    refuse(IMAGE_TOPIC, UUID_A, with(TOPIC, "[0, 1, 2,", "[2, 1, 2,"));
    refuse(IMAGE_TOPIC, UUID_A, with(TOPIC, "[0, 1, 2,", "[0, -1, 2,"));
    refuse(IMAGE_TOPIC, UUID_A, with(TOPIC, "[0, 1], [0]", "[0, 0], [0]"));
    refuse(IMAGE_TOPIC, UUID_A, with(TOPIC, "[0, 1], [0]", "[0, 1], [3]"));
    refuse(IMAGE_TOPIC, UUID_A, with(TOPIC, "[0, 1], [0]", "[0,1,2,3,4,5,6,7,8], [0]"));
    refuse(IMAGE_TOPIC, UUID_A, with(TOPIC, "[[0, 1, 2, [0, 1], [0]], [-1, 0, 0, [1], []]]", "[]"));
    refuse(IMAGE_TOPIC, UUID_A,
           with(TOPIC, "{\"retention.ms\": \"5\", \"later.key\": \"x\"}", "[]"));
}
END_TEST

START_TEST(listeners_and_brokers_are_parsed_and_checked)
{
    struct image_record *record = NULL;
    struct image_tenant tenant = {.label = "k3x"};
    char host[IMAGE_HOST_MAX + 1];

    ck_assert_int_eq(parse(IMAGE_LISTENER, "0/sasl_ssl", LISTENER, &record), ERR_OK);
    ck_assert_int_eq(image_as_listener(record)->port, 19093);
    image_listener_host(image_as_listener(record), &tenant, host);
    ck_assert_str_eq(host, "b0-k3x.pool.test");
    image_record_unref(record);
    record = NULL;
    refuse(IMAGE_LISTENER, "1/sasl_ssl", LISTENER);
    refuse(IMAGE_LISTENER, "0/sasl_ssl", with(LISTENER, "19093", "65536"));
    refuse(IMAGE_LISTENER, "0/sasl_ssl", with(LISTENER, "SASL_SSL", "SSL"));
    refuse(IMAGE_LISTENER, "0/sasl_ssl", with(LISTENER, "SASL_SSL", "PLAINTEXT"));

    ck_assert_int_eq(parse(IMAGE_BROKER, "2", "{\"id\": 2, \"epoch\": 9, \"rack\": null}", &record),
                     ERR_OK);
    ck_assert_int_eq(image_as_broker(record)->epoch, 9);
    ck_assert(!image_as_broker(record)->has_rack);
    image_record_unref(record);
    record = NULL;
    refuse(IMAGE_BROKER, "2", "{\"id\": 2, \"epoch\": -9, \"rack\": null}");
    refuse(IMAGE_BROKER, "2", "{\"id\": 2, \"epoch\": 9, \"rack\": 7}");
    refuse(IMAGE_BROKER, "02", "{\"id\": 2, \"epoch\": 9, \"rack\": null}");
}
END_TEST

/* --- the image itself --- */

static struct image_record *add_topic(const char *id, const char *name, int instance_no)
{
    char payload[512];
    struct image_record *record = NULL;

    snprintf(payload, sizeof(payload),
             "{\"topic_id\": \"%s\", \"instance_no\": %d, \"name\": \"%s\", \"internal\": false, "
             "\"configs\": {}, \"partitions\": [[0, 0, 0, [0], [0]]]}",
             id, instance_no, name);
    ck_assert_int_eq(parse(IMAGE_TOPIC, id, payload, &record), ERR_OK);
    image_apply(image, &(struct image_change){.kind = IMAGE_TOPIC, .after = record});
    image_record_unref(record);
    return record;
}

START_TEST(a_topic_of_another_instance_looks_unknown_by_name_and_by_id)
{
    struct uuid id;

    add_topic("00000000-0000-4000-8000-000000000001", "orders", 1);
    add_topic("00000000-0000-4000-8000-000000000002", "orders", 2);
    ck_assert_int_eq(uuid_parse(SLICE_LITERAL("00000000-0000-4000-8000-000000000002"), &id),
                     ERR_OK);
    ck_assert_ptr_nonnull(image_topic_by_id(image, 2, id));
    ck_assert_ptr_null(image_topic_by_id(image, 1, id));
    ck_assert_int_eq(image_topic_by_name(image, 1, SLICE_LITERAL("orders"))->instance_no, 1);
    ck_assert_int_eq(image_topic_by_name(image, 2, SLICE_LITERAL("orders"))->instance_no, 2);
    ck_assert_ptr_null(image_topic_by_name(image, 3, SLICE_LITERAL("orders")));
    ck_assert_uint_eq(image_topic_count(image, 3), 0);
}
END_TEST

START_TEST(topics_are_listed_in_the_order_of_their_names)
{
    char id[UUID_TEXT_LEN + 1], name[16];
    struct image_record *record = NULL;

    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012d", i);
        snprintf(name, sizeof(name), "t%02d", i * 37 % 100);
        record = add_topic(id, name, 1);
    }
    ck_assert_uint_eq(image_topic_count(image, 1), 100);
    for (size_t i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "t%02d", (int)i);
        ck_assert(slice_equal_cstring(image_topic_at(image, 1, i)->name, name));
    }
    ck_assert_uint_eq(image_topic_position(image, 1, SLICE_LITERAL("t50")), 50);
    ck_assert_uint_eq(image_topic_position(image, 1, SLICE_LITERAL("t505")), 51);
    ck_assert_uint_eq(image_topic_position(image, 1, SLICE_LITERAL("u")), 100);
    image_apply(image, &(struct image_change){.kind = IMAGE_TOPIC, .before = record});
    ck_assert_uint_eq(image_topic_count(image, 1), 99);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/cluster: image");
    TCase *tc = tcase_create("image");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_tenant_is_parsed_whole);
    tcase_add_test(tc, a_tenant_keeps_its_usage_over_a_change);
    tcase_add_test(tc, a_tenant_with_a_bad_field_is_refused);
    tcase_add_test(tc, a_credential_is_parsed_whole);
    tcase_add_test(tc, a_credential_with_a_bad_field_is_refused);
    tcase_add_test(tc, a_topic_is_parsed_whole);
    tcase_add_test(tc, a_topic_with_a_bad_field_is_refused);
    tcase_add_test(tc, listeners_and_brokers_are_parsed_and_checked);
    tcase_add_test(tc, a_topic_of_another_instance_looks_unknown_by_name_and_by_id);
    tcase_add_test(tc, topics_are_listed_in_the_order_of_their_names);
    suite_add_tcase(suite, tc);
    return suite;
}

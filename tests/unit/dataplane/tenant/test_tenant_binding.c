/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/cluster/image_internal.h"
#include "dataplane/cluster/image_parse.h"
#include "dataplane/tenant/tenant_binding.h"
#include "tests/support/check_main.h"
#include "tests/unit/dataplane/cluster/fake_replica.h"

#include <stdio.h>

#define GUID_1 "1111aaaa-2222-4333-8444-555555555555"
#define GUID_2 "2111aaaa-2222-4333-8444-555555555555"
#define KEY_1 "0123456789abcdef"

static struct image *image;

static void put(enum image_kind kind, const char *key, const char *payload)
{
    struct image_parser parser = {.image = image, .now_us = 1000000};
    struct image_record *record = NULL;
    struct image_id id;
    struct error error;

    ck_assert_int_eq(image_id_parse(kind, slice_from_cstring(key), &id), ERR_OK);
    ck_assert_msg(image_parse(&parser, kind, slice_from_cstring(key), slice_from_cstring(payload),
                              &record, &error) == ERR_OK,
                  "%s", error.message);
    image_apply(
        image, &(struct image_change){.kind = kind,
                                      .before = image_find(image, kind, slice_of(id.bytes, id.len)),
                                      .after = record});
    image_record_unref(record);
}

static void put_tenant(const char *guid, int instance_no, const char *label, const char *state)
{
    char payload[1024];

    snprintf(
        payload, sizeof(payload),
        "{\"instance\": \"%s\", \"instance_no\": %d, \"label\": \"%s\", \"state\": \"%s\", "
        "\"internal_partitions\": 1, \"internal_visible\": false, \"limits\": {\"partitions\": 5, "
        "\"produce_bytes_per_second\": -1, \"consume_bytes_per_second\": -1, \"connections\": -1, "
        "\"groups\": -1, \"max_message_bytes\": -1, \"retention_bytes_per_partition\": -1, "
        "\"storage_bytes\": -1}, \"topic_settings\": null}",
        guid, instance_no, label, state);
    put(IMAGE_TENANT, guid, payload);
}

static void setup(void)
{
    fake_replicas_reset();
    ck_assert_int_eq(image_new((struct hash_seed){1, 2}, &image), ERR_OK);
    put_tenant(GUID_1, 1, "k3x", "active");
    put_tenant(GUID_2, 2, "other", "active");
    put(IMAGE_CREDENTIAL, KEY_1,
        "{\"key_id\": \"" KEY_1 "\", \"instance_no\": 1, \"role\": \"Writer\", \"verifier\": "
        "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\", "
        "\"scram_sha_256\": null, \"scram_sha_512\": null}");
}

static void teardown(void)
{
    image_free(image);
}

static enum err bind_as(const char *authzid, const struct image_listener *listener)
{
    struct tenant_binding binding;
    enum err rc = tenant_bind_credential(image, SLICE_LITERAL(KEY_1), slice_from_cstring(authzid),
                                         listener, &binding);

    if (rc == ERR_OK) {
        ck_assert_int_eq(binding.instance_no, 1);
        ck_assert_int_eq(binding.role, ROLE_WRITER);
        ck_assert_str_eq(binding.key_id, KEY_1);
    }
    return rc;
}

START_TEST(a_key_opens_its_instance_under_each_of_its_names)
{
    static const char *const good[] = {"",
                                       "token",
                                       KEY_1,
                                       GUID_1,
                                       "1111AAAA-2222-4333-8444-555555555555",
                                       "k3x",
                                       "K3X",
                                       "crn:v1:millrace:public:messagehub:dev:a/0123:" GUID_1 "::"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(bind_as(good[i], NULL) == ERR_OK, "%s", good[i]);
    ck_assert_int_eq(bind_as(NULL, NULL), ERR_OK);
}
END_TEST

START_TEST(an_authorization_id_that_names_something_else_is_refused)
{
    static const char *const bad[] = {GUID_2,
                                      "other",
                                      "k3",
                                      "k3xx",
                                      "0123456789abcdee",
                                      "root",
                                      "crn:v1:millrace:public:messagehub:dev:a/0123:" GUID_2 "::",
                                      "crn:v1:millrace:public:messagehub:dev:a/0123:" GUID_1
                                      ":topic:orders",
                                      "crn:v1:millrace:public:messagehub:dev:a/0123:" GUID_1 ":",
                                      "crn:v1:millrace:public:messagehub:dev:a/0123:" GUID_1 ":::",
                                      ":::::::::",
                                      "crn"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(bind_as(bad[i], NULL) == ERR_DENIED, "%s", bad[i]);
}
END_TEST

START_TEST(a_suspended_or_removed_instance_takes_nobody_and_keeps_nobody)
{
    struct tenant_binding binding = {.instance_no = 1};

    ck_assert_ptr_nonnull(tenant_of(image, &binding));
    put_tenant(GUID_1, 1, "k3x", "suspended");
    ck_assert_int_eq(bind_as("", NULL), ERR_DENIED);
    ck_assert_ptr_null(tenant_of(image, &binding));
    binding.instance_no = 9;
    ck_assert_ptr_null(tenant_of(image, &binding));
    ck_assert_int_eq(tenant_bind_credential(image, SLICE_LITERAL("ffffffffffffffff"), SLICE_NULL,
                                            NULL, &binding),
                     ERR_DENIED);
}
END_TEST

START_TEST(a_listener_may_belong_to_one_instance)
{
    struct image_listener listener = {.security = LISTENER_SASL_PLAINTEXT, .instance_no = 2};
    struct tenant_binding binding;

    ck_assert_int_eq(bind_as("", &listener), ERR_DENIED);
    listener.instance_no = 1;
    ck_assert_int_eq(bind_as("", &listener), ERR_OK);
    ck_assert_int_eq(tenant_bind_listener(image, &listener, &binding), ERR_DENIED);
    listener.security = LISTENER_PLAINTEXT;
    ck_assert_int_eq(tenant_bind_listener(image, &listener, &binding), ERR_OK);
    ck_assert_int_eq(binding.instance_no, 1);
    ck_assert_int_eq(binding.role, ROLE_MANAGER);
    ck_assert_str_eq(binding.key_id, "");
    listener.instance_no = 9;
    ck_assert_int_eq(tenant_bind_listener(image, &listener, &binding), ERR_DENIED);
}
END_TEST

START_TEST(the_directory_finds_keys_of_the_image)
{
    struct sasl_directory directory = tenant_directory(image, &system_random, NULL);
    struct sasl_credential credential;

    ck_assert(directory.find(directory.context, SLICE_LITERAL(KEY_1), &credential));
    ck_assert_uint_eq(credential.verifier[1], 0x11);
    ck_assert_ptr_null(credential.scram[SCRAM_SHA_256]);
    ck_assert(!directory.find(directory.context, SLICE_LITERAL("nobody"), &credential));
    ck_assert(!directory.find(directory.context, SLICE_LITERAL(""), &credential));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dataplane/tenant");
    TCase *tc = tcase_create("binding");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_key_opens_its_instance_under_each_of_its_names);
    tcase_add_test(tc, an_authorization_id_that_names_something_else_is_refused);
    tcase_add_test(tc, a_suspended_or_removed_instance_takes_nobody_and_keeps_nobody);
    tcase_add_test(tc, a_listener_may_belong_to_one_instance);
    tcase_add_test(tc, the_directory_finds_keys_of_the_image);
    suite_add_tcase(suite, tc);
    return suite;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are: host names, ports, files, the CA on disk. */
#include "common/crypto/certificate.h"
#include "controlplane/provisioning/files.h"
#include "controlplane/provisioning/fleet_ca.h"
#include "controlplane/provisioning/listener_host.h"
#include "controlplane/provisioning/ports.h"
#include "tests/support/check_main.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

static char root[64];
static struct error error;

static void set_up(void)
{
    snprintf(root, sizeof(root), "/tmp/millrace-places-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void tear_down(void)
{
    ck_assert_int_eq(directory_remove(root, &error), ERR_OK);
    ck_assert(!file_exists(root));
}

static const char *below(const char *name)
{
    static char paths[4][PATH_ROOM];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, PATH_ROOM, "%s/%s", root, name);
    return path;
}

START_TEST(a_host_pattern_names_broker_and_label_in_its_first_label)
{
    static const char pattern[] = "b{broker}-{label}.pool.example";
    char host[LISTENER_HOST_ROOM];

    ck_assert_int_eq(listener_host_for_broker(pattern, 2, host, &error), ERR_OK);
    ck_assert_str_eq(host, "b2-{label}.pool.example");
    ck_assert_int_eq(listener_host_for_client(pattern, 2, "k3x", host, &error), ERR_OK);
    ck_assert_str_eq(host, "b2-k3x.pool.example");
    ck_assert_int_eq(listener_host_for_certificate(pattern, host, &error), ERR_OK);
    ck_assert_str_eq(host, "*.pool.example");
}
END_TEST

START_TEST(a_plain_host_stays_as_it_is)
{
    char host[LISTENER_HOST_ROOM];

    ck_assert_int_eq(listener_host_for_client("localhost", 0, "k3x", host, &error), ERR_OK);
    ck_assert_str_eq(host, "localhost");
    ck_assert_int_eq(listener_host_for_certificate("kafka.example", host, &error), ERR_OK);
    ck_assert_str_eq(host, "kafka.example");
}
END_TEST

START_TEST(words_that_no_wildcard_covers_are_refused)
{
    static const char *const wrong[] = {"", "{label}", "a.{label}.example",
                                        "{label}.{broker}.example"};
    char host[LISTENER_HOST_ROOM];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_int_eq(listener_host_for_broker(wrong[i], 0, host, &error), ERR_INVALID);
}
END_TEST

START_TEST(a_host_that_is_too_long_is_refused)
{
    char pattern[LISTENER_HOST_ROOM + 10];
    char host[LISTENER_HOST_ROOM];

    memset(pattern, 'a', sizeof(pattern) - 1);
    pattern[sizeof(pattern) - 1] = '\0';
    ck_assert_int_eq(listener_host_for_broker(pattern, 0, host, &error), ERR_TOO_LARGE);
    ck_assert_int_eq(listener_host_for_certificate(pattern, host, &error), ERR_TOO_LARGE);
}
END_TEST

START_TEST(a_port_somebody_listens_on_is_not_free)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert(!port_is_free(ntohs(address.sin_port)));
    close(fd);
    ck_assert(port_is_free(ntohs(address.sin_port)));
}
END_TEST

START_TEST(ports_come_from_below_the_range_of_outgoing_connections)
{
    struct port_range range = {.first = 20000, .last = 65535};

    ck_assert_int_eq(port_range_clip(&range, &error), ERR_OK);
    ck_assert_int_lt(range.last, 65535);
    range = (struct port_range){.first = 65000, .last = 65535};
    ck_assert_int_eq(port_range_clip(&range, &error), ERR_INVALID);
}
END_TEST

START_TEST(a_file_is_replaced_whole_with_its_mode)
{
    struct stat status;
    char *text = NULL;

    ck_assert_int_eq(directory_make(below("a/b/c"), &error), ERR_OK);
    ck_assert_int_eq(directory_make(below("a/b/c"), &error), ERR_OK);
    ck_assert_int_eq(file_replace(below("a/b/c/f"), SLICE_LITERAL("one"), 0600, &error), ERR_OK);
    ck_assert_int_eq(file_replace(below("a/b/c/f"), SLICE_LITERAL("two"), 0600, &error), ERR_OK);
    ck_assert_int_eq(stat(below("a/b/c/f"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(file_read(below("a/b/c/f"), 3, &text, &error), ERR_OK);
    ck_assert_str_eq(text, "two");
    free(text);
    ck_assert_int_eq(file_read(below("a/b/c/f"), 2, &text, &error), ERR_TOO_LARGE);
    ck_assert_int_eq(file_read(below("none"), 2, &text, &error), ERR_NOT_FOUND);
    ck_assert(!file_exists(below("a/b/c/f.new")));
}
END_TEST

START_TEST(a_file_that_says_so_already_is_kept)
{
    struct stat before, after;

    ck_assert_int_eq(file_keep(below("f"), SLICE_LITERAL("one"), 0644, &error), ERR_OK);
    ck_assert_int_eq(stat(below("f"), &before), 0);
    ck_assert_int_eq(file_keep(below("f"), SLICE_LITERAL("one"), 0644, &error), ERR_OK);
    ck_assert_int_eq(stat(below("f"), &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
    ck_assert_int_eq(file_keep(below("f"), SLICE_LITERAL("two"), 0644, &error), ERR_OK);
    ck_assert_int_eq(stat(below("f"), &after), 0);
    ck_assert_uint_ne(before.st_ino, after.st_ino);
}
END_TEST

START_TEST(removing_a_directory_never_follows_a_link)
{
    ck_assert_int_eq(directory_make(below("kept"), &error), ERR_OK);
    ck_assert_int_eq(file_replace(below("kept/f"), SLICE_LITERAL("x"), 0644, &error), ERR_OK);
    ck_assert_int_eq(directory_make(below("gone/deep"), &error), ERR_OK);
    ck_assert_int_eq(symlink(below("kept"), below("gone/link")), 0);
    ck_assert_int_eq(symlink(below("kept/f"), below("gone/deep/link")), 0);
    ck_assert_int_eq(directory_remove(below("gone"), &error), ERR_OK);
    ck_assert(!file_exists(below("gone")));
    ck_assert(file_exists(below("kept/f")));
    ck_assert_int_eq(directory_remove(below("gone"), &error), ERR_OK);
}
END_TEST

static struct fleet_ca open_ca(void)
{
    struct fleet_ca ca;

    ck_assert_int_eq(fleet_ca_open(below("ca.crt"), below("ca.key"), &ca, &error), ERR_OK);
    return ca;
}

START_TEST(the_ca_is_made_once_and_its_key_is_its_owners)
{
    struct fleet_ca first = open_ca();
    struct fleet_ca second = open_ca();
    struct stat status;

    ck_assert_str_eq(first.certificate_pem, second.certificate_pem);
    ck_assert_str_eq(first.key_pem, second.key_pem);
    ck_assert_int_eq(stat(below("ca.key"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    fleet_ca_done(&first);
    fleet_ca_done(&second);
}
END_TEST

START_TEST(a_ca_without_its_certificate_is_not_made_anew)
{
    struct fleet_ca ca = open_ca();

    fleet_ca_done(&ca);
    unlink(below("ca.crt"));
    ck_assert_int_eq(fleet_ca_open(below("ca.crt"), below("ca.key"), &ca, &error), ERR_CORRUPT);
}
END_TEST

START_TEST(a_leaf_is_kept_until_two_thirds_of_its_days_are_over)
{
    static const char *const names[] = {"localhost", "*.pool.example", NULL};
    struct fleet_ca ca = open_ca();
    struct stat first, second;
    struct utimbuf long_ago = {.actime = 1, .modtime = 1};

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(
            fleet_ca_keep_leaf(&ca, "x", names, below("l.crt"), below("l.key"), &error), ERR_OK);
    ck_assert_int_eq(stat(below("l.crt"), &first), 0);
    ck_assert_int_eq(utime(below("l.crt"), &long_ago), 0);
    ck_assert_int_eq(fleet_ca_keep_leaf(&ca, "x", names, below("l.crt"), below("l.key"), &error),
                     ERR_OK);
    ck_assert_int_eq(stat(below("l.crt"), &second), 0);
    ck_assert_uint_ne(first.st_ino, second.st_ino);
    fleet_ca_done(&ca);
}
END_TEST

START_TEST(a_leaf_that_another_ca_signed_is_left_alone)
{
    static const char *const names[] = {"localhost", NULL};
    struct fleet_ca ca = open_ca();
    struct stat first, second;
    struct utimbuf long_ago = {.actime = 1, .modtime = 1};
    char *chain = NULL, *key = NULL;

    ck_assert_int_eq(certificate_make_ca("Somebody else", 30, &chain, &key, &error), ERR_OK);
    ck_assert_int_eq(file_replace(below("l.crt"), slice_from_cstring(chain), 0644, &error), ERR_OK);
    ck_assert_int_eq(file_replace(below("l.key"), slice_from_cstring(key), 0600, &error), ERR_OK);
    ck_assert_int_eq(utime(below("l.crt"), &long_ago), 0);
    ck_assert_int_eq(stat(below("l.crt"), &first), 0);
    ck_assert(fleet_ca_is_leaf_fresh(&ca, below("l.crt"), below("l.key")));
    ck_assert_int_eq(fleet_ca_keep_leaf(&ca, "x", names, below("l.crt"), below("l.key"), &error),
                     ERR_OK);
    ck_assert_int_eq(stat(below("l.crt"), &second), 0);
    ck_assert_uint_eq(first.st_ino, second.st_ino);
    free(chain);
    free(key);
    fleet_ca_done(&ca);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("places");
    TCase *tcase = tcase_create("places");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_host_pattern_names_broker_and_label_in_its_first_label);
    tcase_add_test(tcase, a_plain_host_stays_as_it_is);
    tcase_add_test(tcase, words_that_no_wildcard_covers_are_refused);
    tcase_add_test(tcase, a_host_that_is_too_long_is_refused);
    tcase_add_test(tcase, a_port_somebody_listens_on_is_not_free);
    tcase_add_test(tcase, ports_come_from_below_the_range_of_outgoing_connections);
    tcase_add_test(tcase, a_file_is_replaced_whole_with_its_mode);
    tcase_add_test(tcase, a_file_that_says_so_already_is_kept);
    tcase_add_test(tcase, removing_a_directory_never_follows_a_link);
    tcase_add_test(tcase, the_ca_is_made_once_and_its_key_is_its_owners);
    tcase_add_test(tcase, a_ca_without_its_certificate_is_not_made_anew);
    tcase_add_test(tcase, a_leaf_is_kept_until_two_thirds_of_its_days_are_over);
    tcase_add_test(tcase, a_leaf_that_another_ca_signed_is_left_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}

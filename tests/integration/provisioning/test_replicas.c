/* SPDX-License-Identifier: Apache-2.0 */
/* Two replicas of the reconciler on the same rows and the same directory: they share the work, each takes over what the
 * other dropped, and one that was frozen in the middle of a step writes nothing when it thaws. */
#include "controlplane/provisioning/files.h"
#include "tests/integration/provisioning/fleet_fixture.h"
#include "tests/support/check_main.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHARED_INSTANCES = 40, PATIENCE_MS = 30000, POLL_MS = 5 };

static struct private_postgres postgres;
static struct fleet fleet, other;

static void start_server(void)
{
    private_postgres_start(&postgres);
}

static void stop_server(void)
{
    fleet_kill_leftovers(&postgres);
    private_postgres_stop(&postgres);
}

static void set_up_with(const char *extra)
{
    fleet_open(&fleet, &postgres, NULL);
    fleet_start_provision(&fleet, extra);
    other = fleet;
    other.provision = 0;
    fleet_start_provision(&other, extra);
}

static void set_up(void)
{
    set_up_with(NULL);
}

/* For tests in which no lease may run out, however slow the machine is. */
static void set_up_with_long_leases(void)
{
    set_up_with("--lease_ms=60000");
}

static void tear_down(void)
{
    fleet_stop_provision(&other, SIGTERM);
    fleet_close(&fleet);
}

/* ---- failpoints ---- */

static void failpoint_path(char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "%s/failpoint", fleet.state);
}

static void arm(const char *name, const char *action)
{
    char path[PATH_ROOM], text[128];

    failpoint_path(path);
    snprintf(text, sizeof(text), "%s %s 1\n", name, action);
    ck_assert_int_eq(file_replace(path, slice_from_cstring(text), 0644, NULL), ERR_OK);
}

static void wait_until_it_struck(const char *name)
{
    char path[PATH_ROOM];

    failpoint_path(path);
    for (int waited_ms = 0; file_exists(path); waited_ms += POLL_MS) {
        ck_assert_msg(waited_ms < PATIENCE_MS, "%s was never passed", name);
        poll(NULL, 0, POLL_MS);
    }
}

/* "T" while stopped, "Z" when dead. */
static char state_of(pid_t pid)
{
    char path[64], text[256] = "", *end = NULL;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
        return 'Z';
    close(fd);
    end = strrchr(text, ')');
    return end == NULL ? 'Z' : end[2];
}

/* Of the two, the one that a failpoint has struck. */
static struct fleet *find_struck(char state)
{
    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += POLL_MS) {
        if (state_of(fleet.provision) == state)
            return &fleet;
        if (state_of(other.provision) == state)
            return &other;
        poll(NULL, 0, POLL_MS);
    }
    ck_abort_msg("neither replica is %c", state);
    return NULL;
}

/* How often replicas have said this. */
static int count_events(const char *event)
{
    char path[PATH_ROOM], *text = NULL;
    int count = 0;

    snprintf(path, sizeof(path), "%s/provision.log", fleet.state);
    ck_assert_int_eq(file_read(path, 16 << 20, &text, NULL), ERR_OK);
    for (char *at = strstr(text, event); at != NULL; at = strstr(at + 1, event))
        count++;
    free(text);
    return count;
}

/* All that replicas write, but for who leases what. */
static void take_picture(char picture[256])
{
    const char *rows = sql(
        fleet.fleet,
        "SELECT md5(coalesce((SELECT string_agg((to_jsonb(i) - 'lease_until' - 'lease_owner' - "
        "'lease_epoch')::text, ',' ORDER BY instance_id) FROM fleet.instance i), '') || "
        "coalesce((SELECT string_agg((to_jsonb(c) - 'lease_until' - 'lease_owner' - "
        "'lease_epoch')::text, ',' ORDER BY cell_id) FROM fleet.cell c), '') || "
        "coalesce((SELECT string_agg((to_jsonb(k) - 'lease_until' - 'lease_owner' - "
        "'lease_epoch')::text, ',' ORDER BY credential_id) FROM fleet.credential k), '') || "
        "coalesce((SELECT string_agg(p::text, ',' ORDER BY port) FROM fleet.port p), '') || "
        "coalesce((SELECT string_agg(o::text, ',' ORDER BY operation_id) FROM fleet.operation o), "
        "''))");

    snprintf(picture, 256, "%s %d %d", rows, fleet_count_supervisors(&fleet, NULL, 0),
             fleet_count_directories(&fleet));
}

/* ---- tests ---- */

static void wait_until_both_work(void)
{
    for (int waited_ms = 0; count_events("event=work_begun") < 2; waited_ms += POLL_MS) {
        ck_assert_msg(waited_ms < PATIENCE_MS, "they do not begin to work");
        poll(NULL, 0, POLL_MS);
    }
}

START_TEST(both_take_a_share_of_the_work)
{
    wait_until_both_work();
    for (int i = 1; i <= SHARED_INSTANCES; i++)
        fleet_insert_instance(&fleet, i, "shared", 0);
    for (int i = 1; i <= SHARED_INSTANCES; i++)
        fleet_wait_instance(&fleet, i, "ready");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT count(DISTINCT lease_owner) FROM fleet.operation"),
                     "2");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT count(*) FROM fleet.operation WHERE attempts = 1 AND "
                                      "step = 'done' AND finished_at IS NOT NULL"),
                     "40");
}
END_TEST

START_TEST(one_that_stops_gives_its_work_back_at_once)
{
    fleet_put_sign(&fleet, "mute");
    fleet_insert_instance(&fleet, 1, "shared", 0);
    fleet_wait(&fleet, "publish", "SELECT step FROM fleet.operation");
    fleet_stop_provision(&fleet, SIGTERM);
    fleet_stop_provision(&other, SIGTERM);
    ck_assert_str_eq(sql(fleet.fleet, "SELECT lease_until FROM fleet.instance"), "-infinity");
    fleet_remove_sign(&fleet, "mute");
    fleet_start_provision(&fleet, NULL);
    fleet_start_provision(&other, NULL);
    fleet_wait_instance(&fleet, 1, "ready");
    ck_assert_str_eq(sql(fleet.fleet, "SELECT attempts FROM fleet.operation"), "2");
}
END_TEST

enum life_part { CREATE, KEY_CREATE, KEY_DELETE, DELETE };

static const struct {
    const char *failpoint;
    enum life_part during;
} places[] = {
    {"instance_claimed", CREATE},
    {"instance_before_place", CREATE},
    {"cell_before_port", CREATE},
    {"cell_after_port", CREATE},
    {"cell_before_password", CREATE},
    {"cell_after_password", CREATE},
    {"cell_after_role", CREATE},
    {"cell_before_files", CREATE},
    {"cell_after_listener", CREATE},
    {"cell_after_start", CREATE},
    {"instance_before_publish", CREATE},
    {"instance_before_ready", CREATE},
    {"credential_before_publish", KEY_CREATE},
    {"credential_before_active", KEY_CREATE},
    {"credential_after_unpublish", KEY_DELETE},
    {"credential_before_removed", KEY_DELETE},
    {"instance_before_unpublish", DELETE},
    {"cell_before_stop", DELETE},
    {"cell_before_directory_removed", DELETE},
    {"cell_after_directory_removed", DELETE},
    {"cell_after_dropped", DELETE},
    {"instance_before_removed", DELETE},
};
enum { PLACE_COUNT = sizeof(places) / sizeof(places[0]) };

/* The life of an Enterprise instance with a key, up to and including the operation that is struck. */
static void live_until_struck(int place, const char *action)
{
    enum life_part during = places[place].during;

    if (during == CREATE)
        arm(places[place].failpoint, action);
    fleet_insert_instance(&fleet, 1, "dedicated", 0);
    if (during == CREATE)
        return;
    fleet_wait_instance(&fleet, 1, "ready");
    if (during == KEY_CREATE)
        arm(places[place].failpoint, action);
    fleet_insert_credential(&fleet, 1, 1);
    if (during == KEY_CREATE)
        return;
    fleet_wait_credential(&fleet, 1, "active");
    arm(places[place].failpoint, action);
    if (during == KEY_DELETE)
        fleet_delete_credential(&fleet, 1);
    else
        fleet_delete_instance(&fleet, 1);
}

static void wait_until_settled(int place)
{
    fleet_wait(&fleet, "0",
               "SELECT (SELECT count(*) FROM fleet.instance WHERE phase NOT IN ('ready', "
               "'removed')) + (SELECT count(*) FROM fleet.credential WHERE state NOT IN ('active', "
               "'removed'))");
    fleet_wait_instance(&fleet, 1, places[place].during == DELETE ? "removed" : "ready");
}

/* Leases that this replica has claimed, not given back, and nobody else has claimed since. */
#define LEASES_OF                                                                                  \
    "SELECT count(*) FROM (SELECT lease_owner, lease_until FROM fleet.cell UNION ALL SELECT "      \
    "lease_owner, lease_until FROM fleet.instance UNION ALL SELECT lease_owner, lease_until "      \
    "FROM fleet.credential) l WHERE lease_owner LIKE '%d-%%' AND lease_until <> '-infinity'"

static int count_leases(const struct fleet *replica)
{
    return (int)strtol(sql(fleet.fleet, LEASES_OF, (int)replica->provision), NULL, 10);
}

static void wait_until_it_noticed(int lost_before)
{
    for (int waited_ms = 0; count_events("event=lease_lost") == lost_before; waited_ms += POLL_MS) {
        ck_assert_msg(waited_ms < PATIENCE_MS, "the thawed one did not notice");
        poll(NULL, 0, POLL_MS);
    }
}

/* What stands already is nobody's work (a started cell): such a lease is still the thawed one's, and is given back. */
START_TEST(the_other_finishes_what_a_frozen_one_began_and_the_thawed_one_writes_nothing)
{
    char before[256], after[256];

    live_until_struck(_i, "freeze");
    wait_until_it_struck(places[_i].failpoint);
    struct fleet *frozen = find_struck('T');
    int held = count_leases(frozen);
    wait_until_settled(_i);
    int kept = count_leases(frozen), lost = count_events("event=lease_lost");
    take_picture(before);
    kill(frozen->provision, SIGCONT);
    if (kept == 0 || kept < held)
        wait_until_it_noticed(lost);
    fleet_wait(&fleet, "0", LEASES_OF, (int)frozen->provision);
    take_picture(after);
    ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(the_other_finishes_what_a_killed_one_began)
{
    live_until_struck(_i, "kill");
    wait_until_it_struck(places[_i].failpoint);
    struct fleet *killed = find_struck('Z');
    fleet_stop_provision(killed, SIGKILL);
    wait_until_settled(_i);
    fleet_start_provision(killed, NULL);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("replicas of provision");
    TCase *tcase = tcase_create("replicas");
    TCase *long_leases = tcase_create("long leases");

    tcase_add_unchecked_fixture(tcase, start_server, stop_server);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(
        tcase, the_other_finishes_what_a_frozen_one_began_and_the_thawed_one_writes_nothing, 0,
        PLACE_COUNT);
    tcase_add_loop_test(tcase, the_other_finishes_what_a_killed_one_began, 0, PLACE_COUNT);
    suite_add_tcase(suite, tcase);
    tcase_add_unchecked_fixture(long_leases, start_server, stop_server);
    tcase_add_checked_fixture(long_leases, set_up_with_long_leases, tear_down);
    tcase_set_timeout(long_leases, 120);
    tcase_add_test(long_leases, both_take_a_share_of_the_work);
    tcase_add_test(long_leases, one_that_stops_gives_its_work_back_at_once);
    suite_add_tcase(suite, long_leases);
    return suite;
}

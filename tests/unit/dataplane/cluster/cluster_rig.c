/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/cluster/cluster_rig.h"

#include <check.h>
#include <stdio.h>

#include "tests/unit/dataplane/cluster/fake_replica.h"

struct cluster_rig rig;

static void open_listeners(void *context, int64_t version)
{
    (void)context;
    rig.listeners_asked = version;
    if (!rig.are_listeners_slow)
        cluster_listeners_opened(rig.cluster, version);
}

static void start_cluster(void *context)
{
    (void)context;
    cluster_start(rig.cluster);
}

void cluster_rig_make_with_part(size_t part)
{
    struct sim_executor_options options = {.loop_count = LOOPS,
                                           .seed = 7 + (uint64_t)rig.incarnation,
                                           .start_wall_ms = 1000000,
                                           .trace = &rig.trace};
    struct cluster_options cluster_options;

    rig.sim = sim_executor_new(&options);
    rig.store =
        sim_meta_store_new(rig.cell, sim_executor_loop(rig.sim, 0), 0, ++rig.incarnation, 99);
    sim_meta_store_set_part(rig.store, part);
    cluster_options = (struct cluster_options){.executor = sim_executor_base(rig.sim),
                                               .store = sim_meta_store_port(rig.store),
                                               .disk = rig.disk,
                                               .random = &sim_executor_random(rig.sim)->base,
                                               .broker_id = 0,
                                               .open_listeners = open_listeners};
    ck_assert_int_eq(cluster_new(&cluster_options, &rig.cluster, NULL), ERR_OK);
}

void cluster_rig_launch(void)
{
    sim_executor_call(rig.sim, 0, start_cluster, NULL);
}

void cluster_rig_start(void)
{
    cluster_rig_make_with_part(0);
    cluster_rig_launch();
    sim_executor_run_for(rig.sim, SECOND_US);
}

static void set_reachable_on_loop(void *context)
{
    sim_meta_store_set_reachable(rig.store, *(bool *)context);
}

void cluster_rig_set_reachable(bool is_reachable)
{
    sim_executor_call(rig.sim, 0, set_reachable_on_loop, &is_reachable);
}

static bool is_stopped;

static void on_stopped(void *context)
{
    (void)context;
    is_stopped = true;
}

static void stop_cluster(void *context)
{
    (void)context;
    cluster_stop(rig.cluster, on_stopped, NULL);
}

static bool stop_is_done(void *context)
{
    (void)context;
    return is_stopped;
}

void cluster_rig_drop(void)
{
    cluster_free(rig.cluster);
    sim_meta_store_free(rig.store);
    sim_executor_free(rig.sim);
}

void cluster_rig_stop(void)
{
    is_stopped = false;
    sim_executor_call(rig.sim, 0, stop_cluster, NULL);
    ck_assert(sim_executor_run_until(rig.sim, stop_is_done, NULL, 100000));
    sim_executor_run_for(rig.sim, 1000);
    cluster_rig_drop();
}

void cluster_rig_put_tenant(const char *instance, int instance_no, const char *state,
                            int retention_limit)
{
    char payload[1024];

    snprintf(
        payload, sizeof(payload),
        "{\"instance\": \"%s\", \"instance_no\": %d, \"label\": \"tenant%d\", \"state\": \"%s\", "
        "\"internal_partitions\": 1, \"internal_visible\": false, \"limits\": {\"partitions\": 5, "
        "\"produce_bytes_per_second\": -1, \"consume_bytes_per_second\": -1, \"connections\": -1, "
        "\"groups\": -1, \"max_message_bytes\": -1, \"retention_bytes_per_partition\": %d, "
        "\"storage_bytes\": -1}, \"topic_settings\": null}",
        instance, instance_no, instance_no, state, retention_limit);
    sim_cell_put(rig.cell, "tenant", instance, payload);
}

static void put_credential(void)
{
    sim_cell_put(rig.cell, "credential", KEY_ID,
                 "{\"key_id\": \"" KEY_ID "\", \"instance_no\": 1, \"role\": \"Manager\", "
                 "\"verifier\": "
                 "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\", "
                 "\"scram_sha_256\": null, \"scram_sha_512\": null}");
}

void cluster_rig_put_listener(int port)
{
    char payload[256];

    snprintf(payload, sizeof(payload),
             "{\"broker\": 0, \"name\": \"sasl_ssl\", \"host\": \"localhost\", \"port\": %d, "
             "\"security\": \"SASL_SSL\", \"instance_no\": null, \"auto_create_partitions\": 0}",
             port);
    sim_cell_put(rig.cell, "listener", "0/sasl_ssl", payload);
}

void cluster_rig_begin(void)
{
    struct uuid cell_id = {{1, 2, 3}};

    fake_replicas_reset();
    rig.trace = (struct sim_trace){0};
    rig.incarnation = 0;
    rig.are_listeners_slow = false;
    rig.listeners_asked = 0;
    rig.cell = sim_cell_new(cell_id, 3);
    rig.disk = sim_disk_new(3, &rig.trace);
    cluster_rig_put_tenant(TENANT_1, 1, "active", -1);
    cluster_rig_put_tenant(TENANT_2, 2, "active", -1);
    put_credential();
    cluster_rig_put_listener(9093);
}

void cluster_rig_end(void)
{
    sim_disk_free(rig.disk);
    sim_cell_free(rig.cell);
    ck_assert_int_eq(fake_replicas_referenced(), 0);
}

struct image *cluster_rig_image_of(int loop)
{
    return cluster_image(rig.cluster, sim_executor_loop(rig.sim, loop));
}

/* --- requests --- */

static void on_done(struct cluster_request *request)
{
    struct sent *sent = container_of(request, struct sent, request);

    ck_assert(!sent->is_done);
    ck_assert(on_loop(request->home));
    sent->is_done = true;
    sent->was_shown = true;
    for (int i = 0; i < LOOPS; i++)
        sent->was_shown =
            sent->was_shown && image_version(cluster_rig_image_of(i)) >= request->version;
}

static void submit(void *context)
{
    struct sent *sent = context;

    sent->request.deadline_us = loop_now_us(sent->request.home) + 5 * SECOND_US;
    cluster_submit(rig.cluster, &sent->request);
    ck_assert(!sent->is_done);
}

void cluster_rig_send(struct sent *sent, int home)
{
    sent->request.home = sim_executor_loop(rig.sim, home);
    sent->request.topics = &sent->topic;
    sent->request.topic_count = 1;
    sent->request.done = on_done;
    sim_executor_call(rig.sim, home, submit, sent);
}

static bool is_done(void *context)
{
    return ((struct sent *)context)->is_done;
}

void cluster_rig_finish(struct sent *sent)
{
    ck_assert(sim_executor_run_until(rig.sim, is_done, sent, 100000));
}

void cluster_rig_create_topic(struct sent *sent, const char *name, int partitions, int home)
{
    *sent = (struct sent){.request = {.kind = META_CREATE_TOPICS, .instance_no = 1},
                          .topic = {.name = slice_from_cstring(name),
                                    .add_partitions = partitions,
                                    .replication_factor = -1}};
    cluster_rig_send(sent, home);
    cluster_rig_finish(sent);
}

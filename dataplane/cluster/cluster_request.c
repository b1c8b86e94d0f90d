/* SPDX-License-Identifier: Apache-2.0 */
/* A request of a handler on its way:
 *
 *   home    ids, placement, JSON                        cluster_submit
 *   loop 0  meta_store submit … answer with version v
 *           v is shown by all loops, or the deadline    (waiting)
 *   home    done
 *
 * The store answers, or fails, in bounded time by itself; the deadline bounds the wait for the
 * image. */
#include "common/crypto/encoding.h"
#include "dataplane/cluster/cluster_internal.h"
#include "dataplane/cluster/request_json.h"

#include <stdlib.h>

#define MAX_BROKERS 64

static void on_home(struct mail *mail)
{
    struct cluster_request *request = container_of(mail, struct cluster_request, mail);

    request->done(request);
}

/* Loop 0. */
static void finish(struct cluster_request *request, enum err err)
{
    struct cluster *cluster = request->cluster;

    timer_stop(cluster->loop, &request->deadline);
    list_remove(&request->link);
    free(request->body);
    request->body = NULL;
    request->err = err;
    request->mail.deliver = on_home;
    cluster->requests_under_way--;
    loop_post(request->home, &request->mail);
    cluster_advance(cluster);
}

static void on_deadline(struct timer *timer)
{
    finish(container_of(timer, struct cluster_request, deadline), ERR_TIMEOUT);
}

static void on_answered(struct meta_request *store_request, enum err err, struct slice reply,
                        int64_t version)
{
    struct cluster_request *request =
        container_of(store_request, struct cluster_request, store_request);
    struct cluster *cluster = request->cluster;

    if (err == ERR_OK && request_json_read(request, reply) != ERR_OK)
        err = ERR_INTERNAL;
    if (err != ERR_OK) {
        finish(request, err);
        return;
    }
    request->version = version;
    if (version <= cluster->applied_version || cluster->is_stopping) {
        finish(request, ERR_OK);
        return;
    }
    request->deadline.fire = on_deadline;
    list_push_back(&cluster->waiting, &request->link);
    timer_start(cluster->loop, &request->deadline, request->deadline_us);
}

void cluster_requests_advance(struct cluster *cluster)
{
    list_for_each(&cluster->waiting, node)
    {
        struct cluster_request *request = container_of(node, struct cluster_request, link);

        if (cluster->is_stopping)
            finish(request, ERR_CANCELLED);
        else if (request->version <= cluster->applied_version)
            finish(request, ERR_OK);
    }
}

static void on_loop0(struct mail *mail)
{
    struct cluster_request *request = container_of(mail, struct cluster_request, mail);
    struct cluster *cluster = request->cluster;

    cluster->requests_under_way++;
    if (request->err != ERR_OK) {
        finish(request, request->err);
        return;
    }
    if (!cluster->is_store_started) {
        finish(request, cluster->is_stopping ? ERR_CANCELLED : ERR_UNAVAILABLE);
        return;
    }
    request->store_request = (struct meta_request){
        .kind = request->kind, .body = slice_from_cstring(request->body), .done = on_answered};
    cluster->options.store->ops->submit(cluster->options.store, &request->store_request);
}

static enum err choose_ids(struct cluster_request *request, struct random *random)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; i < request->topic_count && rc == ERR_OK; i++) {
        struct topic_request *topic = &request->topics[i];

        topic->result = TOPIC_NOT_ANSWERED;
        if (request->kind == META_CREATE_TOPICS && uuid_is_zero(topic->topic_id))
            rc = uuid_generate(random, &topic->topic_id);
    }
    return rc;
}

/* On home, whose image knows the brokers. */
static enum err write_body(struct cluster *cluster, struct cluster_request *request)
{
    const struct image *image = cluster_image(cluster, request->home);
    int32_t brokers[MAX_BROKERS];
    int32_t count = 0;
    struct uuid request_id;
    enum err rc = choose_ids(request, cluster->options.random);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < image_broker_count(image) && count < MAX_BROKERS; i++)
        brokers[count++] = image_broker_at(image, i)->id;
    if (count == 0)
        return ERR_UNAVAILABLE; /* never heard of the cell: nothing can be placed */
    rc = uuid_generate(cluster->options.random, &request_id);
    if (rc != ERR_OK)
        return rc;
    return request_json_write(request, request_id, brokers, count, &request->body);
}

void cluster_submit(struct cluster *cluster, struct cluster_request *request)
{
    request->cluster = cluster;
    request->version = 0;
    request->body = NULL;
    request->deadline = (struct timer){.fire = on_deadline};
    list_init(&request->link);
    request->err = write_body(cluster, request);
    request->mail.deliver = on_loop0;
    loop_post(cluster->loop, &request->mail);
}

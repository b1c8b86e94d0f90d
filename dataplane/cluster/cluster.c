/* SPDX-License-Identifier: Apache-2.0 */
/* Start and stop, what the store tells, and when a version is acknowledged.
 *
 * A version is acknowledged when every loop shows it, the listeners it changed are open, and, if it
 * took access away, the cached image on the disk knows that too: otherwise a crash with the store
 * down would bring a deleted key back. */
#include "common/observe/log.h"
#include "dataplane/cluster/cluster_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#define PENDING_MAX_BYTES ((size_t)1 << 30) /* a whole image in parts */

/* --- what the store tells --- */

static void on_registered(void *context, const struct meta_registration *registration)
{
    struct cluster *cluster = context;

    cluster->registration = *registration;
    cluster->is_registered = true;
    log_directory_set_producer_registration(cluster->options.directory,
                                            registration->producer_registration);
}

static void on_reachable(void *context, bool is_reachable)
{
    struct cluster *cluster = context;

    if (is_reachable != cluster_is_store_reachable(cluster))
        log_event(is_reachable ? LOG_INFO : LOG_WARN,
                  is_reachable ? "metadata_store_reachable" : "metadata_store_unreachable",
                  f_i64("version", image_version(cluster->images[0])));
    atomic_store_explicit(&cluster->is_reachable, is_reachable, memory_order_relaxed);
}

static bool is_known_topic(void *context, struct uuid topic_id)
{
    const struct cluster *cluster = context;

    return image_find(cluster->images[0], IMAGE_TOPIC,
                      slice_of(topic_id.bytes, sizeof(topic_id.bytes))) != NULL;
}

/* Only now, for a cached image may be older than the topics on the disk. */
static void synchronize(struct cluster *cluster)
{
    if (cluster->is_synced)
        return;
    cluster->is_synced = true;
    log_directory_remove_unknown(cluster->options.directory, is_known_topic, cluster);
}

static bool refuse_backwards(struct cluster *cluster, int64_t version)
{
    int64_t known = image_version(cluster->images[0]);

    if (version >= known) {
        cluster->is_backwards = false;
        return false;
    }
    if (!cluster->is_backwards)
        log_event(
            LOG_ERROR, "metadata_goes_backwards", f_i64("known", known), f_i64("offered", version),
            f_str("message", "the store is older than this broker's image, which stays; was the "
                             "store restored from a backup?"));
    cluster->is_backwards = true;
    return true;
}

/* --- parts of a version or snapshot, kept until the last one --- */

static void pending_reset(struct pending_changes *pending)
{
    buffer_done(&pending->bytes);
    buffer_init(&pending->bytes, PENDING_MAX_BYTES);
    pending->count = 0;
    pending->is_snapshot = false;
}

static enum err keep_slice(struct buffer *buffer, struct slice bytes)
{
    int64_t len = slice_is_null(bytes) ? -1 : (int64_t)bytes.len;
    enum err rc = buffer_append(buffer, &len, sizeof(len));

    return rc == ERR_OK && len > 0 ? buffer_append(buffer, bytes.data, bytes.len) : rc;
}

static void keep_part(struct pending_changes *pending, const struct meta_change *changes,
                      size_t count, bool is_snapshot)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        rc = buffer_append(&pending->bytes, &changes[i].version, sizeof(changes[i].version));
        if (rc == ERR_OK)
            rc = keep_slice(&pending->bytes, changes[i].kind);
        if (rc == ERR_OK)
            rc = keep_slice(&pending->bytes, changes[i].key);
        if (rc == ERR_OK)
            rc = keep_slice(&pending->bytes, changes[i].payload);
    }
    invariant(rc == ERR_OK); /* memory for metadata: image_internal.h */
    pending->count += count;
    pending->is_snapshot = pending->is_snapshot || is_snapshot;
}

static struct slice kept_slice(const uint8_t **at)
{
    int64_t len = 0;
    struct slice bytes = SLICE_NULL;

    memcpy(&len, *at, sizeof(len));
    *at += sizeof(len);
    if (len < 0)
        return SLICE_NULL;
    bytes = slice_of(*at, (size_t)len);
    *at += len;
    return bytes;
}

static void apply_pending(struct cluster *cluster, int64_t version)
{
    struct pending_changes *pending = &cluster->pending;
    struct meta_change *changes = calloc(pending->count, sizeof(*changes));
    const uint8_t *at = pending->bytes.data;

    invariant(changes != NULL);
    for (size_t i = 0; i < pending->count; i++) {
        memcpy(&changes[i].version, at, sizeof(changes[i].version));
        at += sizeof(changes[i].version);
        changes[i].kind = kept_slice(&at);
        changes[i].key = kept_slice(&at);
        changes[i].payload = kept_slice(&at);
    }
    cluster_apply_changes(cluster, changes, pending->count, pending->is_snapshot, version);
    free(changes);
    pending_reset(pending);
}

static void on_changes(void *context, const struct meta_change *changes, size_t count,
                       bool is_snapshot, bool is_last, int64_t version)
{
    struct cluster *cluster = context;

    if (refuse_backwards(cluster, version)) {
        pending_reset(&cluster->pending);
        return;
    }
    if (!is_last || cluster->pending.count > 0) {
        keep_part(&cluster->pending, changes, count, is_snapshot);
        if (!is_last)
            return;
        apply_pending(cluster, version);
    } else if (count > 0 || is_snapshot || version > image_version(cluster->images[0])) {
        cluster_apply_changes(cluster, changes, count, is_snapshot, version);
    }
    synchronize(cluster);
    cluster_advance(cluster);
}

static const struct meta_store_events store_events = {
    .on_registered = on_registered,
    .on_changes = on_changes,
    .on_reachable = on_reachable,
};

/* --- acknowledging --- */

void cluster_update_begun(struct cluster *cluster, const struct update_summary *summary)
{
    if (summary->has_revocation)
        cluster->revoked_version = summary->version;
    image_cache_touch(cluster, summary->has_revocation);
}

static void open_listeners(struct cluster *cluster, int64_t version)
{
    if (cluster->options.open_listeners == NULL || cluster->is_stopping)
        return;
    cluster->listeners_version = version;
    cluster->options.open_listeners(cluster->options.context, version);
}

void cluster_update_applied(struct cluster *cluster, const struct update_summary *summary)
{
    cluster->applied_version = summary->version;
    if (summary->has_listener_change)
        open_listeners(cluster, summary->version);
    cluster_requests_advance(cluster);
    cluster_advance(cluster);
}

void cluster_listeners_opened(struct cluster *cluster, int64_t version)
{
    if (version < cluster->listeners_version)
        return;
    cluster->listeners_version = 0;
    cluster_advance(cluster);
}

static int64_t acknowledgeable(const struct cluster *cluster)
{
    int64_t version = cluster->applied_version;

    if (cluster->listeners_version > 0 && cluster->listeners_version <= version)
        version = cluster->listeners_version - 1;
    if (cluster->revoked_version > cluster->cache.written_version &&
        version > cluster->cache.written_version)
        version = cluster->cache.written_version;
    return version;
}

static bool is_idle(const struct cluster *cluster)
{
    return cluster->updates_under_way == 0 && cluster->removals_under_way == 0 &&
           cluster->requests_under_way == 0 && image_cache_is_idle(cluster);
}

void cluster_advance(struct cluster *cluster)
{
    int64_t version = acknowledgeable(cluster);
    void (*stopped)(void *context) = cluster->stopped;

    if (cluster->is_store_started && version > cluster->acknowledged_version) {
        cluster->acknowledged_version = version;
        cluster->options.store->ops->acknowledge(cluster->options.store, version);
    }
    if (cluster->is_stopping && stopped != NULL && is_idle(cluster)) {
        cluster->stopped = NULL;
        stopped(cluster->stopped_context);
    }
}

/* --- life --- */

static enum err make_images(struct cluster *cluster)
{
    enum err rc = ERR_OK;

    cluster->images = calloc((size_t)cluster->loop_count, sizeof(struct image *));
    if (cluster->images == NULL)
        return ERR_NO_MEMORY;
    for (int i = 0; i < cluster->loop_count && rc == ERR_OK; i++)
        rc = image_new(cluster->seed, &cluster->images[i]);
    return rc;
}

/* Not having a cached image is normal; a bad one is said and left alone until the next write. */
static void load_cache(struct cluster *cluster)
{
    struct error error = {.code = ERR_OK};
    enum err rc = image_cache_load(cluster, &error);

    if (rc == ERR_OK) {
        log_event(LOG_INFO, "cached_image_loaded", f_i64("version", cluster->applied_version));
        return;
    }
    if (rc != ERR_NOT_FOUND)
        log_event(LOG_WARN, "cached_image_not_used", f_str("message", error.message));
}

enum err cluster_new(const struct cluster_options *options, struct cluster **ret_cluster,
                     struct error *error)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));
    enum err rc = ERR_OK;

    if (cluster == NULL)
        return error_set(error, ERR_NO_MEMORY, "no memory for the cluster");
    cluster->options = *options;
    cluster->loop = options->executor->loops[0];
    cluster->loop_count = options->executor->loop_count;
    list_init(&cluster->waiting);
    atomic_init(&cluster->is_reachable, false);
    buffer_init(&cluster->pending.bytes, PENDING_MAX_BYTES);
    rc = random_fill(options->random, &cluster->seed, sizeof(cluster->seed));
    if (rc == ERR_OK)
        rc = make_images(cluster);
    if (rc != ERR_OK) {
        cluster_free(cluster);
        return error_set(error, rc, "make the metadata images: %s", err_text(rc));
    }
    load_cache(cluster);
    *ret_cluster = cluster;
    return ERR_OK;
}

/* Behind the mail that made replicas of the cached image lead: a client that gets in finds leaders. */
static void pass_round(struct mail *mail)
{
    struct cluster *cluster = container_of(mail, struct cluster, start_mail);

    cluster->start_at++;
    if (cluster->start_at < cluster->loop_count)
        loop_post(cluster->options.executor->loops[cluster->start_at], mail);
    else if (cluster->start_at == cluster->loop_count)
        loop_post(cluster->loop, mail);
    else if (!cluster->is_stopping)
        open_listeners(cluster, image_version(cluster->images[0]));
}

void cluster_start(struct cluster *cluster)
{
    int64_t version = image_version(cluster->images[0]);

    if (version > 0) {
        cluster->start_mail.deliver = pass_round;
        loop_post(cluster->loop, &cluster->start_mail);
    }
    cluster->is_store_started = true;
    cluster->options.store->ops->start(cluster->options.store, &store_events, cluster, version);
}

void cluster_stop(struct cluster *cluster, void (*done)(void *context), void *context)
{
    bool was_started = cluster->is_store_started;

    cluster->is_stopping = true;
    cluster->is_store_started = false;
    if (was_started)
        cluster->options.store->ops->stop(cluster->options.store);
    cluster_requests_advance(cluster);
    image_cache_touch(cluster, true);
    cluster->stopped = done;
    cluster->stopped_context = context;
    cluster_advance(cluster);
}

void cluster_free(struct cluster *cluster)
{
    if (cluster == NULL)
        return;
    for (int i = 0; cluster->images != NULL && i < cluster->loop_count; i++)
        image_free(cluster->images[i]);
    free(cluster->images);
    buffer_done(&cluster->pending.bytes);
    free(cluster);
}

struct image *cluster_image(const struct cluster *cluster, const struct loop *loop)
{
    return cluster->images[loop->index];
}

int32_t cluster_broker_id(const struct cluster *cluster)
{
    return cluster->options.broker_id;
}

bool cluster_is_store_reachable(const struct cluster *cluster)
{
    return atomic_load_explicit(&cluster->is_reachable, memory_order_relaxed);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* From the store's changes to records, and round all loops.
 *
 *   changes ─▶ [loop 0] find what the image has, parse what differs, open replicas
 *           ─▶ applied to image 0, observers of loop 0
 *           ─▶ mail to loops 1…n-1: applied, observers; the same node comes back to loop 0
 *           ─▶ all back: removed replicas lose their files, cluster_update_applied
 *
 * An update holds a reference to every record it removes or brings, so that a loop which is late
 * still finds both. An object that cannot be parsed is left as it was, with an error in the log:
 * one bad row must not stop a whole cell. A snapshot is turned into the changes that lead to it, so
 * observers only ever see changes. */
#include "common/observe/log.h"
#include "dataplane/cluster/cluster_internal.h"

#include <stdlib.h>

struct update_mail {
    struct mail mail;
    struct image_update *update;
    struct image *image;
};

struct image_update {
    struct cluster *cluster;
    struct update_summary summary;
    struct image_change *changes;
    size_t count;
    size_t capacity;
    int loops_left;
    struct update_mail mails[]; /* one per loop but the first */
};

static struct image_update *update_new(struct cluster *cluster, int64_t version)
{
    size_t mails = (size_t)cluster->loop_count - 1;
    struct image_update *update = calloc(1, sizeof(*update) + mails * sizeof(struct update_mail));

    invariant(update != NULL);
    update->cluster = cluster;
    update->summary.version = version;
    update->loops_left = cluster->loop_count - 1;
    return update;
}

static void update_free(struct image_update *update)
{
    for (size_t i = 0; i < update->count; i++) {
        image_record_unref(update->changes[i].before);
        image_record_unref(update->changes[i].after);
    }
    free(update->changes);
    free(update);
}

static void summarize(struct image_update *update, const struct image_change *change)
{
    const struct image_record *any = change->after ? change->after : change->before;

    if (change->kind == IMAGE_LISTENER &&
        image_as_listener(any)->broker == update->cluster->options.broker_id)
        update->summary.has_listener_change = true;
    if (change->kind == IMAGE_CREDENTIAL && change->before != NULL)
        update->summary.has_revocation = true;
    if (change->kind == IMAGE_TENANT &&
        (change->after == NULL || !image_as_tenant(change->after)->is_active))
        update->summary.has_revocation = true;
}

/* Applies to image 0 at once; before: borrowed from it; after: one reference, moved. */
static void add_change(struct image_update *update, const struct image_record *before,
                       struct image_record *after)
{
    struct image_change *change = NULL;

    if (update->count == update->capacity) {
        update->capacity = update->capacity > 0 ? update->capacity * 2 : 4;
        update->changes = realloc(update->changes, update->capacity * sizeof(struct image_change));
        invariant(update->changes != NULL);
    }
    if (after != NULL && after->kind == IMAGE_TOPIC)
        topic_replicas_open(update->cluster, (struct image_topic *)(void *)after,
                            before ? image_as_topic(before) : NULL);
    change = &update->changes[update->count++];
    *change = (struct image_change){
        .kind = before ? before->kind : after->kind, .before = before, .after = after};
    image_record_ref(before);
    image_apply(update->cluster->images[0], change);
    summarize(update, change);
}

/* --- topics whose resolved settings follow something else that changed --- */

static void resolve_again(struct image_update *update, const struct image_topic *topic)
{
    struct image_parser parser = {.image = update->cluster->images[0],
                                  .now_us = loop_now_us(update->cluster->loop)};
    char key[UUID_TEXT_LEN + 1];
    struct image_record *again = NULL;
    enum err rc = ERR_OK;

    uuid_format(topic->topic_id, key);
    rc = image_parse(&parser, IMAGE_TOPIC, slice_from_cstring(key), topic->record.source, &again,
                     NULL);
    invariant(rc == ERR_OK); /* it was parsed before */
    add_change(update, &topic->record, again);
}

static void resolve_topics_of(struct image_update *update, int32_t instance_no)
{
    const struct image *image = update->cluster->images[0];

    for (size_t i = 0; i < image_topic_count(image, instance_no); i++)
        resolve_again(update, image_topic_at(image, instance_no, i));
}

static bool is_policy_equal(const struct image_record *before, const struct image_record *after)
{
    const struct topic_policy *a = &image_as_tenant(before)->policy;
    const struct topic_policy *b = &image_as_tenant(after)->policy;

    if (a->max_retention_bytes != b->max_retention_bytes ||
        a->max_message_bytes != b->max_message_bytes || a->range_count != b->range_count)
        return false;
    for (size_t i = 0; i < a->range_count; i++) {
        if (a->ranges[i].setting != b->ranges[i].setting ||
            a->ranges[i].minimum != b->ranges[i].minimum ||
            a->ranges[i].maximum != b->ranges[i].maximum)
            return false;
    }
    return true;
}

static void resolve_all_topics(struct image_update *update)
{
    const struct image *image = update->cluster->images[0];

    for (size_t i = 0; i < image_tenant_count(image); i++)
        resolve_topics_of(update, image_tenant_at(image, i)->instance_no);
}

/* --- one change of the store --- */

static void log_bad(const struct meta_change *change, const char *message)
{
    log_event(LOG_ERROR, "metadata_object_refused", f_slice("kind", change->kind),
              f_slice("key", change->key), f_i64("version", change->version),
              f_str("message", message));
}

/* False = not an object that this release knows. */
static bool identify(const struct meta_change *change, enum image_kind *ret_kind,
                     struct image_id *ret_id)
{
    if (image_kind_find(change->kind, ret_kind) &&
        image_id_parse(*ret_kind, change->key, ret_id) == ERR_OK)
        return true;
    log_bad(change, "unknown kind, or a key that is none of its kind");
    return false;
}

static void follow_up(struct image_update *update, const struct image_record *before,
                      const struct image_record *after, size_t brokers_before)
{
    size_t brokers = image_broker_count(update->cluster->images[0]);

    if (after != NULL && after->kind == IMAGE_TENANT &&
        (before == NULL || !is_policy_equal(before, after)))
        resolve_topics_of(update, image_as_tenant(after)->instance_no);
    if ((brokers_before < 2) != (brokers < 2))
        resolve_all_topics(update); /* the default of min.insync.replicas */
}

static void take_change(struct image_update *update, const struct meta_change *change)
{
    struct image *image = update->cluster->images[0];
    struct image_parser parser = {.image = image, .now_us = loop_now_us(update->cluster->loop)};
    const struct image_record *before = NULL;
    struct image_record *after = NULL;
    enum image_kind kind = IMAGE_TENANT;
    struct image_id id;
    struct error error = {.code = ERR_OK};
    size_t brokers = image_broker_count(image);

    if (!identify(change, &kind, &id))
        return;
    before = image_find(image, kind, slice_of(id.bytes, id.len));
    if (slice_is_null(change->payload)) {
        if (before == NULL)
            return;
    } else {
        if (before != NULL && slice_equal(before->source, change->payload))
            return;
        if (image_parse(&parser, kind, change->key, change->payload, &after, &error) != ERR_OK) {
            log_bad(change, error.message);
            return;
        }
    }
    /* The update keeps `before` alive past its removal from the image. */
    add_change(update, before, after);
    follow_up(update, before, after, brokers);
}

/* --- snapshots: what they do not hold is gone --- */

struct id_node {
    struct hash_node node;
    enum image_kind kind;
    struct image_id id;
};

static bool is_id(const struct hash_node *node, const void *key)
{
    const struct id_node *a = container_of(node, const struct id_node, node);
    const struct id_node *b = key;

    return a->kind == b->kind && a->id.len == b->id.len &&
           memcmp(a->id.bytes, b->id.bytes, a->id.len) == 0;
}

static struct id_node *collect_ids(const struct meta_change *changes, size_t count,
                                   struct hash_table *table)
{
    struct id_node *nodes = calloc(count > 0 ? count : 1, sizeof(*nodes));

    invariant(nodes != NULL);
    for (size_t i = 0; i < count; i++) {
        enum err rc = ERR_OK;

        if (!identify(&changes[i], &nodes[i].kind, &nodes[i].id))
            continue;
        rc = hash_table_insert(table, hash_bytes(table->seed, nodes[i].id.bytes, nodes[i].id.len),
                               &nodes[i].node);
        invariant(rc == ERR_OK);
    }
    return nodes;
}

static bool is_in(const struct hash_table *table, const struct image_record *record)
{
    struct id_node key = {.kind = record->kind, .id = {.len = record->id.len}};

    memcpy(key.id.bytes, record->id.data, record->id.len);
    return hash_table_find(table, hash_bytes(table->seed, key.id.bytes, key.id.len), is_id, &key) !=
           NULL;
}

/* Removals come first: a name may have gone to another topic meanwhile. What belongs to a tenant
 * goes before the tenant. */
static void remove_missing(struct image_update *update, const struct meta_change *changes,
                           size_t count)
{
    static const enum image_kind order[] = {IMAGE_TOPIC, IMAGE_CREDENTIAL, IMAGE_LISTENER,
                                            IMAGE_TENANT, IMAGE_BROKER};
    struct image *image = update->cluster->images[0];
    struct hash_table known;
    struct id_node *nodes = NULL;

    hash_table_init(&known, update->cluster->seed);
    nodes = collect_ids(changes, count, &known);
    for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
        const struct image_record *record = image_next(image, order[k], NULL);

        while (record != NULL) {
            const struct image_record *next = image_next(image, order[k], record);

            if (!is_in(&known, record))
                add_change(update, record, NULL);
            record = next;
        }
    }
    hash_table_done(&known);
    free(nodes);
}

/* --- round the loops --- */

static void notify_all(const struct image *image, const struct image_update *update)
{
    for (size_t i = 0; i < update->count; i++)
        image_notify(image, &update->changes[i]);
}

static void finish(struct image_update *update)
{
    struct cluster *cluster = update->cluster;
    struct update_summary summary = update->summary;

    for (size_t i = 0; i < update->count; i++) {
        const struct image_change *change = &update->changes[i];

        if (change->kind == IMAGE_TOPIC && change->before != NULL)
            topic_replicas_remove(cluster, image_as_topic(change->before),
                                  change->after ? image_as_topic(change->after) : NULL);
    }
    update_free(update);
    cluster->updates_under_way--;
    cluster_update_applied(cluster, &summary);
}

static void on_returned(struct mail *mail)
{
    struct image_update *update = container_of(mail, struct update_mail, mail)->update;

    if (--update->loops_left == 0)
        finish(update);
}

static void on_arrived(struct mail *mail)
{
    struct update_mail *here = container_of(mail, struct update_mail, mail);
    struct image_update *update = here->update;

    for (size_t i = 0; i < update->count; i++)
        image_apply(here->image, &update->changes[i]);
    image_set_version(here->image, update->summary.version);
    notify_all(here->image, update);
    mail->deliver = on_returned;
    loop_post(update->cluster->loop, mail);
}

static struct image_update *make_update(struct cluster *cluster, const struct meta_change *changes,
                                        size_t count, bool is_snapshot, int64_t version)
{
    struct image_update *update = update_new(cluster, version);

    if (is_snapshot)
        remove_missing(update, changes, count);
    for (size_t i = 0; i < count; i++)
        take_change(update, &changes[i]);
    image_set_version(cluster->images[0], version);
    return update;
}

void cluster_apply_changes(struct cluster *cluster, const struct meta_change *changes, size_t count,
                           bool is_snapshot, int64_t version)
{
    struct image_update *update = make_update(cluster, changes, count, is_snapshot, version);

    cluster->updates_under_way++;
    cluster_update_begun(cluster, &update->summary);
    notify_all(cluster->images[0], update);
    if (update->loops_left == 0) {
        finish(update);
        return;
    }
    for (int i = 1; i < cluster->loop_count; i++) {
        struct update_mail *there = &update->mails[i - 1];

        *there = (struct update_mail){
            .mail.deliver = on_arrived, .update = update, .image = cluster->images[i]};
        loop_post(cluster->options.executor->loops[i], &there->mail);
    }
}

void cluster_apply_at_start(struct cluster *cluster, const struct meta_change *changes,
                            size_t count, int64_t version)
{
    struct image_update *update = make_update(cluster, changes, count, false, version);

    for (int loop = 1; loop < cluster->loop_count; loop++) {
        for (size_t i = 0; i < update->count; i++)
            image_apply(cluster->images[loop], &update->changes[i]);
        image_set_version(cluster->images[loop], version);
    }
    update_free(update);
    cluster->applied_version = version;
}

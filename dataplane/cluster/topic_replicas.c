/* SPDX-License-Identifier: Apache-2.0 */
/* The replicas behind a topic's record. A new record of the same topic takes them over, so a
 * replica lives as long as some record lists this broker for it. One that cannot be opened stays
 * NULL: its partition answers with a storage error, the others work. */
#include "common/observe/log.h"
#include "dataplane/cluster/cluster_internal.h"

static bool is_hosted(const struct cluster *cluster, const struct image_partition *partition)
{
    for (int i = 0; i < partition->replica_count; i++) {
        if (partition->replicas[i] == cluster->options.broker_id)
            return true;
    }
    return false;
}

static struct replica *replica_of(const struct image_topic *topic, int32_t partition)
{
    return topic != NULL && partition < topic->partition_count ? topic->replicas[partition] : NULL;
}

static struct replica *open_replica(struct cluster *cluster, const struct image_topic *topic,
                                    int32_t partition)
{
    char id[UUID_TEXT_LEN + 1];
    struct replica *replica = NULL;
    enum err rc = replica_open(cluster->options.directory, topic->topic_id, partition,
                               &topic->config, &replica);

    if (rc == ERR_OK)
        return replica;
    uuid_format(topic->topic_id, id);
    log_event(LOG_ERROR, "replica_not_opened", f_str("topic_id", id), f_i64("partition", partition),
              f_err(rc));
    return NULL;
}

void topic_replicas_open(struct cluster *cluster, struct image_topic *topic,
                         const struct image_topic *before)
{
    for (int32_t i = 0; i < topic->partition_count; i++) {
        const struct image_partition *partition = &topic->partitions[i];
        struct replica *replica = replica_of(before, i);
        bool is_new = replica == NULL;

        if (!is_hosted(cluster, partition))
            continue;
        if (is_new)
            replica = open_replica(cluster, topic, i);
        if (replica == NULL)
            continue;
        replica_ref(replica);
        topic->replicas[i] = replica;
        if (!is_new && memcmp(&before->config, &topic->config, sizeof(topic->config)) != 0)
            replica_set_config(replica, &topic->config);
        if (partition->leader == cluster->options.broker_id &&
            (is_new || partition->leader_epoch != before->partitions[i].leader_epoch ||
             before->partitions[i].leader != partition->leader))
            replica_become_leader(replica, partition->leader_epoch);
    }
}

static void on_removed(void *context, enum err err)
{
    struct cluster *cluster = context;

    if (err != ERR_OK)
        log_event(LOG_WARN, "replica_files_not_removed", f_err(err));
    cluster->removals_under_way--;
    cluster_advance(cluster);
}

void topic_replicas_remove(struct cluster *cluster, const struct image_topic *before,
                           const struct image_topic *after)
{
    for (int32_t i = 0; i < before->partition_count; i++) {
        struct replica *replica = before->replicas[i];

        if (replica == NULL || replica_of(after, i) == replica)
            continue;
        cluster->removals_under_way++;
        replica_remove(replica, cluster->loop, on_removed, cluster);
    }
}

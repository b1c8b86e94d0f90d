/* SPDX-License-Identifier: Apache-2.0 */
/* Partitions that are deleted in the middle of a life and made anew, as a topic of the same name is: with another id.
 * What was deleted for sure may not be found again, whatever ends the life; what is new begins at offset 0. */
#include "tests/simulation/storage_scenario_internal.h"

static void on_removed(void *context, enum err err)
{
    struct scenario *s = context;

    s->is_removing = false;
    if (err != ERR_OK)
        return;
    s->result->removals++;
    s->gone = s->leaving;
}

/* Nobody holds the replica for an operation. */
static bool is_idle(const struct scenario *s, int partition)
{
    for (int i = 0; i < PRODUCERS; i++) {
        if (s->producers[i].partition == partition && s->producers[i].in_flight > 0)
            return false;
    }
    return s->reads_in_flight == 0 && list_is_empty(&s->trims);
}

static void forget_batches(struct producer *producer)
{
    list_for_each(&producer->unacknowledged, node)
        sent_batch_free(container_of(node, struct sent_batch, link));
    if (producer->newest_acknowledged != NULL)
        sent_batch_free(producer->newest_acknowledged);
    producer->newest_acknowledged = NULL;
    producer->is_draining = false;
}

static void forget_partition(struct scenario *s, int partition)
{
    struct storage_model *model = &s->models[partition];
    int32_t key_count = model->key_count;
    int32_t tombstone_every = model->tombstone_every;

    for (int i = 0; i < PRODUCERS; i++) {
        if (s->producers[i].partition == partition)
            forget_batches(&s->producers[i]);
    }
    storage_model_done(model);
    storage_model_init(model);
    model->key_count = key_count;
    model->tombstone_every = tombstone_every;
}

void scenario_remove_somewhere(void *context)
{
    struct scenario *s = context;
    int partition = (int)scenario_draw(s, PARTITIONS);

    if (s->replicas[partition] == NULL || s->is_removing || !is_idle(s, partition) ||
        s->models[partition].why[0] != '\0')
        return;
    s->is_removing = true;
    s->leaving = (struct removed_log){s->topics[partition], partition, true};
    replica_remove(s->replicas[partition], sim_executor_loop(s->executor, 0), on_removed, s);
    forget_partition(s, partition);
    invariant(random_fill(&s->random.base, s->topics[partition].bytes,
                          sizeof(s->topics[partition].bytes)) == ERR_OK);
    scenario_open_replica(s, partition);
}

void scenario_check_removed(struct scenario *s)
{
    struct replica *replica = NULL;
    enum err rc = ERR_OK;

    s->is_removing = false;
    if (!s->gone.is_known)
        return;
    rc = replica_open(s->directory, s->gone.topic, s->gone.partition, &s->config, &replica);
    if (rc != ERR_OK || replica_snapshot(replica)->log_end != 0)
        storage_model_fail(&s->models[s->gone.partition],
                           "a partition that was deleted is there again: %s", err_text(rc));
}

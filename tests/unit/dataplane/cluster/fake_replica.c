/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/cluster/fake_replica.h"

struct replica fake_replicas[FAKE_MAX_REPLICAS];
int fake_replica_count;
int64_t fake_producer_registration;
int fake_remove_unknown_calls;
bool fake_open_fails;

void fake_replicas_reset(void)
{
    fake_replica_count = 0;
    fake_producer_registration = 0;
    fake_remove_unknown_calls = 0;
    fake_open_fails = false;
}

struct replica *fake_replica_find(struct uuid topic_id, int32_t partition)
{
    for (int i = 0; i < fake_replica_count; i++) {
        struct replica *replica = &fake_replicas[i];

        if (uuid_equal(replica->topic_id, topic_id) && replica->partition == partition &&
            !replica->is_removed)
            return replica;
    }
    return NULL;
}

int fake_replicas_referenced(void)
{
    int count = 0;

    for (int i = 0; i < fake_replica_count; i++)
        count += fake_replicas[i].references;
    return count;
}

enum err replica_open(struct log_directory *directory, struct uuid topic_id, int32_t partition,
                      const struct log_config *config, struct replica **ret_replica)
{
    (void)directory;
    if (fake_open_fails)
        return ERR_CORRUPT;
    invariant(fake_replica_count < FAKE_MAX_REPLICAS);
    *ret_replica = &fake_replicas[fake_replica_count++];
    **ret_replica = (struct replica){
        .topic_id = topic_id, .partition = partition, .config = *config, .epoch = -1};
    return ERR_OK;
}

void replica_ref(struct replica *replica)
{
    replica->references++;
}

void replica_unref(struct replica *replica)
{
    invariant(replica->references > 0);
    replica->references--;
}

void replica_become_leader(struct replica *replica, leader_epoch epoch)
{
    replica->epoch = epoch;
}

void replica_set_config(struct replica *replica, const struct log_config *config)
{
    replica->config = *config;
    replica->configs_set++;
}

void replica_remove(struct replica *replica, struct loop *home,
                    void (*done)(void *context, enum err err), void *context)
{
    (void)home;
    invariant(!replica->is_removed);
    replica->is_removed = true;
    done(context, ERR_OK);
}

void log_directory_set_producer_registration(struct log_directory *directory, int64_t registration)
{
    (void)directory;
    fake_producer_registration = registration;
}

void log_directory_remove_unknown(struct log_directory *directory,
                                  log_directory_is_known_fn is_known, void *context)
{
    (void)directory;
    (void)is_known;
    (void)context;
    fake_remove_unknown_calls++;
}

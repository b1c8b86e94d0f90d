/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/handlers/fetch_session.h"

#include <stdlib.h>

enum { IDLE_US = 120000000, MAX_PARTITIONS = 20000 };

struct fetch_sessions {
    struct hash_table by_id;
    struct list by_use; /* least recently used first */
    struct hash_seed seed;
    struct random *random;
    int slots_per_instance;
};

static uint64_t hash_id(const struct fetch_sessions *sessions, int32_t id)
{
    return hash_bytes(sessions->seed, &id, sizeof(id));
}

static bool is_id(const struct hash_node *node, const void *key)
{
    return container_of(node, struct fetch_session, node)->id == *(const int32_t *)key;
}

struct fetch_sessions *fetch_sessions_new(struct hash_seed seed, struct random *random,
                                          int slots_per_instance)
{
    struct fetch_sessions *sessions = calloc(1, sizeof(*sessions));

    if (sessions == NULL)
        return NULL;
    hash_table_init(&sessions->by_id, seed);
    list_init(&sessions->by_use);
    sessions->seed = seed;
    sessions->random = random;
    sessions->slots_per_instance = slots_per_instance;
    return sessions;
}

static void free_session(struct fetch_session *session)
{
    struct list *link = NULL;

    while ((link = list_pop_front(&session->partitions)) != NULL)
        free(container_of(link, struct fetch_session_partition, link));
    hash_table_done(&session->by_partition);
    free(session);
}

static void remove_session(struct fetch_sessions *sessions, struct fetch_session *session)
{
    if (session->is_dead)
        return;
    hash_table_remove(&sessions->by_id, &session->node);
    list_remove(&session->link);
    session->is_dead = true;
    if (!session->is_in_use)
        free_session(session);
}

void fetch_sessions_free(struct fetch_sessions *sessions)
{
    if (sessions == NULL)
        return;
    list_for_each(&sessions->by_use, link)
        remove_session(sessions, container_of(link, struct fetch_session, link));
    hash_table_done(&sessions->by_id);
    free(sessions);
}

/* True = the instance has a slot free, perhaps after dropping one that nobody used for a while. */
static bool make_slot(struct fetch_sessions *sessions, int32_t instance_no, int64_t now_us)
{
    struct fetch_session *oldest = NULL;
    int count = 0;

    list_for_each(&sessions->by_use, link)
    {
        struct fetch_session *session = container_of(link, struct fetch_session, link);

        if (session->instance_no != instance_no)
            continue;
        count++;
        if (oldest == NULL && !session->is_in_use)
            oldest = session;
    }
    if (count < sessions->slots_per_instance)
        return true;
    if (oldest == NULL || now_us - oldest->last_used_us < IDLE_US)
        return false;
    remove_session(sessions, oldest);
    return true;
}

static bool choose_id(struct fetch_sessions *sessions, int32_t *ret_id)
{
    int32_t id = 0;

    do {
        if (random_fill(sessions->random, &id, sizeof(id)) != ERR_OK)
            return false;
        id &= INT32_MAX;
    } while (id == 0 ||
             hash_table_find(&sessions->by_id, hash_id(sessions, id), is_id, &id) != NULL);
    *ret_id = id;
    return true;
}

struct fetch_session *fetch_session_open(struct fetch_sessions *sessions, int32_t instance_no,
                                         bool uses_topic_ids, int64_t now_us)
{
    struct fetch_session *session = NULL;

    if (!make_slot(sessions, instance_no, now_us))
        return NULL;
    session = calloc(1, sizeof(*session));
    if (session == NULL)
        return NULL;
    session->instance_no = instance_no;
    session->uses_topic_ids = uses_topic_ids;
    session->epoch = 1;
    session->is_in_use = true;
    session->last_used_us = now_us;
    hash_table_init(&session->by_partition, sessions->seed);
    list_init(&session->partitions);
    if (!choose_id(sessions, &session->id) ||
        hash_table_insert(&sessions->by_id, hash_id(sessions, session->id), &session->node) !=
            ERR_OK) {
        free_session(session);
        return NULL;
    }
    list_push_back(&sessions->by_use, &session->link);
    return session;
}

static struct fetch_session *find(const struct fetch_sessions *sessions, int32_t instance_no,
                                  int32_t id)
{
    struct hash_node *node = hash_table_find(&sessions->by_id, hash_id(sessions, id), is_id, &id);
    struct fetch_session *session = node ? container_of(node, struct fetch_session, node) : NULL;

    return session != NULL && session->instance_no == instance_no ? session : NULL;
}

enum kafka_error fetch_session_continue(struct fetch_sessions *sessions, int32_t instance_no,
                                        int32_t id, int32_t epoch, bool uses_topic_ids,
                                        int64_t now_us, struct fetch_session **ret_session)
{
    struct fetch_session *session = find(sessions, instance_no, id);

    if (session == NULL)
        return KAFKA_FETCH_SESSION_ID_NOT_FOUND;
    if (session->epoch != epoch || session->is_in_use)
        return KAFKA_INVALID_FETCH_SESSION_EPOCH;
    if (session->uses_topic_ids != uses_topic_ids)
        return KAFKA_FETCH_SESSION_TOPIC_ID_ERROR;
    session->epoch = epoch == INT32_MAX ? 1 : epoch + 1;
    session->is_in_use = true;
    session->last_used_us = now_us;
    list_remove(&session->link);
    list_push_back(&sessions->by_use, &session->link);
    *ret_session = session;
    return KAFKA_NONE;
}

void fetch_session_release(struct fetch_sessions *sessions, struct fetch_session *session)
{
    session->is_in_use = false;
    if (session->is_dead)
        free_session(session);
    else if (session->partition_count == 0)
        remove_session(sessions, session); /* nothing left to follow */
}

void fetch_session_close(struct fetch_sessions *sessions, int32_t instance_no, int32_t id)
{
    struct fetch_session *session = find(sessions, instance_no, id);

    if (session != NULL)
        remove_session(sessions, session);
}

/* --- partitions of a session --- */

static uint64_t hash_target(const struct fetch_sessions *sessions, struct slice topic,
                            struct uuid topic_id, int32_t partition)
{
    uint64_t hash = hash_bytes(sessions->seed, topic.data, topic.len);
    struct {
        uint64_t hash;
        struct uuid id;
        int64_t partition;
    } whole = {hash, topic_id, partition};

    return hash_bytes(sessions->seed, &whole, sizeof(whole));
}

static bool is_target(const struct hash_node *node, const void *key)
{
    const struct fetch_target *a =
        &container_of(node, struct fetch_session_partition, node)->target;
    const struct fetch_target *b = key;

    return a->partition == b->partition && uuid_equal(a->topic_id, b->topic_id) &&
           a->topic.len == b->topic.len &&
           (a->topic.len == 0 || memcmp(a->topic.data, b->topic.data, a->topic.len) == 0);
}

static struct fetch_session_partition *find_partition(const struct fetch_sessions *sessions,
                                                      const struct fetch_session *session,
                                                      const struct fetch_target *target)
{
    struct hash_node *node =
        hash_table_find(&session->by_partition,
                        hash_target(sessions, target->topic, target->topic_id, target->partition),
                        is_target, target);

    return node ? container_of(node, struct fetch_session_partition, node) : NULL;
}

bool fetch_session_put(struct fetch_sessions *sessions, struct fetch_session *session,
                       const struct fetch_target *target)
{
    struct fetch_session_partition *partition = find_partition(sessions, session, target);
    uint8_t *name = NULL;

    if (partition != NULL) {
        struct slice topic = partition->target.topic;

        partition->target = *target;
        partition->target.topic = topic;
        return true;
    }
    if (session->partition_count >= MAX_PARTITIONS)
        return false;
    partition = calloc(1, sizeof(*partition) + target->topic.len);
    if (partition == NULL)
        return false;
    name = (uint8_t *)(partition + 1);
    if (target->topic.len > 0)
        memcpy(name, target->topic.data, target->topic.len);
    partition->target = *target;
    partition->target.topic = slice_of(name, target->topic.len);
    if (hash_table_insert(&session->by_partition,
                          hash_target(sessions, target->topic, target->topic_id, target->partition),
                          &partition->node) != ERR_OK) {
        free(partition);
        return false;
    }
    list_push_back(&session->partitions, &partition->link);
    session->partition_count++;
    return true;
}

void fetch_session_forget(struct fetch_sessions *sessions, struct fetch_session *session,
                          struct slice topic, struct uuid topic_id, int32_t partition)
{
    struct fetch_target target = {.topic = topic, .topic_id = topic_id, .partition = partition};
    struct fetch_session_partition *found = find_partition(sessions, session, &target);

    if (found == NULL)
        return;
    hash_table_remove(&session->by_partition, &found->node);
    list_remove(&found->link);
    session->partition_count--;
    free(found);
}

void fetch_session_rotate(struct fetch_session *session, struct fetch_session_partition *partition)
{
    list_remove(&partition->link);
    list_push_back(&session->partitions, &partition->link);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One entry an object and image: nodes for up to three hash tables, and the pointer to the shared
 * record. Objects that are listed (topics of an instance, brokers, listeners) stand in sorted
 * arrays as well. */
#include "dataplane/cluster/image_internal.h"

#include "common/base/hash_table.h"

#include <stdlib.h>

struct image_entry {
    struct hash_node by_id;
    struct hash_node by_second; /* tenant: instance_no; topic: (instance_no, name) */
    struct hash_node by_third;  /* tenant: label */
    const struct image_record *record;
};

/* Records in the order of compare_records. */
struct record_list {
    const struct image_record **items;
    size_t count;
    size_t capacity;
};

struct instance_topics {
    struct hash_node node;
    int32_t instance_no;
    struct record_list topics;
    int64_t partition_count; /* of those that are not internal */
};

struct image {
    struct hash_seed seed;
    int64_t version;
    struct hash_table by_id[IMAGE_KIND_COUNT];
    struct hash_table tenants_by_no;
    struct hash_table tenants_by_label;
    struct hash_table topics_by_name;
    struct hash_table instances; /* of topics; struct instance_topics */
    struct record_list tenants;
    struct record_list brokers;
    struct record_list listeners;
    struct list observers;
};

static void *needed(void *memory)
{
    invariant(memory != NULL);
    return memory;
}

static void insert(struct hash_table *table, uint64_t hash, struct hash_node *node)
{
    enum err rc = hash_table_insert(table, hash, node);

    invariant(rc == ERR_OK);
}

enum err image_new(struct hash_seed seed, struct image **ret_image)
{
    struct image *image = calloc(1, sizeof(*image));

    if (image == NULL)
        return ERR_NO_MEMORY;
    image->seed = seed;
    for (int kind = 0; kind < IMAGE_KIND_COUNT; kind++)
        hash_table_init(&image->by_id[kind], seed);
    hash_table_init(&image->tenants_by_no, seed);
    hash_table_init(&image->tenants_by_label, seed);
    hash_table_init(&image->topics_by_name, seed);
    hash_table_init(&image->instances, seed);
    list_init(&image->observers);
    *ret_image = image;
    return ERR_OK;
}

void image_free(struct image *image)
{
    struct hash_node *next = NULL;

    if (image == NULL)
        return;
    for (int kind = 0; kind < IMAGE_KIND_COUNT; kind++) {
        for (struct hash_node *node = hash_table_next(&image->by_id[kind], NULL); node != NULL;
             node = next) {
            struct image_entry *entry = container_of(node, struct image_entry, by_id);

            next = hash_table_next(&image->by_id[kind], node);
            hash_table_remove(&image->by_id[kind], node);
            image_record_unref(entry->record);
            free(entry);
        }
        hash_table_done(&image->by_id[kind]);
    }
    for (struct hash_node *node = hash_table_next(&image->instances, NULL); node != NULL;
         node = next) {
        struct instance_topics *instance = container_of(node, struct instance_topics, node);

        next = hash_table_next(&image->instances, node);
        hash_table_remove(&image->instances, node);
        free(instance->topics.items);
        free(instance);
    }
    hash_table_done(&image->instances);
    hash_table_done(&image->tenants_by_no);
    hash_table_done(&image->tenants_by_label);
    hash_table_done(&image->topics_by_name);
    free(image->tenants.items);
    free(image->brokers.items);
    free(image->listeners.items);
    free(image);
}

int64_t image_version(const struct image *image)
{
    return image->version;
}

void image_set_version(struct image *image, int64_t version)
{
    image->version = version;
}

/* --- sorted lists --- */

static int compare_numbers(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* Both of one kind: topics of one instance, tenants, brokers, or listeners. */
static int compare_records(const struct image_record *a, const struct image_record *b)
{
    int order = 0;

    if (a->kind == IMAGE_TOPIC)
        return slice_compare(image_as_topic(a)->name, image_as_topic(b)->name);
    if (a->kind == IMAGE_TENANT)
        return compare_numbers(image_as_tenant(a)->instance_no, image_as_tenant(b)->instance_no);
    if (a->kind == IMAGE_BROKER)
        return compare_numbers(image_as_broker(a)->id, image_as_broker(b)->id);
    order = compare_numbers(image_as_listener(a)->broker, image_as_listener(b)->broker);
    return order != 0 ? order : strcmp(image_as_listener(a)->name, image_as_listener(b)->name);
}

static size_t lower_bound(const struct record_list *list, const struct image_record *record)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (compare_records(list->items[middle], record) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void record_list_add(struct record_list *list, const struct image_record *record)
{
    size_t at = lower_bound(list, record);

    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : 4;

        list->items =
            needed(realloc((void *)list->items, capacity * sizeof(const struct image_record *)));
        list->capacity = capacity;
    }
    memmove((void *)(list->items + at + 1), (const void *)(list->items + at),
            (list->count - at) * sizeof(const struct image_record *));
    list->items[at] = record;
    list->count++;
}

static void record_list_remove(struct record_list *list, const struct image_record *record)
{
    size_t at = lower_bound(list, record);

    while (at < list->count && list->items[at] != record)
        at++;
    invariant(at < list->count);
    list->count--;
    memmove((void *)(list->items + at), (const void *)(list->items + at + 1),
            (list->count - at) * sizeof(const struct image_record *));
}

/* --- hashes and equality --- */

static uint64_t hash_number(const struct image *image, int32_t number)
{
    return hash_bytes(image->seed, &number, sizeof(number));
}

static uint64_t hash_slice(const struct image *image, struct slice bytes)
{
    return hash_bytes(image->seed, bytes.data, bytes.len);
}

/* An instance's names hash with a seed of their own. */
static uint64_t hash_name(const struct image *image, int32_t instance_no, struct slice name)
{
    struct hash_seed seed = {image->seed.k0 ^ (uint32_t)instance_no, image->seed.k1};

    return hash_bytes(seed, name.data, name.len);
}

static bool has_id(const struct hash_node *node, const void *key)
{
    return slice_equal(container_of(node, const struct image_entry, by_id)->record->id,
                       *(const struct slice *)key);
}

static const struct image_record *record_by_second(const struct hash_node *node)
{
    return container_of(node, const struct image_entry, by_second)->record;
}

static bool has_instance_no(const struct hash_node *node, const void *key)
{
    return image_as_tenant(record_by_second(node))->instance_no == *(const int32_t *)key;
}

static bool has_label(const struct hash_node *node, const void *key)
{
    const struct image_record *record =
        container_of(node, const struct image_entry, by_third)->record;

    return slice_equal_cstring(*(const struct slice *)key, image_as_tenant(record)->label);
}

struct topic_name {
    int32_t instance_no;
    struct slice name;
};

static bool has_name(const struct hash_node *node, const void *key)
{
    const struct image_topic *topic = image_as_topic(record_by_second(node));
    const struct topic_name *wanted = key;

    return topic->instance_no == wanted->instance_no && slice_equal(topic->name, wanted->name);
}

static bool is_instance(const struct hash_node *node, const void *key)
{
    return container_of(node, const struct instance_topics, node)->instance_no ==
           *(const int32_t *)key;
}

/* --- changing --- */

static struct instance_topics *find_instance(const struct image *image, int32_t instance_no)
{
    struct hash_node *node = hash_table_find(&image->instances, hash_number(image, instance_no),
                                             is_instance, &instance_no);

    return node ? container_of(node, struct instance_topics, node) : NULL;
}

static void link_topic(struct image *image, struct image_entry *entry)
{
    const struct image_topic *topic = image_as_topic(entry->record);
    struct instance_topics *instance = find_instance(image, topic->instance_no);

    if (instance == NULL) {
        instance = needed(calloc(1, sizeof(*instance)));
        instance->instance_no = topic->instance_no;
        insert(&image->instances, hash_number(image, topic->instance_no), &instance->node);
    }
    record_list_add(&instance->topics, entry->record);
    if (!topic->is_internal)
        instance->partition_count += topic->partition_count;
    insert(&image->topics_by_name, hash_name(image, topic->instance_no, topic->name),
           &entry->by_second);
}

static void unlink_topic(struct image *image, struct image_entry *entry)
{
    const struct image_topic *topic = image_as_topic(entry->record);
    struct instance_topics *instance = find_instance(image, topic->instance_no);

    invariant(instance != NULL);
    if (!topic->is_internal)
        instance->partition_count -= topic->partition_count;
    hash_table_remove(&image->topics_by_name, &entry->by_second);
    record_list_remove(&instance->topics, entry->record);
    if (instance->topics.count > 0)
        return;
    hash_table_remove(&image->instances, &instance->node);
    free(instance->topics.items);
    free(instance);
}

/* Everything but the table by id. */
static void link_entry(struct image *image, struct image_entry *entry)
{
    const struct image_record *record = entry->record;

    if (record->kind == IMAGE_TOPIC)
        link_topic(image, entry);
    if (record->kind == IMAGE_BROKER)
        record_list_add(&image->brokers, record);
    if (record->kind == IMAGE_LISTENER)
        record_list_add(&image->listeners, record);
    if (record->kind == IMAGE_TENANT) {
        const struct image_tenant *tenant = image_as_tenant(record);

        record_list_add(&image->tenants, record);
        insert(&image->tenants_by_no, hash_number(image, tenant->instance_no), &entry->by_second);
        insert(&image->tenants_by_label, hash_slice(image, slice_from_cstring(tenant->label)),
               &entry->by_third);
    }
}

static void unlink_entry(struct image *image, struct image_entry *entry)
{
    const struct image_record *record = entry->record;

    if (record->kind == IMAGE_TOPIC)
        unlink_topic(image, entry);
    if (record->kind == IMAGE_BROKER)
        record_list_remove(&image->brokers, record);
    if (record->kind == IMAGE_LISTENER)
        record_list_remove(&image->listeners, record);
    if (record->kind == IMAGE_TENANT) {
        record_list_remove(&image->tenants, record);
        hash_table_remove(&image->tenants_by_no, &entry->by_second);
        hash_table_remove(&image->tenants_by_label, &entry->by_third);
    }
}

static struct image_entry *find_entry(const struct image *image, enum image_kind kind,
                                      struct slice id)
{
    struct hash_node *node =
        hash_table_find(&image->by_id[kind], hash_slice(image, id), has_id, &id);

    return node ? container_of(node, struct image_entry, by_id) : NULL;
}

static void add(struct image *image, const struct image_record *record)
{
    struct image_entry *entry = needed(calloc(1, sizeof(*entry)));

    entry->record = record;
    image_record_ref(record);
    insert(&image->by_id[record->kind], hash_slice(image, record->id), &entry->by_id);
    link_entry(image, entry);
}

void image_apply(struct image *image, const struct image_change *change)
{
    const struct image_record *before = change->before;
    struct image_entry *entry = NULL;

    if (before == NULL) {
        add(image, change->after);
        return;
    }
    entry = find_entry(image, before->kind, before->id);
    invariant(entry != NULL && entry->record == before);
    unlink_entry(image, entry);
    if (change->after != NULL) {
        entry->record = change->after;
        image_record_ref(change->after);
        link_entry(image, entry);
    } else {
        hash_table_remove(&image->by_id[before->kind], &entry->by_id);
        free(entry);
    }
    image_record_unref(before);
}

void image_observe(struct image *image, struct image_observer *observer)
{
    list_push_back(&image->observers, &observer->link);
}

void image_unobserve(struct image_observer *observer)
{
    list_remove(&observer->link);
}

void image_notify(const struct image *image, const struct image_change *change)
{
    list_for_each(&image->observers, node)
    {
        struct image_observer *observer = container_of(node, struct image_observer, link);

        observer->changed(observer, change);
    }
}

/* --- looking up --- */

const struct image_record *image_find(const struct image *image, enum image_kind kind,
                                      struct slice id)
{
    struct image_entry *entry = find_entry(image, kind, id);

    return entry ? entry->record : NULL;
}

size_t image_record_count(const struct image *image, enum image_kind kind)
{
    return image->by_id[kind].count;
}

const struct image_record *image_next(const struct image *image, enum image_kind kind,
                                      const struct image_record *previous)
{
    struct image_entry *entry = previous ? find_entry(image, kind, previous->id) : NULL;
    struct hash_node *node = hash_table_next(&image->by_id[kind], entry ? &entry->by_id : NULL);

    return node ? container_of(node, struct image_entry, by_id)->record : NULL;
}

const struct image_tenant *image_tenant_by_no(const struct image *image, int32_t instance_no)
{
    struct hash_node *node = hash_table_find(&image->tenants_by_no, hash_number(image, instance_no),
                                             has_instance_no, &instance_no);

    return node ? image_as_tenant(record_by_second(node)) : NULL;
}

const struct image_tenant *image_tenant_by_uuid(const struct image *image, struct uuid instance)
{
    return image_as_tenant(
        image_find(image, IMAGE_TENANT, slice_of(instance.bytes, sizeof(instance.bytes))));
}

const struct image_tenant *image_tenant_by_label(const struct image *image, struct slice label)
{
    struct hash_node *node =
        hash_table_find(&image->tenants_by_label, hash_slice(image, label), has_label, &label);

    return node ? image_as_tenant(container_of(node, struct image_entry, by_third)->record) : NULL;
}

const struct image_credential *image_credential_by_key_id(const struct image *image,
                                                          struct slice key_id)
{
    return image_as_credential(image_find(image, IMAGE_CREDENTIAL, key_id));
}

const struct image_topic *image_topic_by_name(const struct image *image, int32_t instance_no,
                                              struct slice name)
{
    struct topic_name key = {instance_no, name};
    struct hash_node *node = hash_table_find(&image->topics_by_name,
                                             hash_name(image, instance_no, name), has_name, &key);

    return node ? image_as_topic(record_by_second(node)) : NULL;
}

const struct image_topic *image_topic_by_id(const struct image *image, int32_t instance_no,
                                            struct uuid topic_id)
{
    const struct image_topic *topic = image_as_topic(
        image_find(image, IMAGE_TOPIC, slice_of(topic_id.bytes, sizeof(topic_id.bytes))));

    return topic != NULL && topic->instance_no == instance_no ? topic : NULL;
}

int64_t image_partition_count(const struct image *image, int32_t instance_no)
{
    const struct instance_topics *instance = find_instance(image, instance_no);

    return instance ? instance->partition_count : 0;
}

size_t image_topic_count(const struct image *image, int32_t instance_no)
{
    const struct instance_topics *instance = find_instance(image, instance_no);

    return instance ? instance->topics.count : 0;
}

const struct image_topic *image_topic_at(const struct image *image, int32_t instance_no,
                                         size_t index)
{
    const struct instance_topics *instance = find_instance(image, instance_no);

    invariant(instance != NULL && index < instance->topics.count);
    return image_as_topic(instance->topics.items[index]);
}

size_t image_topic_position(const struct image *image, int32_t instance_no, struct slice name)
{
    const struct instance_topics *instance = find_instance(image, instance_no);
    const struct image_topic wanted = {.record = {.kind = IMAGE_TOPIC}, .name = name};

    return instance ? lower_bound(&instance->topics, &wanted.record) : 0;
}

size_t image_tenant_count(const struct image *image)
{
    return image->tenants.count;
}

const struct image_tenant *image_tenant_at(const struct image *image, size_t index)
{
    invariant(index < image->tenants.count);
    return image_as_tenant(image->tenants.items[index]);
}

size_t image_broker_count(const struct image *image)
{
    return image->brokers.count;
}

const struct image_broker *image_broker_at(const struct image *image, size_t index)
{
    invariant(index < image->brokers.count);
    return image_as_broker(image->brokers.items[index]);
}

const struct image_broker *image_broker_by_id(const struct image *image, int32_t broker)
{
    const struct image_broker wanted = {.record = {.kind = IMAGE_BROKER}, .id = broker};
    size_t at = lower_bound(&image->brokers, &wanted.record);

    if (at == image->brokers.count || image_broker_at(image, at)->id != broker)
        return NULL;
    return image_broker_at(image, at);
}

size_t image_listener_count(const struct image *image)
{
    return image->listeners.count;
}

const struct image_listener *image_listener_at(const struct image *image, size_t index)
{
    invariant(index < image->listeners.count);
    return image_as_listener(image->listeners.items[index]);
}

const struct image_listener *image_listener_find(const struct image *image, int32_t broker,
                                                 struct slice name)
{
    for (size_t i = 0; i < image->listeners.count; i++) {
        const struct image_listener *listener = image_listener_at(image, i);

        if (listener->broker == broker && slice_equal_cstring(name, listener->name))
            return listener;
    }
    return NULL;
}

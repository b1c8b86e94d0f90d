/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeTopicPartitions: topics in the order of names, a page at a time.
 *
 * A page holds up to response_partition_limit partitions (2000 at most), and says with a cursor where the
 * next one begins: within a topic, or at the start of one. Asked for no topic in particular it walks over
 * all of them; asked for names it sorts them first, so that a cursor means the same on every page. */
#include "dataplane/handlers/handlers.h"

#include "common/kafka/describe_topic_partitions_request.h"
#include "common/kafka/describe_topic_partitions_response.h"
#include "dataplane/handlers/answer_room.h"
#include "dataplane/handlers/partition_view.h"
#include "dataplane/handlers/topic_lookup.h"

#include <stdlib.h>

enum { MAX_PARTITIONS_PER_PAGE = 2000 };

struct page {
    struct request *request;
    struct kafka_describe_topic_partitions_request body;
    struct kafka_describe_topic_partitions_response response;
    struct kafka_describe_topic_partitions_response_cursor next;
    struct broker_list brokers;
    int32_t left; /* partitions that still fit */
};

static bool fill_partition(struct page *page, const struct image_partition *partition,
                           struct kafka_describe_topic_partitions_response_partition *entry)
{
    struct partition_view view;

    if (!partition_view_make(partition, &page->brokers, KAFKA_LISTENER_NOT_FOUND,
                             &page->request->arena, &view))
        return false;
    entry->error_code = (int16_t)view.error;
    entry->leader_id = view.leader_id;
    entry->leader_epoch = view.leader_epoch;
    entry->replica_nodes = view.replicas;
    entry->isr_nodes = view.isr;
    entry->offline_replicas = view.offline;
    return true;
}

static void set_cursor(struct page *page, struct slice topic, int32_t partition)
{
    page->next.topic_name = topic;
    page->next.partition_index = partition;
    page->response.next_cursor = &page->next;
}

/* Adds the topic's partitions from `first` on, as many as fit. */
static bool add_topic(struct page *page, const struct image_topic *topic, int32_t first)
{
    struct kafka_describe_topic_partitions_response_topic *entry =
        &page->response.topics.items[page->response.topics.count++];
    int32_t count = 0;

    if (first > topic->partition_count)
        first = topic->partition_count;
    count = topic->partition_count - first;
    if (count > page->left)
        count = page->left;
    entry->name = topic->name;
    entry->topic_id = topic->topic_id;
    entry->is_internal = topic->is_internal;
    entry->topic_authorized_operations = request_operations(page->request, AUTHORIZED_TOPIC);
    if (kafka_describe_topic_partitions_response_partition_array_init(
            &entry->partitions, &page->request->arena, count) != ERR_OK)
        return false;
    for (int32_t i = 0; i < count; i++) {
        entry->partitions.items[i].partition_index = first + i;
        if (!fill_partition(page, &topic->partitions[first + i], &entry->partitions.items[i]))
            return false;
    }
    page->left -= count;
    if (first + count < topic->partition_count)
        set_cursor(page, topic->name, first + count);
    return true;
}

static void add_unknown(struct page *page, struct slice name)
{
    struct kafka_describe_topic_partitions_response_topic *entry =
        &page->response.topics.items[page->response.topics.count++];

    entry->name = name;
    entry->error_code = (int16_t)(topic_name_check(name, TOPIC_NAME_MAX) != NULL
                                      ? KAFKA_INVALID_TOPIC_EXCEPTION
                                      : KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
}

static struct slice cursor_topic(const struct page *page)
{
    return page->body.cursor != NULL ? page->body.cursor->topic_name : SLICE_LITERAL("");
}

static int32_t first_partition(const struct page *page, struct slice topic)
{
    return page->body.cursor != NULL && slice_equal(page->body.cursor->topic_name, topic)
               ? page->body.cursor->partition_index
               : 0;
}

static bool add_all(struct page *page)
{
    struct request *request = page->request;
    const struct image *image = request->broker->image;
    const struct image_tenant *tenant = request_tenant(request);
    size_t count = image_topic_count(image, request_instance(request));
    size_t first = image_topic_position(image, request_instance(request), cursor_topic(page));
    size_t most = count - first;

    /* Each topic takes a partition at least, but for one whose cursor stands at its end. */
    if (most > (size_t)page->left + 1)
        most = (size_t)page->left + 1;
    if (kafka_describe_topic_partitions_response_topic_array_init(
            &page->response.topics, &request->arena, (int32_t)most) != ERR_OK)
        return false;
    page->response.topics.count = 0;
    for (size_t i = first; i < count && page->response.next_cursor == NULL; i++) {
        const struct image_topic *topic = image_topic_at(image, request_instance(request), i);

        if (!topic_is_visible(tenant, topic))
            continue;
        if (page->left == 0)
            set_cursor(page, topic->name, 0);
        else if (!add_topic(page, topic, first_partition(page, topic->name)))
            return false;
    }
    return true;
}

static int compare_names(const void *a, const void *b)
{
    const struct kafka_describe_topic_partitions_request_topic *left = a, *right = b;

    return slice_compare(left->name, right->name);
}

static bool add_named(struct page *page)
{
    struct kafka_describe_topic_partitions_request_topic_array *asked = &page->body.topics;

    if (kafka_describe_topic_partitions_response_topic_array_init(
            &page->response.topics, &page->request->arena, asked->count) != ERR_OK)
        return false;
    page->response.topics.count = 0;
    qsort(asked->items, (size_t)asked->count, sizeof(asked->items[0]), compare_names);
    for (int32_t i = 0; i < asked->count && page->response.next_cursor == NULL; i++) {
        struct slice name = asked->items[i].name;
        const struct image_topic *topic = topic_lookup_by_name(page->request, name);

        if (i > 0 && slice_equal(name, asked->items[i - 1].name))
            continue;
        if (slice_compare(name, cursor_topic(page)) < 0)
            continue;
        if (page->left == 0)
            set_cursor(page, name, 0);
        else if (topic == NULL)
            add_unknown(page, name);
        else if (!add_topic(page, topic, first_partition(page, name)))
            return false;
    }
    return true;
}

/* There is no error for the request as a whole: every topic gets it. */
static void refuse(struct page *page)
{
    int32_t count = page->body.topics.count;

    if (kafka_describe_topic_partitions_response_topic_array_init(
            &page->response.topics, &page->request->arena, count) != ERR_OK) {
        request_fail_no_room(page->request);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        page->response.topics.items[i].name = page->body.topics.items[i].name;
        page->response.topics.items[i].error_code = (int16_t)KAFKA_INVALID_REQUEST;
    }
    request_reply(page->request, kafka_describe_topic_partitions_response, &page->response);
}

static int32_t page_size(int32_t limit)
{
    if (limit < 1)
        return 1;
    return limit < MAX_PARTITIONS_PER_PAGE ? limit : MAX_PARTITIONS_PER_PAGE;
}

void handle_describe_topic_partitions(struct request *request)
{
    struct page page = {.request = request};
    bool ok = false;

    if (!request_read(request, kafka_describe_topic_partitions_request, &page.body))
        return;
    request_make_room(request, ANSWER_ROOM_BYTES);
    kafka_describe_topic_partitions_response_init_defaults(&page.response);
    page.response.throttle_time_ms = request->throttle_time_ms;
    if (page.body.cursor != NULL && page.body.cursor->partition_index < 0) {
        refuse(&page);
        return;
    }
    page.left = page_size(page.body.response_partition_limit);
    ok = broker_list_make(request, &page.brokers) &&
         (page.body.topics.count == 0 ? add_all(&page) : add_named(&page));
    if (!ok) {
        request_fail_no_room(request);
        return;
    }
    request_reply(request, kafka_describe_topic_partitions_response, &page.response);
}

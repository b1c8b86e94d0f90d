/* SPDX-License-Identifier: Apache-2.0 */
/* Memory returns on any loop, so those who wait for it do not wait to be told: they look again every
 * RETRY_US, all of them, in the order in which they began to wait. */
#include "dataplane/dispatch/request_memory.h"

enum { RETRY_US = 2000 };

static size_t connection_room(const struct request *request)
{
    const struct session *session = request->session;
    size_t limit = request->broker->limits->connection_memory_bytes;

    return session->memory_bytes < limit ? limit - session->memory_bytes : 0;
}

size_t request_take_memory(struct request *request, size_t wanted, size_t least)
{
    size_t room = connection_room(request);
    size_t others = request->session->memory_bytes - request->memory_bytes;

    if (room < least && others < least)
        room = least;
    if (wanted > room)
        wanted = room;
    while (wanted >= least && wanted > 0) {
        if (memory_take(request->broker->memory, request->account, wanted)) {
            request->memory_bytes += wanted;
            request->session->memory_bytes += wanted;
            return wanted;
        }
        if (wanted == least)
            break;
        wanted = wanted / 4 > least ? wanted / 4 : least;
    }
    return 0;
}

void request_force_memory(struct request *request, size_t bytes)
{
    if (bytes == 0)
        return;
    memory_force(request->broker->memory, request->account, bytes);
    request->memory_bytes += bytes;
    request->session->memory_bytes += bytes;
}

void request_give_memory(struct request *request, size_t bytes)
{
    invariant(bytes <= request->memory_bytes && bytes <= request->session->memory_bytes);
    if (bytes == 0)
        return;
    memory_give(request->broker->memory, request->account, bytes);
    request->memory_bytes -= bytes;
    request->session->memory_bytes -= bytes;
}

/* --- frames that wait --- */

static void on_retry(struct timer *timer)
{
    struct broker_loop *broker = container_of(timer, struct broker_loop, memory_retry);
    struct list waiting;
    struct list *link = NULL;

    list_init(&waiting);
    list_splice_back(&waiting, &broker->starved);
    while ((link = list_pop_front(&waiting)) != NULL) {
        struct session *session = container_of(link, struct session, starved_link);

        session->is_starved = false;
        connection_resume(session->connection); /* starves again, at the end, if it must */
    }
    if (!list_is_empty(&broker->starved))
        timer_start_in(broker->loop, timer, RETRY_US);
}

void session_starve(struct session *session)
{
    struct broker_loop *broker = session->broker;

    if (session->is_starved)
        return;
    session->is_starved = true;
    connection_pause(session->connection);
    list_push_back(&broker->starved, &session->starved_link);
    if (timer_is_armed(&broker->memory_retry))
        return;
    broker->memory_retry.fire = on_retry;
    timer_start_in(broker->loop, &broker->memory_retry, RETRY_US);
}

void session_unstarve(struct session *session)
{
    if (session->is_starved)
        list_remove(&session->starved_link);
    session->is_starved = false;
}

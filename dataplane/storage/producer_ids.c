/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/storage/producer_ids.h"

#define BLOCK_IDS 1000
#define COUNTER_MAX ((int64_t)UINT32_MAX)

static void run_reservation(struct work *work)
{
    struct producer_ids *ids = container_of(work, struct producer_ids, work);
    struct catalogue *catalogue = ids->store->catalogue;

    log_store_lock(ids->store);
    ids->work_err = shared_flag_is_up(&ids->store->failed) ? ERR_IO : ERR_OK;
    if (ids->work_err == ERR_OK)
        ids->work_err =
            catalogue_set_producer_ids(catalogue, ids->work_registration, ids->work_block_end);
    if (ids->work_err == ERR_OK)
        ids->work_err = catalogue_commit(catalogue, true);
    if (ids->work_err != ERR_OK && ids->work_err != ERR_NO_SPACE)
        shared_flag_raise(&ids->store->failed);
    log_store_unlock(ids->store);
}

static void reserve(struct producer_ids *ids)
{
    if (ids->is_reserving || ids->waiting == NULL)
        return;
    ids->is_reserving = true;
    ids->work_registration = ids->registration;
    ids->work_block_end = ids->block_end + BLOCK_IDS;
    worker_submit(ids->loop, WORKER_FLUSH, &ids->work);
}

static void serve(struct producer_ids *ids, enum err err)
{
    struct producer_id_request *request = NULL;

    while ((request = ids->waiting) != NULL && (err != ERR_OK || ids->next < ids->block_end)) {
        ids->waiting = request->next;
        if (ids->waiting == NULL)
            ids->waiting_end = &ids->waiting;
        if (err == ERR_OK)
            request->done(request, ERR_OK, ids->registration << 32 | ids->next++);
        else
            request->done(request, err, -1);
    }
}

static void reservation_done(struct work *work)
{
    struct producer_ids *ids = container_of(work, struct producer_ids, work);

    ids->is_reserving = false;
    if (ids->work_registration == ids->registration) {
        if (ids->work_err == ERR_OK)
            ids->block_end = ids->work_block_end;
        serve(ids, ids->work_err);
    }
    reserve(ids);
}

void producer_ids_init(struct producer_ids *ids, struct log_store *store, struct loop *loop)
{
    *ids = (struct producer_ids){
        .store = store,
        .loop = loop,
        .registration = catalogue_producer_registration(store->catalogue),
        .next = catalogue_producer_counter(store->catalogue),
        .work = {.run = run_reservation, .done = reservation_done},
    };
    ids->block_end = ids->next;
    ids->waiting_end = &ids->waiting;
}

void producer_ids_set_registration(struct producer_ids *ids, int64_t registration)
{
    if (ids->registration == registration)
        return;
    ids->registration = registration;
    ids->next = 0;
    ids->block_end = 0;
}

void producer_ids_next(struct producer_ids *ids, struct producer_id_request *request)
{
    if (ids->registration < 0) {
        request->done(request, ERR_UNAVAILABLE, -1);
        return;
    }
    if (ids->block_end > COUNTER_MAX - BLOCK_IDS) {
        request->done(request, ERR_LIMIT, -1);
        return;
    }
    request->next = NULL;
    *ids->waiting_end = request;
    ids->waiting_end = &request->next;
    serve(ids, ERR_OK);
    reserve(ids);
}

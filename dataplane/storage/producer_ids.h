/* SPDX-License-Identifier: Apache-2.0 */
/* Producer ids: registration << 32 | counter. Counters are reserved in durable blocks, so that none is
 * given twice, whatever happens; the rest of a block is lost with a restart. Loop 0. */
#ifndef DATAPLANE_STORAGE_PRODUCER_IDS_H
#define DATAPLANE_STORAGE_PRODUCER_IDS_H

#include "dataplane/storage/flush_round.h"
#include "dataplane/storage/log_directory.h"

struct producer_ids {
    struct log_store *store;
    struct loop *loop;
    int64_t registration; /* -1 = none yet */
    int64_t next;
    int64_t block_end;
    struct producer_id_request *waiting; /* for the next block, in order */
    struct producer_id_request **waiting_end;
    bool is_reserving;
    struct work work;
    /* for the worker */
    int64_t work_registration;
    int64_t work_block_end;
    enum err work_err;
};

void producer_ids_init(struct producer_ids *ids, struct log_store *store, struct loop *loop);
void producer_ids_set_registration(struct producer_ids *ids, int64_t registration);
void producer_ids_next(struct producer_ids *ids, struct producer_id_request *request);

#endif

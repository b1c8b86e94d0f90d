/* SPDX-License-Identifier: Apache-2.0 */
/* meta_store on a simulated cell: the same protocol as dataplane/pg, in memory and deterministic.
 *
 * Everything takes a drawn time. While the store is unreachable requests fail at once; a request
 * that was under way when the connection broke may have been executed or not, is sent again after
 * the connection is back, and fails after two seconds. */
#ifndef TESTS_SIMULATION_SIM_META_STORE_H
#define TESTS_SIMULATION_SIM_META_STORE_H

#include "common/port/random.h"
#include "tests/simulation/sim_cell.h"

struct sim_meta_store;

/* cell and loop are borrowed. incarnation: another number = another start of the broker. */
struct sim_meta_store *sim_meta_store_new(struct sim_cell *cell, struct loop *loop,
                                          int32_t broker_id, int64_t incarnation, uint64_t seed);
void sim_meta_store_free(struct sim_meta_store *store);
struct meta_store *sim_meta_store_port(struct sim_meta_store *store);

/* Loop 0. Cuts or restores the connection. */
void sim_meta_store_set_reachable(struct sim_meta_store *store, bool is_reachable);
/* Loop 0. The cell has changed: ask now, not at the next poll. Own requests do it by themselves. */
void sim_meta_store_notify(struct sim_meta_store *store);
/* Each step (connect, poll, execute, answer) takes from 0 to this; 2000 us at first. */
void sim_meta_store_set_delay(struct sim_meta_store *store, int64_t max_us);
/* Snapshots and changes come in parts of this many objects; 0 = whole. */
void sim_meta_store_set_part(struct sim_meta_store *store, size_t objects);

#endif

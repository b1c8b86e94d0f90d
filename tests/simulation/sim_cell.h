/* SPDX-License-Identifier: Apache-2.0 */
/* What the database `cells` is in life: one cell, its version, its objects and every change since
 * the beginning; the same functions with the same answers (migrations/README.md), in memory. Tests
 * put and remove objects as the control plane would; brokers come through sim_meta_store. */
#ifndef TESTS_SIMULATION_SIM_CELL_H
#define TESTS_SIMULATION_SIM_CELL_H

#include "dataplane/port/meta_store.h"

#include <jansson.h>

struct sim_cell;

struct sim_change {
    int64_t version;
    char *kind;
    char *key;
    char *payload; /* NULL = removed */
};

struct sim_cell *sim_cell_new(struct uuid cell_id, int32_t broker_count);
void sim_cell_free(struct sim_cell *cell);

int64_t sim_cell_version(const struct sim_cell *cell);
/* As the control plane: a new version each; payload is JSON text, copied. */
int64_t sim_cell_put(struct sim_cell *cell, const char *kind, const char *key, const char *payload);
int64_t sim_cell_remove(struct sim_cell *cell, const char *kind, const char *key);
/* Like v1_remove_tenant: its topics, credentials and itself, in one version. */
int64_t sim_cell_remove_tenant(struct sim_cell *cell, const char *instance);
/* NULL = there is none. Borrowed until the next change. */
const char *sim_cell_find(const struct sim_cell *cell, const char *kind, const char *key);
/* As if the database had been restored from a backup taken at this version. */
void sim_cell_restore(struct sim_cell *cell, int64_t version);

/* --- for sim_meta_store --- */

void sim_cell_register(struct sim_cell *cell, int32_t broker_id, int64_t incarnation,
                       struct meta_registration *ret_registration);
/* Changes after a version, in order; all there are. Borrowed. */
size_t sim_cell_changes(const struct sim_cell *cell, int64_t after,
                        const struct sim_change **ret_changes);
/* The objects as they are: *ret_count of them, owned by the caller (free the array only). */
struct sim_change *sim_cell_snapshot(const struct sim_cell *cell, size_t *ret_count);
/* Executes; the answer as JSON text, owned. The same request_id again: the same answer. */
char *sim_cell_execute(struct sim_cell *cell, enum meta_request_kind kind, struct slice body,
                       int64_t *ret_version);
void sim_cell_acknowledge(struct sim_cell *cell, int32_t broker_id, int64_t version);
int64_t sim_cell_acknowledged(const struct sim_cell *cell, int32_t broker_id);

#endif

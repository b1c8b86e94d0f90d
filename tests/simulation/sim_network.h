/* SPDX-License-Identifier: Apache-2.0 */
/* The network of simulations: byte streams between a test's clients and the broker's loops, on the
 * simulated executor. Bytes arrive in pieces whose sizes the seed decides; writes end a few steps
 * after they were started; a cut stream loses what was under way. */
#ifndef TESTS_SIMULATION_SIM_NETWORK_H
#define TESTS_SIMULATION_SIM_NETWORK_H

#include "common/base/buffer.h"
#include "common/port/network.h"
#include "tests/simulation/sim_executor.h"

struct sim_client;

/* Borrowed executor. Free after all streams are closed, or with the executor of a crashed process.
 */
struct network *sim_network_new(struct sim_executor *executor);
void sim_network_free(struct network *network);

/* A client connects to a listener's port; NULL = nobody listens. Owned: sim_client_free. */
struct sim_client *sim_client_connect(struct network *network, int port);
void sim_client_free(struct sim_client *client);
void sim_client_send(struct sim_client *client, const void *data, size_t len);
/* The client reads nothing more: what the broker writes is never done. */
void sim_client_stall(struct sim_client *client);
/* As the broker sees it; 0 at first. */
void sim_client_set_round_trip(struct sim_client *client, int64_t round_trip_us);
/* The client goes away: the broker sees the end of the stream. */
void sim_client_close(struct sim_client *client);
/* What the broker sent so far; consume with buffer_consume. */
struct buffer *sim_client_received(struct sim_client *client);
/* The broker closed it, or the network was freed. */
bool sim_client_is_closed(const struct sim_client *client);

#endif

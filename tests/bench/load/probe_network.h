/* SPDX-License-Identifier: Apache-2.0 */
/* What bounds a server's answers here: the least that any would have to do over loopback, on a thread that does nothing else, its
 * client on another. Each takes a few seconds; a failure ends the process. */
#ifndef TESTS_BENCH_LOAD_PROBE_NETWORK_H
#define TESTS_BENCH_LOAD_PROBE_NETWORK_H

#include "tests/bench/load/latency.h"

/* Bytes a second: one stream of large writes. */
double probe_loopback(void);
/* The same through TLS 1.3, from memory; several streams, for one keeps either end's core busy and not both all the time. */
double probe_tls(void);
/* 64 KiB at a time, 20 MB/s, each from the moment it was due to its answer, which comes when it is on the disk: overwritten in
 * the file `fd`, of `file_bytes`, and synced. (Past the page cache when it is open that way.) */
void probe_answers(int fd, int64_t file_bytes, struct latency *ret_answers);

#endif

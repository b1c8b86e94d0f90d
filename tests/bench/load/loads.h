/* SPDX-License-Identifier: Apache-2.0 */
/* One function a verb; each prints its object. */
#ifndef TESTS_BENCH_LOAD_LOADS_H
#define TESTS_BENCH_LOAD_LOADS_H

#include "tests/bench/load/load_options.h"

void load_produce(const struct load_options *options);
void load_fetch(const struct load_options *options);
void load_end_to_end(const struct load_options *options);
void load_first(const struct load_options *options);
void load_connections(const struct load_options *options);
void load_probe(const struct load_options *options);

#endif

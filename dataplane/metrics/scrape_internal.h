/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a scrape, for the files of this folder. */
#ifndef DATAPLANE_METRICS_SCRAPE_INTERNAL_H
#define DATAPLANE_METRICS_SCRAPE_INTERNAL_H

#include "dataplane/metrics/families.h"
#include "dataplane/metrics/scrape.h"

/* scrape_counters.c: everything that is one number for the whole broker. On home. */
void scrape_counters(struct scrape *scrape);

/* scrape_groups.c: groups of the shards that live on `loop`, on that loop. */
void scrape_groups(struct scrape *scrape, const struct loop *loop);

/* scrape_topics.c, all on home. */
bool scrape_topics_begin(struct scrape *scrape) WARN_UNUSED; /* false = no memory */
/* A bounded piece of work; true = all done, totals added. */
bool scrape_topics_step(struct scrape *scrape);
void scrape_topics_end(struct scrape *scrape);

#endif

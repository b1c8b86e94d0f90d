/* SPDX-License-Identifier: Apache-2.0 */
/* One reading of the broker's metrics, as text.
 *
 *   home: counters, totals ──▶ loop 0 … n-1: their groups (per object only) ──▶ home: topics, a few
 *   hundred partitions a turn (per object only) ──▶ done
 *
 * Counters are read where they are; what only a loop may look at is read on that loop. The names in it
 * come from tenants; they are label values and nothing else. */
#ifndef DATAPLANE_METRICS_SCRAPE_H
#define DATAPLANE_METRICS_SCRAPE_H

#include "common/observe/exposition.h"
#include "common/port/executor.h"
#include "dataplane/dispatch/broker_loop.h"

/* What is read; all borrowed for the broker's life. */
struct scrape_source {
    struct executor *executor;
    struct broker_loop *(*loop_of)(void *context, const struct loop *loop); /* any loop */
    void *context;
    struct log_directory *directory;
    struct group_coordinator *coordinator;
    const struct tls_context *tls; /* NULL = there is none */
    const char *software;
    bool has_process; /* the process's own figures, too (not in the simulator) */
};

struct scrape_totals {
    int64_t hosted;
    int64_t led;
    int64_t under_replicated;
    int64_t under_min_isr;
    int64_t offline;
    int64_t log_bytes;
};

/* Embedded; set the first four. */
struct scrape {
    const struct scrape_source *source;
    struct loop *home;
    bool is_per_object; /* instances, topics and groups one by one, else totals only */
    /* On home, once, never before scrape_start returns. text is valid until scrape_done. */
    void (*done)(struct scrape *scrape, enum err err);
    /* out */
    struct buffer text;
    /* private */
    struct exposition exposition;
    struct mail mail;
    struct timer turn;
    int next_loop;
    int32_t instance_no; /* whose groups are being shown */
    char instance_id[UUID_TEXT_LEN + 1];
    int64_t groups_not_shown;
    const struct image_record **topics; /* referenced */
    size_t topic_count;
    size_t next_topic;
    size_t next_instance;
    struct scrape_totals totals;
};

/* On home. ERR_NO_MEMORY: done is not called. */
enum err scrape_start(struct scrape *scrape) WARN_UNUSED;
/* Frees the text. After done. */
void scrape_done(struct scrape *scrape);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A replica's inside, for the files of this folder.
 *
 *   open ──remove──▶ removing ──files gone──▶ removed ──last reference──▶ freed
 *
 * Everything but `view`, `refs` and what never changes is touched on the owner's loop only; `control` has
 * a half on loop 0. */
#ifndef DATAPLANE_STORAGE_REPLICA_INTERNAL_H
#define DATAPLANE_STORAGE_REPLICA_INTERNAL_H

#include "dataplane/partition/partition_state.h"
#include "dataplane/storage/late_write.h"
#include "dataplane/storage/partition_log.h"
#include "dataplane/storage/replica.h"
#include "dataplane/storage/shard.h"

enum replica_state { REPLICA_OPEN, REPLICA_REMOVING, REPLICA_REMOVED };

/* What loop 0 wants of the owner. One trip there and back at a time; what is wanted meanwhile goes with
 * the next, so that nothing has to be allocated to say it. */
struct replica_control {
    struct mail mail;
    /* loop 0 */
    bool is_away;
    leader_epoch wanted_epoch;
    struct shared_config *wanted_config; /* NULL = no change */
    /* travelling */
    leader_epoch epoch;
    struct shared_config *config;
};

struct replica_removal {
    struct mail mail;
    union { /* one after the other */
        struct work catalogue;
        struct removal files;
    };
    struct loop *home;
    void (*done)(void *context, enum err err);
    void *context;
    enum err err;
    bool is_begun;
    struct segment_list *segments; /* until the catalogue forgot the log; NULL = no memory for it */
    int segments_left;             /* whose files are not gone; the directory goes after them */
};

struct replica {
    struct log_directory *directory;
    struct shard *shard;
    struct log_identity id;
    enum replica_state state;
    struct published view;
    struct shared_count refs;
    struct late_state late;
    bool is_being_cleaned; /* its removal waits */
    bool is_uncleanable;   /* cleaning it failed, and would again */
    struct mail last_mail; /* the last reference went */
    struct list in_shard;
    struct list dirty;
    struct partition_log log;
    struct partition_state partition;
    struct shared_config *config;
    struct replica_append *awaiting; /* appended, not under the high watermark; by last offset */
    struct replica_append *newest_awaiting;
    struct list waiters;
    struct replica_trim *trims;       /* to go with the next round */
    struct replica_trim *taken_trims; /* in the round under way */
    log_offset wanted_log_start;      /* -1 = stays */
    log_offset taken_log_start;
    log_offset
        owed_log_start; /* asked for in vain, but the catalogue may say it: asked for again; -1 = none */
    struct flush_item item;
    struct checkpoint_entry checkpoint;
    struct replica_control control;
    struct replica_removal removal;
};

/* --- replica.c, on the owner's loop --- */

/* Makes what changed visible to all. */
void replica_publish(struct replica *replica);
void replica_mark_dirty(struct replica *replica);
/* The end of a life with its memory: from the shard when no loop runs any more. */
void replica_free(struct replica *replica);
/* Fills in the item; false = there is nothing to do. */
bool replica_take_item(struct replica *replica, bool is_last);
/* The round that had the item is over. */
void replica_round_done(struct replica *replica);
bool replica_is_leading(const struct replica *replica);
/* No late write is under way any more: what waited for that goes on. */
void replica_late_write_ended(struct replica *replica);
/* Files of a segment are gone, because the log is being removed. */
void replica_segment_left(struct replica *replica);
/* The cleaner's pass over it, which had a reference, is over. */
void replica_cleaning_ended(struct replica *replica);

/* --- replica_append.c --- */

void replica_append_resume(struct replica_append *append); /* was deferred; there is room now */
void replica_append_fail(struct replica_append *append, enum kafka_error error,
                         const char *message);
/* Answers what is under the high watermark. */
void replica_complete_appends(struct replica *replica);
void replica_fail_appends(struct replica *replica, enum kafka_error error, const char *message);

/* --- replica_wait.c --- */

/* Wakes those that the high watermark has passed; all of them when nobody leads here any more. */
void replica_wake_waiters(struct replica *replica);
/* Retention, or a trim: the log shall begin here. */
void replica_want_log_start(struct replica *replica, log_offset log_start);
void replica_complete_trims(struct replica *replica, enum kafka_error error);
void replica_retention(struct replica *replica, int64_t now_ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What compaction says to the catalogue. A FLUSH worker only; each takes the store's lock: so what retention and
 * deletion said before is seen. */
#ifndef DATAPLANE_STORAGE_CLEANER_SEGMENT_EXCHANGE_H
#define DATAPLANE_STORAGE_CLEANER_SEGMENT_EXCHANGE_H

#include "dataplane/storage/flush_round.h"

/* Durably puts the segment, which is durable under its name, in the place of those that it
 * covers. ERR_GONE: they do not make up its stretch any more. ERR_NO_SPACE: not said yet; ask again, and let
 * both be until it is. After any other error it may be said or not: both stay. */
enum err segment_exchange_run(struct log_store *store, const struct log_identity *id,
                              const struct segment_fact *segment) WARN_UNUSED;
/* How far the log's keys are known; durable with what comes next. */
enum err segment_exchange_note_cleaned(struct log_store *store, const struct log_identity *id,
                                       log_offset cleaned_end) WARN_UNUSED;

#endif

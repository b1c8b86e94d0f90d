/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics as Prometheus reads them (text exposition format 0.0.4).
 *
 * A program has one table of families. Samples of any family may be added in any order; the text is put
 * together family by family at the end, because the format wants them so. Label values come from
 * outside: they are escaped here, and those that are not text (invalid UTF-8, or longer than
 * LABEL_VALUE_MAX) must be left out by the caller: label_value_is_text.
 *
 * Errors are sticky: check `err` (or what exposition_render returns) once. Not thread-safe. */
#ifndef COMMON_OBSERVE_EXPOSITION_H
#define COMMON_OBSERVE_EXPOSITION_H

#include "common/base/buffer.h"
#include "common/observe/histogram.h"

#include <stdbool.h>

enum { LABEL_VALUE_MAX = 255, LABELS_MAX = 2048 };

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* The index in the table names the family. */
struct metric_family {
    const char *name; /* NULL ends the table */
    enum metric_type type;
    const char *help;
};

/* `a="b",c="d"`; made once, used for many samples. */
struct metric_labels {
    char text[LABELS_MAX];
    size_t len;
};

struct exposition {
    const struct metric_family *families;
    size_t family_count;
    struct buffer *samples; /* one a family */
    size_t max_bytes;       /* of all samples together */
    size_t total_bytes;
    enum err err; /* ERR_TOO_LARGE, ERR_NO_MEMORY */
};

enum err exposition_init(struct exposition *exposition, const struct metric_family *families,
                         size_t max_bytes) WARN_UNUSED;
void exposition_done(struct exposition *exposition);

bool label_value_is_text(struct slice value);
void metric_labels_clear(struct metric_labels *labels);
/* Adds one. What does not fit LABELS_MAX is an invariant broken: names are ours, values are bounded. */
void metric_labels_add(struct metric_labels *labels, const char *name, struct slice value);
void metric_labels_add_i64(struct metric_labels *labels, const char *name, int64_t value);

/* labels may be NULL. */
void exposition_add(struct exposition *exposition, size_t family,
                    const struct metric_labels *labels, int64_t value);
/* Microseconds are shown as seconds, the base unit. */
void exposition_add_us(struct exposition *exposition, size_t family,
                       const struct metric_labels *labels, int64_t value_us);
void exposition_add_ratio(struct exposition *exposition, size_t family,
                          const struct metric_labels *labels, double value);
void exposition_add_histogram(struct exposition *exposition, size_t family,
                              const struct metric_labels *labels, const struct histogram_sum *sum);

/* Families without samples are left out. */
enum err exposition_render(const struct exposition *exposition, struct buffer *text) WARN_UNUSED;

#endif

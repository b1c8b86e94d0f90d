/* SPDX-License-Identifier: Apache-2.0 */
/* Events, one line each: key=value on a terminal, JSON lines with log.format=json.
 *
 *   log_event(LOG_INFO, "segment_rolled", f_str("topic", id), f_i64("base_offset", base));
 *
 * ERROR = a person must act; WARN = degraded; INFO = lifecycle; DEBUG = off by default. There is no
 * field constructor for a secret. Never log record keys, values or tokens. Any thread; a line is
 * one write(2) to stderr. */
#ifndef COMMON_OBSERVE_LOG_H
#define COMMON_OBSERVE_LOG_H

#include "common/base/error.h"
#include "common/base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum log_field_kind { LOG_FIELD_STRING, LOG_FIELD_I64, LOG_FIELD_SLICE };

struct log_field {
    const char *key; /* NULL ends the list */
    enum log_field_kind kind;
    const char *string;
    int64_t number;
    struct slice slice;
};

/* Once at start. program is borrowed for ever. */
void log_setup(const char *program, enum log_level level, enum log_format format);
bool log_is_on(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields);

static inline struct log_field f_str(const char *key, const char *value)
{
    return (struct log_field){key, LOG_FIELD_STRING, value ? value : "", 0, SLICE_NULL};
}

static inline struct log_field f_slice(const char *key, struct slice value)
{
    return (struct log_field){key, LOG_FIELD_SLICE, NULL, 0, value};
}

static inline struct log_field f_i64(const char *key, int64_t value)
{
    return (struct log_field){key, LOG_FIELD_I64, NULL, value, SLICE_NULL};
}

static inline struct log_field f_err(enum err code)
{
    return f_str("err", err_name(code));
}

#define log_event(level, event, ...)                                                               \
    do {                                                                                           \
        if (log_is_on(level))                                                                      \
            log_write(level, event,                                                                \
                      (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}});        \
    } while (0)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A line is built on the stack, cut at its end when too long, and written at once. */
#include "common/observe/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *log_program = "millrace";
static _Atomic int log_minimum = LOG_INFO;
static enum log_format log_style = LOG_FORMAT_TEXT;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

void log_setup(const char *program, enum log_level level, enum log_format format)
{
    log_program = program;
    log_style = format;
    atomic_store(&log_minimum, (int)level);
}

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log_minimum, memory_order_relaxed);
}

static void add(struct line *line, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct line *line, const char *format, ...)
{
    size_t left = sizeof(line->text) - 1 - line->len;
    va_list args;
    int len = 0;

    va_start(args, format);
    len = vsnprintf(line->text + line->len, left, format, args);
    va_end(args);
    if (len > 0)
        line->len += (size_t)len < left ? (size_t)len : left - 1;
}

static bool needs_quotes(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
            return true;
    }
    return len == 0;
}

/* JSON escapes serve both styles; bytes that are not ASCII are written as \u00xx. */
static void add_quoted(struct line *line, const char *text, size_t len)
{
    add(line, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            add(line, "\\%c", c);
        else if (c < ' ' || c >= 0x7f)
            add(line, "\\u%04x", c);
        else
            add(line, "%c", c);
    }
    add(line, "\"");
}

static void add_text_value(struct line *line, const char *text, size_t len)
{
    if (log_style == LOG_FORMAT_JSON || needs_quotes(text, len))
        add_quoted(line, text, len);
    else
        add(line, "%.*s", (int)len, text);
}

static void add_field(struct line *line, const struct log_field *field)
{
    add(line, log_style == LOG_FORMAT_JSON ? ",\"%s\":" : " %s=", field->key);
    switch (field->kind) {
    case LOG_FIELD_STRING:
        add_text_value(line, field->string, strlen(field->string));
        break;
    case LOG_FIELD_SLICE:
        add_text_value(line, field->slice.data ? (const char *)field->slice.data : "",
                       field->slice.len);
        break;
    case LOG_FIELD_I64:
        add(line, "%" PRId64, field->number);
        break;
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct line line;
    struct timespec now;
    struct tm utc;

    line.len = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    add(&line,
        log_style == LOG_FORMAT_JSON
            ? "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\",\"level\":\"%s\",\"program\":\"%"
              "s\","
              "\"event\":\"%s\""
            : "time=%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ level=%s program=%s event=%s",
        utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
        now.tv_nsec / 1000000, level_names[level], log_program, event);
    for (; fields->key != NULL && line.len < sizeof(line.text) - 256; fields++)
        add_field(&line, fields);
    if (log_style == LOG_FORMAT_JSON)
        add(&line, "}");
    line.text[line.len++] = '\n';
    /* A log that cannot be written has nobody to tell. */
    if (write(STDERR_FILENO, line.text, line.len) < 0)
        return;
}

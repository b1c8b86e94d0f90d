/* SPDX-License-Identifier: Apache-2.0 */
#include "common/observe/exposition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLE_MAX = LABELS_MAX + 256 };

static const char *const type_names[] = {
    [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};

enum err exposition_init(struct exposition *exposition, const struct metric_family *families,
                         size_t max_bytes)
{
    size_t count = 0;

    while (families[count].name != NULL)
        count++;
    *exposition = (struct exposition){
        .families = families,
        .family_count = count,
        .samples = calloc(count, sizeof(*exposition->samples)),
        .max_bytes = max_bytes,
    };
    if (exposition->samples == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        buffer_init(&exposition->samples[i], max_bytes);
    return ERR_OK;
}

void exposition_done(struct exposition *exposition)
{
    for (size_t i = 0; exposition->samples != NULL && i < exposition->family_count; i++)
        buffer_done(&exposition->samples[i]);
    free(exposition->samples);
    exposition->samples = NULL;
}

/* --- labels --- */

/* The length of the UTF-8 sequence that starts here; 0 = not one. */
static size_t utf8_length(const uint8_t *at, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    uint32_t code = 0;

    if (len == 1)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4 || len > left)
        return 0;
    code = at[0] & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < smallest[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    return len;
}

bool label_value_is_text(struct slice value)
{
    size_t at = 0;

    if (value.len > LABEL_VALUE_MAX)
        return false;
    while (at < value.len) {
        size_t len = utf8_length(value.data + at, value.len - at);

        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

void metric_labels_clear(struct metric_labels *labels)
{
    labels->len = 0;
    labels->text[0] = '\0';
}

static void put(struct metric_labels *labels, char byte)
{
    invariant(labels->len < sizeof(labels->text) - 1);
    labels->text[labels->len++] = byte;
    labels->text[labels->len] = '\0';
}

static void put_text(struct metric_labels *labels, const char *text)
{
    while (*text != '\0')
        put(labels, *text++);
}

void metric_labels_add(struct metric_labels *labels, const char *name, struct slice value)
{
    if (labels->len > 0)
        put(labels, ',');
    put_text(labels, name);
    put_text(labels, "=\"");
    for (size_t i = 0; i < value.len; i++) {
        char byte = (char)value.data[i];

        if (byte == '\\' || byte == '"' || byte == '\n')
            put(labels, '\\');
        put(labels, byte == '\n' ? 'n' : byte);
    }
    put(labels, '"');
}

void metric_labels_add_i64(struct metric_labels *labels, const char *name, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    metric_labels_add(labels, name, slice_from_cstring(text));
}

/* --- samples --- */

/* One line: name and suffix, labels (of the caller, then one of ours), value as text. */
static void add_line(struct exposition *exposition, size_t family, const char *suffix,
                     const struct metric_labels *labels, const char *own_label, const char *value)
{
    const char *name = exposition->families[family].name;
    bool has_labels = labels != NULL && labels->len > 0;
    char line[SAMPLE_MAX];
    int len = 0;

    if (exposition->err != ERR_OK)
        return;
    if (!has_labels && own_label[0] == '\0')
        len = snprintf(line, sizeof(line), "%s%s %s\n", name, suffix, value);
    else
        len = snprintf(line, sizeof(line), "%s%s{%s%s%s} %s\n", name, suffix,
                       has_labels ? labels->text : "", has_labels && own_label[0] ? "," : "",
                       own_label, value);
    invariant(len > 0 && (size_t)len < sizeof(line));
    exposition->total_bytes += (size_t)len;
    exposition->err = exposition->total_bytes > exposition->max_bytes
                          ? ERR_TOO_LARGE
                          : buffer_append(&exposition->samples[family], line, (size_t)len);
}

void exposition_add(struct exposition *exposition, size_t family,
                    const struct metric_labels *labels, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    add_line(exposition, family, "", labels, "", text);
}

static void print_seconds(char text[32], int64_t value_us)
{
    snprintf(text, 32, "%.6f", (double)value_us / 1e6);
}

void exposition_add_us(struct exposition *exposition, size_t family,
                       const struct metric_labels *labels, int64_t value_us)
{
    char text[32];

    print_seconds(text, value_us);
    add_line(exposition, family, "", labels, "", text);
}

void exposition_add_ratio(struct exposition *exposition, size_t family,
                          const struct metric_labels *labels, double value)
{
    char text[32];

    snprintf(text, sizeof(text), "%.6f", value);
    add_line(exposition, family, "", labels, "", text);
}

void exposition_add_histogram(struct exposition *exposition, size_t family,
                              const struct metric_labels *labels, const struct histogram_sum *sum)
{
    char text[32], bound[48];
    int64_t count = 0;

    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        count += sum->buckets[i];
        if (i == HISTOGRAM_BUCKETS)
            snprintf(bound, sizeof(bound), "le=\"+Inf\"");
        else
            snprintf(bound, sizeof(bound), "le=\"%g\"", (double)histogram_bounds_us[i] / 1e6);
        snprintf(text, sizeof(text), "%" PRId64, count);
        add_line(exposition, family, "_bucket", labels, bound, text);
    }
    print_seconds(text, sum->sum_us);
    add_line(exposition, family, "_sum", labels, "", text);
    snprintf(text, sizeof(text), "%" PRId64, count);
    add_line(exposition, family, "_count", labels, "", text);
}

enum err exposition_render(const struct exposition *exposition, struct buffer *text)
{
    enum err rc = exposition->err;

    for (size_t i = 0; rc == ERR_OK && i < exposition->family_count; i++) {
        const struct metric_family *family = &exposition->families[i];

        if (exposition->samples[i].len == 0)
            continue;
        rc = buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
                           family->name, type_names[family->type]);
        if (rc == ERR_OK)
            rc = buffer_append_slice(text, buffer_slice(&exposition->samples[i]));
    }
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/common/kafka/golden_text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not Check's: the fuzzer's seeds are read outside of any test. */
static void expect(bool condition, const char *section, const char *what, const char *line)
{
    if (condition)
        return;
    fprintf(stderr, "%s: %s: %s\n", section, what, line);
    exit(EXIT_FAILURE);
}

static void add_byte(struct golden_entry *entry, unsigned byte)
{
    expect(entry->len < sizeof(entry->bytes), entry->section, "too many bytes", "");
    entry->bytes[entry->len++] = (uint8_t)byte;
}

/* Returns what follows the closing quote. */
static const char *add_quoted(struct golden_entry *entry, const char *at)
{
    for (at++; *at != '\''; at++) {
        expect(*at != '\0', entry->section, "a quote is not closed", at);
        add_byte(entry, (unsigned char)*at);
    }
    return at + 1;
}

static void add_bytes(struct golden_entry *entry, const char *at)
{
    unsigned byte = 0;

    while (*at != '\0') {
        if (isspace((unsigned char)*at)) {
            at++;
        } else if (*at == '\'') {
            at = add_quoted(entry, at);
        } else {
            expect(isxdigit((unsigned char)at[0]) && isxdigit((unsigned char)at[1]) &&
                       sscanf(at, "%2x", &byte) == 1,
                   entry->section, "not two hex digits", at);
            add_byte(entry, byte);
            at += 2;
        }
    }
}

static void start_entry(struct golden_entry *entry, const char *section, char *line)
{
    char *rest = NULL;

    snprintf(entry->section, sizeof(entry->section), "%s", section);
    entry->lowest_version = (int)strtol(line, &rest, 10);
    entry->highest_version = entry->lowest_version;
    if (*rest == '-')
        entry->highest_version = (int)strtol(rest + 1, &rest, 10);
    expect(*rest == ':', section, "neither \"3:\" nor \"3-7:\"", line);
    add_bytes(entry, rest + 1);
}

size_t golden_text_load(const char *path, struct golden_entry *entries, size_t capacity)
{
    char line[400];
    char section[sizeof(entries->section)] = "";
    size_t count = 0;
    FILE *file = fopen(path, "r");

    expect(file != NULL, path, "cannot be opened", "");
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "#\n")] = '\0';
        if (line[strspn(line, " ")] == '\0')
            continue;
        if (line[0] != ' ') {
            expect(sscanf(line, "%63s", section) == 1, path, "no section", line);
        } else if (isdigit((unsigned char)line[2]) && line[3] != ' ' && line[1] == ' ' &&
                   strchr(line, ':') != NULL) {
            expect(count < capacity, section, "too many entries", line);
            entries[count] = (struct golden_entry){.len = 0};
            start_entry(&entries[count++], section, line + 2);
        } else {
            expect(count > 0, section, "bytes of no version", line);
            add_bytes(&entries[count - 1], line);
        }
    }
    fclose(file);
    return count;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/common/kafka/golden_text.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_byte(struct golden_entry *entry, unsigned byte)
{
    ck_assert_uint_lt(entry->len, sizeof(entry->bytes));
    entry->bytes[entry->len++] = (uint8_t)byte;
}

/* Returns what follows the closing quote. */
static const char *add_quoted(struct golden_entry *entry, const char *at)
{
    for (at++; *at != '\''; at++) {
        ck_assert_msg(*at != '\0', "%s: a quote is not closed", entry->section);
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
            ck_assert_msg(isxdigit((unsigned char)at[0]) && isxdigit((unsigned char)at[1]),
                          "%s: not two hex digits: %s", entry->section, at);
            ck_assert_int_eq(sscanf(at, "%2x", &byte), 1);
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
    ck_assert_msg(*rest == ':', "%s: no \"3:\" or \"3-7:\" in: %s", section, line);
    add_bytes(entry, rest + 1);
}

size_t golden_text_load(const char *path, struct golden_entry *entries, size_t capacity)
{
    char line[400];
    char section[sizeof(entries->section)] = "";
    size_t count = 0;
    FILE *file = fopen(path, "r");

    ck_assert_msg(file != NULL, "cannot open %s", path);
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "#\n")] = '\0';
        if (line[strspn(line, " ")] == '\0')
            continue;
        if (line[0] != ' ') {
            ck_assert_int_eq(sscanf(line, "%63s", section), 1);
        } else if (isdigit((unsigned char)line[2]) && line[3] != ' ' && line[1] == ' ' &&
                   strchr(line, ':') != NULL) {
            ck_assert_uint_lt(count, capacity);
            entries[count] = (struct golden_entry){.len = 0};
            start_entry(&entries[count++], section, line + 2);
        } else {
            ck_assert_uint_gt(count, 0);
            add_bytes(&entries[count - 1], line);
        }
    }
    ck_assert_int_eq(fclose(file), 0);
    return count;
}

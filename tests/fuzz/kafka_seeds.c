/* SPDX-License-Identifier: Apache-2.0 */
/* The golden bytes are the seeds: runs each through its fuzz target, as a plain test; with a
 * directory it writes them to DIRECTORY/kafka_<message>/ too, for the fuzzer to start from. */
#include "tests/fuzz/kafka_message.h"
#include "tests/unit/common/kafka/golden_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MAX_ENTRIES 256

static const char *const golden_files[] = {
    GOLDEN_DIRECTORY "/connection.txt",
    GOLDEN_DIRECTORY "/log.txt",
    GOLDEN_DIRECTORY "/group.txt",
    GOLDEN_DIRECTORY "/admin.txt",
};

static void expect(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void make_directory(const char *path)
{
    expect(mkdir(path, 0777) == 0 || errno == EEXIST, path);
}

static void write_seed(const char *directory, const struct message_case *message, int entry,
                       const uint8_t *bytes, size_t len)
{
    char path[512];
    FILE *file = NULL;

    snprintf(path, sizeof(path), "%s/kafka_%s", directory, message->snake);
    make_directory(path);
    snprintf(path, sizeof(path), "%s/kafka_%s/golden_%d_%d", directory, message->snake, entry,
             bytes[0]);
    file = fopen(path, "w");
    expect(file != NULL, path);
    expect(fwrite(bytes, 1, len, file) == len, path);
    expect(fclose(file) == 0, path);
}

static void run_entry(const struct golden_entry *entry, int number, const char *directory)
{
    const struct message_case *message = message_case_find(entry->section);
    uint8_t input[1 + sizeof(entry->bytes)];

    expect(message != NULL, entry->section);
    memcpy(input + 1, entry->bytes, entry->len);
    for (int version = entry->lowest_version; version <= entry->highest_version; version++) {
        input[0] = (uint8_t)(version - message->lowest_version);
        fuzz_kafka_message(message, input, 1 + entry->len);
        if (directory != NULL)
            write_seed(directory, message, number, input, 1 + entry->len);
    }
}

int main(int argc, char **argv)
{
    const char *directory = argc > 1 ? argv[1] : NULL;
    struct golden_entry *entries = calloc(MAX_ENTRIES, sizeof(*entries));

    expect(entries != NULL, "entries");
    if (directory != NULL)
        make_directory(directory);
    for (size_t file = 0; file < sizeof(golden_files) / sizeof(golden_files[0]); file++) {
        const size_t count = golden_text_load(golden_files[file], entries, MAX_ENTRIES);

        for (size_t i = 0; i < count; i++)
            run_entry(&entries[i], (int)i, directory);
    }
    free(entries);
    return EXIT_SUCCESS;
}

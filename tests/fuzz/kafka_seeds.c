/* SPDX-License-Identifier: Apache-2.0 */
/* The golden bytes are the seeds: runs each through its fuzz target, as a plain test, and so does
 * what was found by fuzzing and kept in seeds/kafka_<message>/. With a directory it writes the golden
 * ones to DIRECTORY/kafka_<message>/ too, for the fuzzer to start from. */
#include "tests/fuzz/kafka_message.h"
#include "tests/unit/common/kafka/golden.h"
#include "tests/unit/common/kafka/golden_text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

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

static void run_file(const struct message_case *message, const char *path)
{
    static uint8_t input[1 << 20];
    FILE *file = fopen(path, "r");

    expect(file != NULL, path);
    fuzz_kafka_message(message, input, fread(input, 1, sizeof(input), file));
    fclose(file);
}

/* None of a message is the rule: most have never broken. */
static void run_kept_seeds(const struct message_case *message)
{
    char path[512];
    DIR *directory = NULL;
    const struct dirent *entry = NULL;

    snprintf(path, sizeof(path), "%s/kafka_%s", SEED_DIRECTORY, message->snake);
    directory = opendir(path);
    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL) {
        snprintf(path, sizeof(path), "%s/kafka_%s/%s", SEED_DIRECTORY, message->snake,
                 entry->d_name);
        if (entry->d_name[0] != '.')
            run_file(message, path);
    }
    closedir(directory);
}

int main(int argc, char **argv)
{
    const char *directory = argc > 1 ? argv[1] : NULL;
    struct golden_entry *entries = calloc(GOLDEN_ENTRIES_MAX, sizeof(*entries));

    expect(entries != NULL, "entries");
    if (directory != NULL)
        make_directory(directory);
    for (size_t file = 0; file < golden_file_count; file++) {
        const size_t count = golden_text_load(golden_files[file].path, entries, GOLDEN_ENTRIES_MAX);

        for (size_t i = 0; i < count; i++)
            run_entry(&entries[i], (int)i, directory);
    }
    for (size_t i = 0; i < message_case_count; i++)
        run_kept_seeds(&message_cases[i]);
    free(entries);
    return EXIT_SUCCESS;
}

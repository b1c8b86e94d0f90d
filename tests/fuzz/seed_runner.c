/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one target without libFuzzer: every seed as it is, then cut and changed in a few thousand ways that are
 * the same each time. usage: seed_runner [SEED_DIRECTORY] */
#include "common/port/random.h"
#include "tests/fuzz/fuzz_input.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED_MAX = 65536, RANDOM_INPUTS = 2000, RANDOM_MAX = 512, VARIANTS = 200 };

static int runs;

/* A copy of its own, so that sanitizers see one byte too far. */
static void run(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    if (copy == NULL)
        abort();
    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
    runs++;
}

static void run_variants(struct seeded_random *random, uint8_t *data, size_t len)
{
    run(data, len);
    for (int i = 0; i < VARIANTS && len > 0; i++) {
        size_t at = (size_t)seeded_random_below(random, len);
        uint8_t before = data[at];

        data[at] = (uint8_t)seeded_random_below(random, 256);
        run(data, len);
        data[at] = before;
        run(data, at);
    }
}

static void run_file(struct seeded_random *random, const char *directory, const char *name)
{
    static uint8_t data[SEED_MAX];
    char path[4096];
    FILE *file = NULL;
    size_t len = 0;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    len = fread(data, 1, sizeof(data), file);
    fclose(file);
    run_variants(random, data, len);
}

static void run_directory(struct seeded_random *random, const char *directory)
{
    struct dirent **names = NULL;
    int count = scandir(directory, &names, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.')
            run_file(random, directory, names[i]->d_name);
        free(names[i]);
    }
    free((void *)names);
}

int main(int argc, char **argv)
{
    struct seeded_random random;
    uint8_t data[RANDOM_MAX];

    seeded_random_init(&random, 1);
    if (argc > 1)
        run_directory(&random, argv[1]);
    for (int i = 0; i < RANDOM_INPUTS; i++) {
        size_t len = (size_t)seeded_random_below(&random, RANDOM_MAX);

        for (size_t k = 0; k < len; k++)
            data[k] = (uint8_t)seeded_random_below(&random, 256);
        run(data, len);
    }
    printf("%d runs\n", runs);
    return runs > 0 ? 0 : 1;
}

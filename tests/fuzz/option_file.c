/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: the input is one. It loads and can be shown again, or is refused with a sentence. */
#include "common/config/option_table.h"
#include "tests/fuzz/fuzz_input.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct config {
    char *name;
    int64_t count;
    bool is_on;
    int level;
};

static const char *const levels[] = {"low", "high", NULL};
static const struct option options[] = {
    {"name", OPTION_STRING, offsetof(struct config, name), "none", 0, 0, "", NULL, false,
     "A name."},
    {"count", OPTION_I64, offsetof(struct config, count), "1", -5, 1000, "", NULL, false, "Some."},
    {"is_on", OPTION_BOOL, offsetof(struct config, is_on), "false", 0, 0, "", NULL, false, "On."},
    {"level", OPTION_ENUM, offsetof(struct config, level), "low", 0, 0, "", levels, false, "How."},
    {.name = NULL},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static FILE *nowhere;
    char path[32];
    struct config config = {0};
    struct error error = {.code = ERR_OK};

    if (fd < 0) {
        fd = memfd_create("options", MFD_CLOEXEC);
        nowhere = fopen("/dev/null", "w");
    }
    invariant(fd >= 0 && nowhere != NULL && ftruncate(fd, 0) == 0);
    invariant(pwrite(fd, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (option_table_load(options, &config, path, NULL, &error) == ERR_OK) {
        invariant(config.count >= -5 && config.count <= 1000 && config.level < 2);
        option_table_dump(options, &config, nowhere);
        option_table_done(options, &config);
    } else {
        invariant(error.message[0] != '\0');
    }
    return 0;
}

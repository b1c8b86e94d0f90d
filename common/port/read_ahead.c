/* SPDX-License-Identifier: Apache-2.0 */
#include "common/port/read_ahead.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct place {
    const char *class;
    const char *below; /* the device */
};

static const struct place places[] = {
    {"dev/block", "/queue"},    /* a disk */
    {"dev/block", "/../queue"}, /* a part of one */
    {"class/bdi", ""},          /* file systems that have no device of their own */
};

static int64_t read_kib(const char *path)
{
    FILE *file = fopen(path, "re");
    long long kib = -1;

    if (file == NULL)
        return -1;
    if (fscanf(file, "%lld", &kib) != 1 || kib < 0 || kib > INT_MAX)
        kib = -1;
    (void)fclose(file);
    return kib;
}

int64_t read_ahead_bytes(int fd, const char *sysfs)
{
    struct stat status;
    char path[PATH_MAX];
    int64_t kib = -1;

    if (fstat(fd, &status) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && kib < 0; i++) {
        int len =
            snprintf(path, sizeof(path), "%s/%s/%u:%u%s/read_ahead_kb", sysfs, places[i].class,
                     major(status.st_dev), minor(status.st_dev), places[i].below);

        if (len > 0 && (size_t)len < sizeof(path))
            kib = read_kib(path);
    }
    return kib < 0 ? -1 : kib << 10;
}

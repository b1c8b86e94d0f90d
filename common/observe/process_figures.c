/* SPDX-License-Identifier: Apache-2.0 */
#include "common/observe/process_figures.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Fields of /proc/self/stat after the command's closing parenthesis, counted from 0 (state). */
enum { STAT_START_TICKS = 19, STAT_VIRTUAL_BYTES = 20, STAT_RESIDENT_PAGES = 21 };

static enum err read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);

    if (fd >= 0)
        close(fd);
    if (len <= 0)
        return ERR_IO;
    text[len] = '\0';
    return ERR_OK;
}

/* The number in the index-th field of text; 0 = not there. */
static int64_t field(const char *text, int index)
{
    long long value = 0;

    while (index-- > 0 && text != NULL) {
        text = strchr(text, ' ');
        text = text ? text + 1 : NULL;
    }
    if (text == NULL || sscanf(text, "%lld", &value) != 1)
        return 0;
    return value;
}

static int64_t count_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int64_t count = 0;

    if (directory == NULL)
        return 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the directory itself */
}

/* The process started that many ticks after boot; both clocks are read now. */
static int64_t start_time_us(int64_t start_ticks)
{
    struct timespec wall, boot;
    int64_t age_us = 0;

    if (clock_gettime(CLOCK_REALTIME, &wall) != 0 || clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
        return 0;
    age_us = (int64_t)boot.tv_sec * 1000000 + boot.tv_nsec / 1000 -
             start_ticks * 1000000 / sysconf(_SC_CLK_TCK);
    return (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000 - age_us;
}

enum err process_figures_read(struct process_figures *ret_figures)
{
    char text[1024];
    const char *fields = NULL;
    struct rusage usage;
    struct rlimit files;
    enum err rc = read_text("/proc/self/stat", text, sizeof(text));

    if (rc != ERR_OK)
        return rc;
    fields = strrchr(text, ')');
    if (fields == NULL || getrusage(RUSAGE_SELF, &usage) != 0 ||
        getrlimit(RLIMIT_NOFILE, &files) != 0)
        return ERR_IO;
    fields = fields[1] == ' ' ? fields + 2 : fields;
    *ret_figures = (struct process_figures){
        .resident_bytes = field(fields, STAT_RESIDENT_PAGES) * sysconf(_SC_PAGESIZE),
        .virtual_bytes = field(fields, STAT_VIRTUAL_BYTES),
        .cpu_us = ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                  usage.ru_utime.tv_usec + usage.ru_stime.tv_usec,
        .open_fds = count_fds(),
        .max_fds = (int64_t)files.rlim_cur,
        .started_unix_us = start_time_us(field(fields, STAT_START_TICKS)),
    };
    return ERR_OK;
}

void exposition_add_process(struct exposition *exposition)
{
    struct process_figures figures;

    if (process_figures_read(&figures) != ERR_OK)
        return;
    exposition_add(exposition, PROCESS_RESIDENT, NULL, figures.resident_bytes);
    exposition_add(exposition, PROCESS_VIRTUAL, NULL, figures.virtual_bytes);
    exposition_add_us(exposition, PROCESS_CPU, NULL, figures.cpu_us);
    exposition_add(exposition, PROCESS_OPEN_FDS, NULL, figures.open_fds);
    exposition_add(exposition, PROCESS_MAX_FDS, NULL, figures.max_fds);
    exposition_add_us(exposition, PROCESS_START, NULL, figures.started_unix_us);
}

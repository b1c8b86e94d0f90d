/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/failpoint/failpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const names[FAILPOINT_COUNT] = {
#define FAILPOINT_NAME(name) #name,
    FAILPOINT_LIST(FAILPOINT_NAME)
#undef FAILPOINT_NAME
};

static const char *arming_file = "";
static atomic_int passages[FAILPOINT_COUNT]; /* since the file was last seen to name it */

void failpoint_setup(const char *file)
{
    arming_file = file;
}

const char *failpoint_name(enum failpoint failpoint)
{
    return names[failpoint];
}

/* False: no file, or not one of ours. */
static bool read_order(char name[64], char action[16], int *ret_nth)
{
    char text[128] = "";
    int fd = open(arming_file, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        close(fd);
    return len > 0 && sscanf(text, "%63s %15s %d", name, action, ret_nth) == 3;
}

enum err failpoint_pass(enum failpoint failpoint, struct error *error)
{
    char name[64], action[16];
    int nth = 0;

    if (arming_file[0] == '\0' || !read_order(name, action, &nth) ||
        strcmp(name, names[failpoint]) != 0)
        return ERR_OK;
    if (atomic_fetch_add(&passages[failpoint], 1) + 1 < nth)
        return ERR_OK;
    if (unlink(arming_file) != 0)
        return ERR_OK; /* another replica acts */
    atomic_store(&passages[failpoint], 0);
    /* To this thread: sent to the process, another thread could take it and this one run on a little. */
    if (strcmp(action, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(action, "freeze") == 0)
        raise(SIGSTOP);
    if (strcmp(action, "error") == 0)
        return error_set(error, ERR_UNAVAILABLE, "failpoint %s", name);
    return ERR_OK;
}

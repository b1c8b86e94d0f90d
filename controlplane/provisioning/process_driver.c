/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/provisioning/process_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EXIT_ALREADY_RUNNING = 3
}; /* SUPERVISE_RUNNING of dataplane/supervisor.h: the planes share no header */

/* Who holds the lock, as the kernel knows it; 0 = nobody. We never hold a lock of our own on this file,
 * so closing it here loses nothing. */
static pid_t holder_of(const char *directory)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[4096];
    int len = snprintf(path, sizeof(path), "%s/supervisor.lock", directory);

    if (len < 0 || (size_t)len >= sizeof(path))
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int rc = fcntl(fd, F_GETLK, &lock);
    close(fd);
    return rc == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

bool process_driver_is_running(const char *directory)
{
    return holder_of(directory) != 0;
}

enum err process_driver_start(const char *program, const char *directory, const char *config_file,
                              struct error *error)
{
    const char *const arguments[] = {program,     "supervise", "--directory", directory, "--config",
                                     config_file, "--program", program,       NULL};
    char *const environment[] = {NULL};
    char *copies[sizeof(arguments) / sizeof(arguments[0])] = {NULL};
    pid_t child = 0;
    int status = 0;

    for (size_t i = 0; arguments[i] != NULL; i++)
        memcpy(&copies[i], &arguments[i],
               sizeof(copies[i])); /* spawn wants char *, and only reads */
    int number = posix_spawn(&child, program, NULL, NULL, copies, environment);
    if (number != 0)
        return error_set(error, err_from_errno(number), "cannot run %s: %s", program,
                         strerror(number));
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return error_set(error, ERR_IO, "wait for %s: %s", program, strerror(errno));
    }
    if (WIFEXITED(status) &&
        (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EXIT_ALREADY_RUNNING))
        return ERR_OK;
    return error_set(error, ERR_IO, "%s supervise --directory %s failed with status %d", program,
                     directory, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

enum err process_driver_signal(const char *directory, int signal_number, struct error *error)
{
    enum err rc = ERR_OK;
    pid_t holder = holder_of(directory);

    if (holder == 0)
        return ERR_OK;
    int fd = pidfd_open(holder, 0);
    /* Between the two looks the pid may have gone to another; once the descriptor is open it cannot. */
    if (fd >= 0 && holder_of(directory) == holder &&
        pidfd_send_signal(fd, signal_number, NULL, 0) != 0 && errno != ESRCH)
        rc = error_set(error, err_from_errno(errno), "signal the supervisor of %s: %s", directory,
                       strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

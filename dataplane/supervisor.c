/* SPDX-License-Identifier: Apache-2.0 */
/* A broker's guardian: as small as it can be, because nothing guards it.
 *
 *   start ──▶ RUNNING ──(broker exits)──▶ WAITING ──(back-off over)──▶ RUNNING
 *                │ SIGTERM                   │ SIGTERM
 *                ▼                           ▼
 *             STOPPING ──(broker exits)──▶ done
 *
 * One thread, no allocation after start, one place that waits (sigtimedwait). Back-off doubles from 100 ms
 * to 10 s and starts over once a broker has lived for 10 s. When the supervisor itself dies, the kernel
 * kills the broker (PR_SET_PDEATHSIG): no broker without a guardian, and its disk survives SIGKILL by
 * design. The broker gets a clean environment, so that no PG* variable changes where it connects. */
#include "dataplane/supervisor.h"

#include "common/config/option_table.h"
#include "common/port/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 10000,
    STABLE_AFTER_MS =
        10000, /* a broker that lived this long starts over with the shortest back-off */
    STOP_GRACE_MS = 30000,
    HOUSEKEEPING_MS = 5000,
    LOG_MAX_BYTES = 16 * 1024 * 1024,
    STATUS_MAX_BYTES = 256 * 1024
};

enum supervisor_state { SUPERVISOR_RUNNING, SUPERVISOR_WAITING, SUPERVISOR_STOPPING };

struct supervisor_config {
    const char *directory;
    const char *config;
    const char *program;
};

struct supervisor {
    const struct supervisor_config *config;
    enum supervisor_state state;
    pid_t broker; /* 0 = none */
    int64_t started_ms;
    int64_t backoff_ms;
    int64_t deadline_ms; /* WAITING: start again; STOPPING: SIGKILL */
    int lock_fd;         /* kept open for life: closing any descriptor of the file drops the lock */
    int status_fd;
};

static const struct option options[] = {
    {"directory", OPTION_STRING, offsetof(struct supervisor_config, directory), NULL, 0, 0, "",
     NULL, false, "where lock, status and log of this broker lie; an absolute path"},
    {"config", OPTION_STRING, offsetof(struct supervisor_config, config), NULL, 0, 0, "", NULL,
     false, "the broker's configuration file; an absolute path"},
    {"program", OPTION_STRING, offsetof(struct supervisor_config, program), "/proc/self/exe", 0, 0,
     "", NULL, false, "the broker's program"},
    {.name = NULL},
};

static int64_t now_ms(void)
{
    return clock_monotonic_us(&system_clock) / 1000;
}

/* ---- status and log files; all relative to the directory, which is the working directory ---- */

/* One line of JSON; nothing in it comes from outside. Best effort: a full disk must not stop a restart. */
static void report(struct supervisor *supervisor, const char *event, int code, int signal_number,
                   int64_t restart_in_ms)
{
    char line[256];
    struct stat status;
    int64_t uptime_ms = now_ms() - supervisor->started_ms;
    int len =
        snprintf(line, sizeof(line),
                 "{\"at_ms\": %" PRId64 ", \"event\": \"%s\", \"supervisor\": %d, \"broker\": %d, "
                 "\"code\": %d, \"signal\": %d, \"uptime_ms\": %" PRId64
                 ", \"restart_in_ms\": %" PRId64 "}\n",
                 clock_wall_ms(&system_clock), event, (int)getpid(), (int)supervisor->broker, code,
                 signal_number, uptime_ms, restart_in_ms);

    if (supervisor->status_fd >= 0 && fstat(supervisor->status_fd, &status) == 0 &&
        status.st_size > STATUS_MAX_BYTES) {
        close(supervisor->status_fd);
        supervisor->status_fd = -1;
        if (rename("supervisor.jsonl", "supervisor.jsonl.1") != 0)
            unlink("supervisor.jsonl");
    }
    if (supervisor->status_fd < 0)
        supervisor->status_fd =
            open("supervisor.jsonl", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (supervisor->status_fd >= 0 && write(supervisor->status_fd, line, (size_t)len) < 0)
        return;
}

/* The broker holds the log open for appending, so a long log is copied aside and cut: a line that is
 * written between the two is lost, which is what a log may lose and a disk may not. */
static void trim_log(void)
{
    struct stat status;

    if (fstat(STDERR_FILENO, &status) != 0 || status.st_size <= LOG_MAX_BYTES)
        return;
    int from = open("broker.log", O_RDONLY | O_CLOEXEC);
    int to = open("broker.log.1", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    off_t left = status.st_size;

    while (from >= 0 && to >= 0 && left > 0) {
        ssize_t copied = sendfile(to, from, NULL, (size_t)left);
        if (copied <= 0)
            break;
        left -= copied;
    }
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    /* When even this fails, the next turn tries again. */
    if (ftruncate(STDERR_FILENO, 0) != 0)
        return;
}

/* ---- the broker ---- */

_Noreturn static void become_broker(const struct supervisor_config *config, pid_t supervisor)
{
    static char path[] = "PATH=/usr/bin:/bin";
    static char name[] = "millrace-broker";
    static char verb[] = "serve";
    static char option[] = "--config";
    char *const environment[] = {path, NULL};
    char file[4096];
    char *const arguments[] = {name, verb, option, file, NULL};
    sigset_t none;

    snprintf(file, sizeof(file), "%s", config->config);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != supervisor)
        _exit(127);
    execve(config->program, arguments, environment);
    dprintf(STDERR_FILENO, "cannot start %s: %s\n", config->program, strerror(errno));
    _exit(127);
}

static void wait_before_restart(struct supervisor *supervisor)
{
    supervisor->state = SUPERVISOR_WAITING;
    supervisor->deadline_ms = now_ms() + supervisor->backoff_ms;
    supervisor->backoff_ms *= 2;
    if (supervisor->backoff_ms > BACKOFF_MAX_MS)
        supervisor->backoff_ms = BACKOFF_MAX_MS;
}

static void start_broker(struct supervisor *supervisor)
{
    pid_t self = getpid();
    pid_t child = fork();

    if (child == 0)
        become_broker(supervisor->config, self);
    supervisor->started_ms = now_ms();
    if (child < 0) {
        report(supervisor, "fork_failed", errno, 0, supervisor->backoff_ms);
        wait_before_restart(supervisor);
        return;
    }
    supervisor->broker = child;
    supervisor->state = SUPERVISOR_RUNNING;
    report(supervisor, "started", 0, 0, 0);
}

/* Collects the broker if it has exited. */
static void reap_broker(struct supervisor *supervisor)
{
    int status = 0;
    int64_t restart_in_ms = 0;

    if (supervisor->broker == 0 ||
        waitpid(supervisor->broker, &status, WNOHANG) != supervisor->broker)
        return;
    if (supervisor->state == SUPERVISOR_RUNNING) {
        if (now_ms() - supervisor->started_ms >= STABLE_AFTER_MS)
            supervisor->backoff_ms = BACKOFF_FIRST_MS;
        restart_in_ms = supervisor->backoff_ms;
        wait_before_restart(supervisor);
    }
    report(supervisor, "exited", WIFEXITED(status) ? WEXITSTATUS(status) : 0,
           WIFSIGNALED(status) ? WTERMSIG(status) : 0, restart_in_ms);
    supervisor->broker = 0;
}

static void ask_broker_to_stop(struct supervisor *supervisor)
{
    if (supervisor->state == SUPERVISOR_STOPPING)
        return;
    supervisor->state = SUPERVISOR_STOPPING;
    supervisor->deadline_ms = now_ms() + STOP_GRACE_MS;
    if (supervisor->broker != 0)
        kill(supervisor->broker, SIGTERM);
}

/* What a deadline that has passed means in each state. */
static void act_on_deadline(struct supervisor *supervisor)
{
    if (now_ms() < supervisor->deadline_ms)
        return;
    if (supervisor->state == SUPERVISOR_WAITING)
        start_broker(supervisor);
    else if (supervisor->state == SUPERVISOR_STOPPING && supervisor->broker != 0)
        kill(supervisor->broker, SIGKILL);
}

static int64_t wait_ms(const struct supervisor *supervisor)
{
    int64_t left = supervisor->deadline_ms - now_ms();

    if (supervisor->state == SUPERVISOR_RUNNING || left > HOUSEKEEPING_MS)
        return HOUSEKEEPING_MS;
    return left > 1 ? left : 1;
}

/* A directory that was removed under us (a start that came late, after the cell was deleted) has no broker. */
static bool has_directory(const struct supervisor *supervisor)
{
    char path[4096];
    struct stat held, found;

    snprintf(path, sizeof(path), "%s/supervisor.lock", supervisor->config->directory);
    return fstat(supervisor->lock_fd, &held) == 0 && stat(path, &found) == 0 &&
           held.st_ino == found.st_ino && held.st_dev == found.st_dev;
}

static void run(struct supervisor *supervisor, const sigset_t *signals)
{
    start_broker(supervisor);
    while (supervisor->state != SUPERVISOR_STOPPING || supervisor->broker != 0) {
        int64_t timeout_ms = wait_ms(supervisor);
        struct timespec timeout = {timeout_ms / 1000, (timeout_ms % 1000) * 1000000};
        int signal_number = sigtimedwait(signals, NULL, &timeout);

        reap_broker(supervisor);
        if (signal_number == SIGTERM || signal_number == SIGINT || !has_directory(supervisor))
            ask_broker_to_stop(supervisor);
        if (signal_number == SIGHUP && supervisor->broker != 0)
            kill(supervisor->broker, SIGHUP);
        act_on_deadline(supervisor);
        trim_log();
    }
    report(supervisor, "stopped", 0, 0, 0);
}

/* ---- becoming a supervisor ---- */

static enum supervise_exit take_lock(int *ret_lock_fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open("supervisor.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);

    if (fd < 0) {
        dprintf(STDERR_FILENO, "cannot open supervisor.lock: %s\n", strerror(errno));
        return SUPERVISE_FAILED;
    }
    if (fcntl(fd, F_SETLK, &lock) == 0) {
        *ret_lock_fd = fd;
        return SUPERVISE_STARTED;
    }
    close(fd);
    return SUPERVISE_RUNNING;
}

/* Standard streams to the log. */
static enum supervise_exit redirect_streams(void)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = open("broker.log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

    if (null < 0 || log < 0) {
        dprintf(STDERR_FILENO, "cannot open broker.log: %s\n", strerror(errno));
        return SUPERVISE_FAILED;
    }
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(null);
    close(log);
    return SUPERVISE_STARTED;
}

/* The supervisor proper, in a process of its own. Says how it went on ready_fd, once. */
static void supervise(const struct supervisor_config *config, int ready_fd)
{
    struct supervisor supervisor = {
        .config = config, .backoff_ms = BACKOFF_FIRST_MS, .lock_fd = -1, .status_fd = -1};
    sigset_t signals;
    uint8_t answer = SUPERVISE_STARTED;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_SETMASK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    /* Nothing of the caller's stays open here: a pipe or socket of its would live as long as we do. */
    if (ready_fd > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, (unsigned)ready_fd - 1, 0);
    close_range((unsigned)ready_fd + 1, ~0U, 0);
    if (chdir(config->directory) != 0) {
        dprintf(STDERR_FILENO, "cannot enter %s: %s\n", config->directory, strerror(errno));
        answer = SUPERVISE_FAILED;
    }
    if (answer == SUPERVISE_STARTED)
        answer = (uint8_t)take_lock(&supervisor.lock_fd);
    if (answer == SUPERVISE_STARTED)
        answer = (uint8_t)redirect_streams();
    ssize_t written = write(ready_fd, &answer, 1);
    close(ready_fd);
    if (answer == SUPERVISE_STARTED && written == 1)
        run(&supervisor, &signals);
}

/* Two forks: the first leaves the caller's session, the second can never get a terminal again. */
static int detach(const struct supervisor_config *config)
{
    int ready[2];
    uint8_t answer = SUPERVISE_FAILED;

    if (pipe2(ready, O_CLOEXEC) != 0)
        return SUPERVISE_FAILED;
    pid_t first = fork();
    if (first < 0)
        return SUPERVISE_FAILED;
    if (first == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        close(ready[0]);
        supervise(config, ready[1]);
        return SUPERVISE_STARTED;
    }
    close(ready[1]);
    waitpid(first, NULL, 0);
    if (read(ready[0], &answer, 1) != 1)
        answer = SUPERVISE_FAILED;
    close(ready[0]);
    return answer;
}

int supervisor_main(int argc, char **argv)
{
    struct supervisor_config config;
    struct error error;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        option_table_help(options, stdout);
        return EXIT_SUCCESS;
    }
    if (option_table_load(options, &config, NULL, argv + 1, &error) != ERR_OK) {
        dprintf(STDERR_FILENO, "millrace-broker supervise: %s\n", error.message);
        return SUPERVISE_FAILED;
    }
    int status = detach(&config);
    option_table_done(options, &config);
    return status;
}

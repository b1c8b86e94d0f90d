/* SPDX-License-Identifier: Apache-2.0 */
/* `millrace-broker supervise --directory DIR --config FILE [--program PATH]`: keeps one broker running.
 *
 * The caller gets its process back as soon as the supervisor stands on its own (own session, no
 * parent), so that brokers outlive the control plane. DIR/supervisor.lock is held for as long as the
 * supervisor lives: who holds that lock *is* the supervisor of DIR, whatever any pid file says.
 *
 *   DIR/supervisor.lock    POSIX record lock; its holder's pid is what F_GETLK says
 *   DIR/supervisor.jsonl   one line per start and exit of the broker
 *   DIR/broker.log         what the broker writes to its standard output and error
 *
 * SIGTERM stops the broker (SIGKILL after 30 s) and then the supervisor; SIGHUP is passed on. */
#ifndef DATAPLANE_SUPERVISOR_H
#define DATAPLANE_SUPERVISOR_H

enum supervise_exit {
    SUPERVISE_STARTED = 0, /* the supervisor runs and the first start of the broker is under way */
    SUPERVISE_FAILED = 1,  /* said why on standard error */
    SUPERVISE_RUNNING = 3  /* another supervisor holds the lock */
};

/* argv[0] is the verb. Returns the exit status (enum supervise_exit) in the calling process; in the
 * supervisor it returns when everything has stopped. */
int supervisor_main(int argc, char **argv);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/provisioning/private_postgres.h"

#include "controlplane/provisioning/files.h"
#include "controlplane/provisioning/verbs.h"
#include "controlplane/store/db.h"

#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef POSTGRES_BIN
#define POSTGRES_BIN "/usr/lib/postgresql/15/bin"
#endif

enum { START_TRIES = 500, START_POLL_MS = 20 };

_Noreturn static void become_postgres(char *const *arguments, const char *log_file)
{
    const struct passwd *user = getuid() == 0 ? getpwnam("postgres") : NULL;
    int log = open(log_file, O_WRONLY | O_CREAT | O_APPEND, 0644);

    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    if (user != NULL && (initgroups("postgres", user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
                         setuid(user->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    execv(arguments[0], arguments);
    _exit(127);
}

static pid_t run(char *const *arguments, const char *log_file)
{
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0)
        become_postgres(arguments, log_file);
    return child;
}

static void wait_until_ready(const struct private_postgres *postgres)
{
    char conninfo[256];
    struct db_config config = {.conninfo = conninfo,
                               .application_name = "test",
                               .connect_timeout_ms = 2000,
                               .statement_timeout_ms = 5000};

    snprintf(conninfo, sizeof(conninfo), "%s dbname=postgres", postgres->admin);
    for (int i = 0; i < START_TRIES; i++) {
        struct db *db = NULL;

        if (db_open(&config, &db, NULL) == ERR_OK) {
            db_close(db);
            return;
        }
        poll(NULL, 0, START_POLL_MS);
    }
    ck_abort_msg("PostgreSQL does not answer; see %s.log", postgres->directory);
}

void private_postgres_run(struct private_postgres *postgres)
{
    static char program[] = POSTGRES_BIN "/postgres", data_option[] = "-D", socket_option[] = "-k",
                option[] = "-c", no_tcp[] = "listen_addresses=", no_fsync[] = "fsync=off",
                plain[] = "log_min_messages=warning";
    char log_file[96];
    char data[96];
    char *const arguments[] = {program, data_option, data,   socket_option, postgres->directory,
                               option,  no_tcp,      option, no_fsync,      option,
                               plain,   NULL};

    snprintf(log_file, sizeof(log_file), "%s.log", postgres->directory);
    snprintf(data, sizeof(data), "%s/data", postgres->directory);
    postgres->server = run(arguments, log_file);
    wait_until_ready(postgres);
}

void private_postgres_kill(struct private_postgres *postgres)
{
    if (postgres->server <= 0)
        return;
    kill(postgres->server, SIGQUIT);
    waitpid(postgres->server, NULL, 0);
    postgres->server = 0;
}

static void make_cluster(const struct private_postgres *postgres)
{
    static char program[] = POSTGRES_BIN "/initdb", data_option[] = "-D", user_option[] = "-U",
                user[] = "postgres", auth[] = "--auth=trust", no_sync[] = "--no-sync",
                encoding[] = "--encoding=UTF8", locale[] = "--locale=C";
    char log_file[96];
    char data[96];
    int status = 0;
    char *const arguments[] = {program, data_option, data,     user_option, user,
                               auth,    no_sync,     encoding, locale,      NULL};

    snprintf(log_file, sizeof(log_file), "%s.log", postgres->directory);
    snprintf(data, sizeof(data), "%s/data", postgres->directory);
    waitpid(run(arguments, log_file), &status, 0);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "initdb failed; see %s", log_file);
}

/* The roles of Millrace need their passwords, so that a wrong verifier is seen; the administrator needs none. */
static void require_passwords(const struct private_postgres *postgres)
{
    char path[96];

    snprintf(path, sizeof(path), "%s/data/pg_hba.conf", postgres->directory);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs("local all postgres trust\nlocal all all scram-sha-256\n", file);
    fclose(file);
}

static void migrate(const struct private_postgres *postgres)
{
    char admin[200], serve[160], provision[160], password[96];
    char *const arguments[] = {admin, serve, provision, NULL};

    snprintf(password, sizeof(password), "%s/password", postgres->directory);
    ck_assert_int_eq(file_replace(password, SLICE_LITERAL(PRIVATE_POSTGRES_PASSWORD), 0600, NULL),
                     ERR_OK);
    snprintf(admin, sizeof(admin), "--admin=%s", postgres->admin);
    snprintf(serve, sizeof(serve), "--serve_password_file=%s", password);
    snprintf(provision, sizeof(provision), "--provision_password_file=%s", password);
    ck_assert_int_eq(migrate_main(arguments), EXIT_SUCCESS);
}

void private_postgres_start(struct private_postgres *postgres)
{
    const struct passwd *user = getpwnam("postgres");

    *postgres = (struct private_postgres){.directory = "/tmp/millrace-test-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(postgres->directory));
    if (getuid() == 0) {
        ck_assert_msg(user != NULL, "there is no user postgres; install postgresql-15");
        ck_assert_int_eq(chown(postgres->directory, user->pw_uid, user->pw_gid), 0);
    }
    snprintf(postgres->admin, sizeof(postgres->admin), "host=%s user=postgres",
             postgres->directory);
    make_cluster(postgres);
    require_passwords(postgres);
    private_postgres_run(postgres);
    migrate(postgres);
}

void private_postgres_stop(struct private_postgres *postgres)
{
    char log_file[96];

    private_postgres_kill(postgres);
    snprintf(log_file, sizeof(log_file), "%s.log", postgres->directory);
    unlink(log_file);
    ck_assert_int_eq(directory_remove(postgres->directory, NULL), ERR_OK);
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The private PostgreSQL of a state directory: on a loopback port, with a password, no socket file, nothing of Debian's.
#
# PostgreSQL refuses to run as root: then it runs as user postgres. If that user cannot enter DIR, the cluster lies in
# that user's home and DIR/postgres is a text file that says where.

PG_BIN=/usr/lib/postgresql/15/bin

as_postgres() {
    if ((EUID == 0)); then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

# Sets PG_DATA. The first `up` decides; later ones read.
postgres_locate() {
    if [[ -f "$STATE/postgres" ]]; then
        PG_DATA=$(sed -n 's/^data=//p' "$STATE/postgres")
    else
        PG_DATA="$STATE/postgres"
    fi
}

# DIR/postgres.made says that the cluster is whole: an initdb that was broken off is done again from nothing.
postgres_make_cluster() {
    local home file status=0

    postgres_locate
    [[ ! -e $STATE/postgres.made ]] || return 0
    if ((EUID == 0)); then
        if runuser -u postgres -- test -x "$STATE"; then
            install -d -o postgres -g postgres -m 0700 "$PG_DATA"
        elif [[ ! -f "$STATE/postgres" ]]; then
            home=$(getent passwd postgres | cut -d: -f6)
            PG_DATA="$home/millrace-$(openssl rand -hex 6)"
            printf '%s\n' "# user postgres cannot enter this directory; the cluster lies here:" "data=$PG_DATA" \
                >"$STATE/postgres"
        fi
    fi
    [[ $PG_DATA == /*/postgres || $PG_DATA == */millrace-* ]] || fail "no place for the cluster: $PG_DATA"
    ! as_postgres test -d "$PG_DATA" || as_postgres find "$PG_DATA" -mindepth 1 -delete
    state_secret postgres
    step_log="$STATE/log/initdb.log"
    # Its user cannot read DIR/secrets: it gets the password in a file of its own for the moment.
    file=$(as_postgres mktemp)
    as_postgres tee "$file" <"$STATE/secrets/postgres" >/dev/null
    as_postgres "$PG_BIN/initdb" --pgdata "$PG_DATA" --username postgres --auth scram-sha-256 --encoding UTF8 \
        --locale C.UTF-8 --data-checksums --pwfile "$file" >"$step_log" 2>&1 || status=$?
    as_postgres rm -f "$file"
    ((status == 0)) || fail "initdb could not make a cluster in $PG_DATA" "see $step_log"
    date -u +%FT%TZ >"$STATE/postgres.made"
}

postgres_pid() { # fails when there is no pid file
    as_postgres head -n 1 "$PG_DATA/postmaster.pid" 2>/dev/null
}

# pg_ctl asks only whether the pid exists; a killed server that init has not reaped yet would count as running.
postgres_is_running() {
    local pid

    pid=$(postgres_pid) && [[ -n $pid ]] && ! process_is_gone "$pid"
}

postgres_start() {
    local options

    ! postgres_is_running || return 0
    ! port_is_taken "$PORT_postgres" || fail "port $PORT_postgres, PostgreSQL's in $STATE, is taken by another program" \
        "stop that program (ss -ltnp 'sport = :$PORT_postgres'), or use another --state DIR"
    options="-p $PORT_postgres -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200"
    options+=" -c shared_buffers=64MB -c log_min_messages=warning -c cluster_name=millrace"
    step_log="$STATE/log/postgres.log"
    # Opened here, as ourselves: the user postgres may not write into DIR/log.
    wait_until 15 postgres_try_start "$options" ||
        fail "PostgreSQL did not start in $PG_DATA" "see $step_log"
}

# Every process of a cluster works in its data directory.
postgres_has_processes() {
    [[ -n $(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$PG_DATA" 2>/dev/null) ]]
}

# After a SIGKILL the last children of the old server may still be there for a moment: tried again. When the last is gone
# and init has not reaped the server, its pid file goes: a new server would take the corpse for a living one.
postgres_try_start() { # OPTIONS
    local pid

    if pid=$(postgres_pid) && [[ -n $pid && -d /proc/$pid ]] && process_is_gone "$pid" && ! postgres_has_processes; then
        as_postgres rm -f "$PG_DATA/postmaster.pid"
    fi
    (
        close_descriptors
        as_postgres "$PG_BIN/pg_ctl" --pgdata "$PG_DATA" --wait --timeout 60 --options "$1" start
    ) >>"$STATE/log/postgres.log" 2>&1 </dev/null
}

postgres_stop() {
    postgres_locate
    ! postgres_is_running || as_postgres "$PG_BIN/pg_ctl" --pgdata "$PG_DATA" --wait --timeout 60 --mode fast stop \
        >>"$STATE/log/postgres.log" 2>&1
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The state directory of one `up`: where its things lie, its ports for life, its processes.
#
#   DIR/ports            name=number, chosen once; DIR/plaintext_port, when one was ever asked for
#   DIR/secrets/         passwords and keys, mode 0600
#   DIR/tls/             the private CA and certificates
#   DIR/conf/ DIR/log/   settings and logs of each process
#   DIR/cells/           the brokers' data
#   DIR/postgres         the database cluster, or a text file that says where it lies
#   DIR/endpoints.json   there exactly while everything answers
#
# Ports come in blocks below the kernel's range for outgoing connections. Where the search for a free block starts
# follows from DIR's path, so that two directories rarely ask for the same one.

STATE_BLOCK_PORTS=100
STATE_FIRST_PORT=12000

state_open() { # DIR: sets STATE (absolute, no link left in it)
    mkdir -p -- "$1" || fail "cannot make the state directory $1" "give another with --state DIR"
    STATE=$(readlink -f -- "$1")
    [[ $STATE != *[[:space:]\'\"]* ]] || fail "the path of the state directory has a space or quote in it: $STATE" \
        "give another with --state DIR"
    chmod 0755 "$STATE"
    ENDPOINTS="$STATE/endpoints.json"
}

state_make_directories() {
    mkdir -p "$STATE"/{conf,log,tls,cells}
    (umask 077 && mkdir -p "$STATE/secrets")
}

# One `up` or `down` at a time per DIR. The lock is released when the verb ends; children must not inherit it.
state_lock() {
    exec 8>"$STATE/up.lock"
    flock -n 8 || fail "another ./dev up or down is at work on $STATE" "wait for it, or give another --state DIR"
}

state_unlock() {
    exec 8>&-
}

port_is_taken() { # PORT
    [[ -n $(ss -Hltn "sport = :$1") ]]
}

block_is_free() { # FIRST
    [[ -z $(ss -Hltn "sport >= :$1 and sport < :$(($1 + STATE_BLOCK_PORTS))") ]]
}

# Loads DIR/ports, making it at the first time.
state_load_ports() {
    local last blocks start i first

    if [[ ! -s "$STATE/ports" ]]; then
        last=$(cut -f1 /proc/sys/net/ipv4/ip_local_port_range)
        blocks=$(((last - STATE_FIRST_PORT) / STATE_BLOCK_PORTS))
        ((blocks > 0)) || fail "no ports below the range for outgoing connections" \
            "raise net.ipv4.ip_local_port_range"
        start=$((0x$(printf '%s' "$STATE" | sha256sum | cut -c1-8) % blocks))
        for ((i = 0; ; i++)); do
            ((i < blocks)) || fail "no free block of $STATE_BLOCK_PORTS ports" "stop what listens: ss -ltnp"
            first=$((STATE_FIRST_PORT + (start + i) % blocks * STATE_BLOCK_PORTS))
            ! block_is_free "$first" || break
        done
        printf '%s\n' "postgres=$first" "rest=$((first + 1))" "metrics=$((first + 2))" \
            "provision_metrics=$((first + 3))" "broker_first=$((first + 10))" \
            "broker_last=$((first + STATE_BLOCK_PORTS - 1))" >"$STATE/ports.new"
        mv "$STATE/ports.new" "$STATE/ports"
    fi
    local name number
    while IFS='=' read -r name number; do
        printf -v "PORT_$name" '%s' "$number"
    done <"$STATE/ports"
}

state_secret() { # NAME: a random password in DIR/secrets/NAME, made once
    local file="$STATE/secrets/$1"

    [[ -s $file ]] || (umask 077 && openssl rand -hex 24 | tr -d '\n' >"$file")
}

is_ours() { # ARGUMENTS of a process
    [[ $1 =~ ^([^ ]*/)?millrace-[a-z]+\  && $1 == *" $STATE/"* ]]
}

# Our processes of this DIR, one line each: PID ARGUMENTS. Ours: the program is Millrace's and a path in its
# arguments lies in DIR. PostgreSQL is asked by its own tool.
state_processes() {
    local file pid arguments

    for file in /proc/[0-9]*/cmdline; do
        arguments=$(tr '\0' ' ' 2>/dev/null <"$file") || continue
        is_ours "$arguments" || continue
        pid=${file#/proc/}
        printf '%s %s\n' "${pid%/cmdline}" "$arguments"
    done
}

state_has_no_processes() {
    [[ -z $(state_processes) ]]
}

# Closes what a daemon must not hold: our lock, and whatever our caller left open (a build slot, a pipe of ctest).
close_descriptors() {
    local descriptor

    for descriptor in /proc/$BASHPID/fd/*; do
        descriptor=${descriptor##*/}
        ((descriptor <= 2)) || eval "exec $descriptor>&-"
    done
}

# start_daemon NAME COMMAND…: in a session of its own, log in DIR/log/NAME.log, pid in DIR/NAME.pid.
start_daemon() {
    local name=$1

    shift
    printf -- '--- %s\n' "$(date -u +%FT%TZ)" >>"$STATE/log/$name.log"
    (
        close_descriptors
        exec setsid -- "$@"
    ) >>"$STATE/log/$name.log" 2>&1 </dev/null &
    printf '%s\n' "$!" >"$STATE/$name.pid"
    disown
    # Between the fork and the exec it is not yet recognised as ours.
    wait_until 5 daemon_is_known "$name" "$!" || true
}

daemon_is_known() { # NAME PID
    daemon_pid "$1" >/dev/null || process_is_gone "$2"
}

# A daemon of ours that still runs: its pid file, believed only when the process really is of this DIR.
daemon_pid() { # NAME
    local pid

    pid=$(cat "$STATE/$1.pid" 2>/dev/null) || return 1
    is_ours "$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")" || return 1
    printf '%s\n' "$pid"
}

process_is_gone() { # PID
    [[ ! -d /proc/$1 || "$(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null || echo Z)" == Z ]]
}

stop_daemon() { # NAME: asks, waits, insists
    local pid

    if pid=$(daemon_pid "$1"); then
        kill -TERM "$pid" 2>/dev/null || true
        wait_until 15 process_is_gone "$pid" || {
            say "    $1 did not stop in 15 s: killed"
            kill -KILL "$pid" 2>/dev/null || true
            wait_until 5 process_is_gone "$pid" || true
        }
    fi
    rm -f "$STATE/$1.pid"
}

# The last resort of `down`: supervisors first, because they would start their brokers again.
state_kill_leftovers() {
    local pid arguments

    say "    these did not stop and are killed:"
    while read -r pid arguments; do
        say "      $pid $arguments"
        kill -KILL "$pid" 2>/dev/null || true
    done < <(state_processes | sort -k3,3r)
    wait_until 5 state_has_no_processes || say "    some still live: $(state_processes | cut -d' ' -f1 | tr '\n' ' ')"
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For tests that own their state directory and are written in Python: `own_state PROGRAM STATE ARGUMENT…` makes the directory
# anew, runs PROGRAM, and takes everything away again, the database cluster included. After a failure the
# directory stays, stopped, to be looked at.
source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../../support/dev/lib/common.sh"
source "$DEV/lib/state.sh"
source "$DEV/lib/postgres.sh"

state_remove() {
    STATE=$1
    [[ -e $STATE ]] || return 0
    [[ -e $STATE/up.lock ]] || fail "$STATE is there and is not a state directory" "give another"
    "$ROOT/dev" down --state "$STATE" >/dev/null
    postgres_locate
    rm -rf "$PG_DATA" "$STATE"
}

own_state() { # PROGRAM STATE ARGUMENT…
    local program=$1

    own_state_directory=$(readlink -m -- "$2")
    shift 2
    "$DEV/deps" --clients
    state_remove "$own_state_directory"
    PYTHONPATH="$ROOT/tests/integration/soak:$ROOT/tests/integration/up:$ROOT/tests/integration/faults" \
        "$VAR/tools/python/venv/bin/python" -B "$program" "$ROOT" "$own_state_directory" "$@"
}

on_exit() { # STATUS
    [[ -n ${own_state_directory:-} ]] || return 0
    if (($1 == 0)); then
        state_remove "$own_state_directory"
    else
        "$ROOT/dev" down --state "$own_state_directory" >/dev/null || true
        say "what it left is in $own_state_directory"
    fi
}

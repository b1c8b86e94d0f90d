# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What every verb uses: where things lie, how a step is told, how a failure is told.
#
# A verb tells its work as steps: `begin TITLE`, work, `finish [DETAIL]`. If the verb ends inside a step, the exit
# trap says which step it was, why (the last `why`, or the tail of the step's log) and what to do next.

set -euo pipefail

ROOT=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../../../.." && pwd)
DEV="$ROOT/tests/support/dev"
VAR="$ROOT/var"
JOBS=$(nproc)
mkdir -p "$VAR/log"
export LC_ALL=C.UTF-8
export PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

step_title=
step_started=0
step_log=
step_number=0
verb_started=$(date +%s%N)

if [[ -t 1 ]]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
    bold='' dim='' red='' green='' plain=''
fi

say() {
    printf '%s\n' "$*"
}

seconds_since() { # NANOSECONDS
    local elapsed_ms=$((($(date +%s%N) - $1) / 1000000))

    printf '%d.%d s' $((elapsed_ms / 1000)) $((elapsed_ms % 1000 / 100))
}

begin() { # TITLE
    step_number=$((step_number + 1))
    step_title=$1
    step_log=
    step_started=$(date +%s%N)
    printf '%s%2d  %s%s\n' "$bold" "$step_number" "$step_title" "$plain"
}

finish() { # [DETAIL]
    printf '    %sok%s  %s%s\n' "$green" "$plain" "${1:+$1, }" "$(seconds_since "$step_started")"
    step_title=
}

# fail WHY WHAT_TO_DO: ends the verb.
fail() {
    tell_failure "$1" "${2:-}"
    step_title=
    exit 1
}

tell_failure() {
    {
        if [[ -n $step_title ]]; then
            printf '%sfailed in step %d: %s%s (after %s)\n' "$red" "$step_number" "$step_title" "$plain" \
                "$(seconds_since "$step_started")"
        else
            printf '%sfailed%s\n' "$red" "$plain"
        fi
        printf '  why         %s\n' "$1"
        if [[ -n $step_log && -s $step_log ]]; then
            printf '  last lines of %s:\n' "$step_log"
            tail -n 15 -- "$step_log" | cut -c1-400 | sed 's/^/    | /'
        fi
        [[ -z ${2:-} ]] || printf '  what to do  %s\n' "$2"
    } >&2
}

# Runs when the verb ends; a verb that needs its own clean-up defines on_exit.
common_exit() {
    local status=$?

    trap - EXIT
    if ((status != 0)) && [[ -n $step_title ]]; then
        tell_failure "a command ended with status $status" \
            "run the verb again with bash -x to see the command: bash -x ./dev …"
    fi
    if declare -F on_exit >/dev/null; then
        on_exit "$status" || true
    fi
    exit "$status"
}
trap common_exit EXIT

# quietly LOG COMMAND…: output goes to LOG, shown only on failure.
quietly() {
    step_log=$1
    shift
    mkdir -p -- "$(dirname -- "$step_log")"
    "$@" >>"$step_log" 2>&1 </dev/null
}

# Prints the head comment of a verb from "usage:" on: that comment is the help.
show_help() { # FILE
    sed -n '/^# usage:/,/^[^#]/{/^#/{s/^# \{0,1\}//;p}}' "$1"
}

usage_error() { # FILE MESSAGE
    printf '%s: %s\n\n' "$(basename -- "$1")" "$2" >&2
    show_help "$1" >&2
    exit 2
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "this needs root: $*" "run it as root, or install sudo"
    fi
}

# wait_until SECONDS COMMAND…: true as soon as the command is, false when the time is over.
wait_until() {
    local deadline_ns=$(($(date +%s%N) + $1 * 1000000000))

    shift
    until "$@"; do
        (($(date +%s%N) < deadline_ns)) || return 1
        sleep 0.1
    done
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the tests of the whole share: an instance with a key, kcat with that key, and words for what is expected.
# Each test is a program; its one argument is the state directory. It makes its own instances and removes them.
source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../../support/dev/lib/common.sh"
source "$DEV/lib/state.sh"
source "$DEV/lib/postgres.sh"
source "$DEV/lib/services.sh"
source "$DEV/lib/rest.sh"

TOPIC="$ROOT/build/tests/support/tools/topic"
(($# == 1)) || fail "one argument is wanted: the state directory" "run it with ctest -R in build/"
STATE=$(readlink -m -- "$1")
ENDPOINTS="$STATE/endpoints.json"
scratch=$(mktemp -d)
instances=()
background=()

on_exit() {
    local instance

    [[ -z ${background[*]:-} ]] || kill "${background[@]}" 2>/dev/null || true
    for instance in "${instances[@]}"; do
        rest_delete_instance "$instance" >/dev/null 2>&1 || say "instance $instance could not be deleted"
    done
    ! declare -F test_exit >/dev/null || test_exit
    rm -rf "$scratch"
}

expect() { # WHAT ACTUAL WANTED
    [[ $2 == "$3" ]] || fail "$1: \"$2\", not \"$3\"" "look into $STATE/log"
}

# new_instance PLAN NAME: sets GUID, B (bootstrap) and K (key) for what follows.
new_instance() {
    local key

    GUID=$(rest_create_instance "$ENDPOINTS" "$1" "$2")
    instances+=("$GUID")
    key=$(rest_create_key "$GUID" "$2-key" Manager)
    K=$(jq -er .credentials.api_key <<<"$key")
    KEY_GUID=$(jq -er .guid <<<"$key")
    B=$(jq -er '.credentials.kafka_brokers_sasl | join(",")' <<<"$key")
}

forget_instance() { # GUID, when the test itself deleted it
    local kept=() instance

    for instance in "${instances[@]}"; do
        [[ $instance == "$1" ]] || kept+=("$instance")
    done
    instances=("${kept[@]}")
}

login_options() {
    printf '%s\n' -b "$B" -X security.protocol=SASL_SSL -X sasl.mechanism=PLAIN -X sasl.username=token \
        -X "sasl.password=$K" -X "ssl.ca.location=$CA"
}

# kcat and the topic tool as the instance of $B and $K; never longer than 45 s.
kafka() { # PROGRAM ARGUMENT…
    local options

    mapfile -t options < <(login_options)
    case "$1" in
    kcat)
        shift
        timeout 45 kcat "${options[@]}" "$@"
        ;;
    topic)
        shift
        timeout 45 "$TOPIC" "$@" "${options[@]}"
        ;;
    esac
}

sql() { # DATABASE STATEMENT, as the administrator
    state_load_ports
    PGPASSWORD=$(cat "$STATE/secrets/postgres") "$PG_BIN/psql" -h 127.0.0.1 -p "$PORT_postgres" -U postgres -d "$1" \
        -XAtqc "$2"
}

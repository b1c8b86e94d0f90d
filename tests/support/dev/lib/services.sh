# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The processes of a state directory: what each is told, how they start, how all of it stops.

CONTROLPLANE="$ROOT/build/controlplane/millrace-controlplane"
BROKER="$ROOT/build/dataplane/millrace-broker"

pg_keywords() { # DATABASE USER
    printf 'host=127.0.0.1 port=%s dbname=%s user=%s' "$PORT_postgres" "$1" "$2"
}

write_conf() { # NAME, lines on standard input
    cat >"$STATE/conf/$1.conf.new"
    mv "$STATE/conf/$1.conf.new" "$STATE/conf/$1.conf"
}

services_migrate() {
    state_secret serve
    state_secret provision
    write_conf migrate <<CONF
admin = host=127.0.0.1 port=$PORT_postgres user=postgres
admin_password_file = $STATE/secrets/postgres
serve_password_file = $STATE/secrets/serve
provision_password_file = $STATE/secrets/provision
CONF
    quietly "$STATE/log/migrate.log" "$CONTROLPLANE" migrate --config "$STATE/conf/migrate.conf" ||
        fail "the schema could not be brought up to date" "see $STATE/log/migrate.log"
}

services_bootstrap() { # uses $plaintext_port
    write_conf bootstrap <<CONF
admin = host=127.0.0.1 port=$PORT_postgres user=postgres
admin_password_file = $STATE/secrets/postgres
sealing_key_file = $STATE/secrets/sealing_key
operator_key_file = $STATE/secrets/operator_api_key
ca_certificate_file = $STATE/tls/ca.crt
ca_key_file = $STATE/tls/ca.key
certificate_file = $STATE/tls/rest.crt
key_file = $STATE/tls/rest.key
plaintext_port = ${plaintext_port:-0}
CONF
    step_log="$STATE/log/bootstrap.log"
    "$CONTROLPLANE" bootstrap --config "$STATE/conf/bootstrap.conf" >"$STATE/bootstrap.json" 2>"$step_log" </dev/null ||
        fail "the first account could not be made" "see $step_log"
    step_log=
}

services_start() {
    write_conf serve <<CONF
listen_port = $PORT_rest
public_url = https://localhost:$PORT_rest
certificate_file = $STATE/tls/rest.crt
key_file = $STATE/tls/rest.key
ca_certificate_file = $STATE/tls/ca.crt
metrics_port = $PORT_metrics
fleet = $(pg_keywords fleet millrace_serve)
password_file = $STATE/secrets/serve
sealing_key_file = $STATE/secrets/sealing_key
CONF
    write_conf provision <<CONF
fleet = $(pg_keywords fleet millrace_provision)
cells = $(pg_keywords cells millrace_provision)
password_file = $STATE/secrets/provision
metrics_port = $PORT_provision_metrics
broker_store = host=127.0.0.1 port=$PORT_postgres dbname=cells
state_dir = $STATE
broker_program = $BROKER
ca_certificate_file = $STATE/tls/ca.crt
ca_key_file = $STATE/tls/ca.key
http_url = https://localhost:$PORT_rest
port_first = $PORT_broker_first
port_last = $PORT_broker_last
CONF
    if ! daemon_pid provision >/dev/null; then
        services_claim_port "$PORT_provision_metrics"
        start_daemon provision "$CONTROLPLANE" provision --config "$STATE/conf/provision.conf"
    fi
    if ! daemon_pid serve >/dev/null; then
        services_claim_port "$PORT_rest"
        services_claim_port "$PORT_metrics"
        start_daemon serve "$CONTROLPLANE" serve --config "$STATE/conf/serve.conf"
    fi
}

services_claim_port() { # PORT
    ! port_is_taken "$1" || fail "port $1 is taken by another program" \
        "stop it (ss -ltnp 'sport = :$1'), or use another --state DIR"
}

services_daemons_live() {
    daemon_pid serve >/dev/null && daemon_pid provision >/dev/null
}

rest_is_ready() {
    curl -sS --fail --max-time 2 --cacert "$STATE/tls/ca.crt" "https://localhost:$PORT_rest/readyz" >/dev/null 2>&1
}

# A process that ended while we wait is told at once, not after the time is over.
rest_is_ready_or_dead() {
    rest_is_ready || ! services_daemons_live
}

broker_listens() {
    [[ -n $(ss -Hltn "sport >= :$PORT_broker_first and sport <= :$PORT_broker_last") ]]
}

services_wait() {
    local name

    wait_until 30 rest_is_ready_or_dead || {
        step_log="$STATE/log/serve.log"
        fail "https://localhost:$PORT_rest/readyz does not say yes after 30 s" "see $STATE/log"
    }
    for name in serve provision; do
        daemon_pid "$name" >/dev/null || {
            step_log="$STATE/log/$name.log"
            fail "$name ended at once" "see $step_log"
        }
    done
    broker_listens || services_make_shared_cell
    wait_until 30 broker_listens || {
        step_log="$STATE/log/provision.log"
        fail "the shared cell has no broker that listens after 30 s" "see $STATE/log and $STATE/cells/*/*/broker.log"
    }
    [[ -z $plaintext_port ]] || wait_until 30 port_is_taken "$plaintext_port" ||
        fail "nothing listens on the plaintext port $plaintext_port after 30 s" "see $STATE/log/provision.log"
}

# The reconciler makes a shared cell for the first instance that wants one. On a new DIR that instance is one of ours, gone
# again at once, so that the first that a user makes is answered as fast as any other.
services_make_shared_cell() {
    services_write_endpoints
    mv "$ENDPOINTS" "$STATE/warm-up.json"
    local guid
    rest_open "$STATE/warm-up.json" || fail "the operator's key gives no token" "see $STATE/log/serve.log"
    guid=$(rest_create_instance "$STATE/warm-up.json" standard warm-up) || {
        step_log=$(newest_log)
        fail "the first instance did not become active" "see $STATE/log and $STATE/cells/*/*/broker.log"
    }
    rest_delete_instance "$guid" || fail "the first instance could not be deleted" "see $STATE/log/provision.log"
    rm -f "$STATE/warm-up.json"
}

# Whoever wrote last is likely to be the one who knows what is wrong.
newest_log() {
    find "$STATE/log" "$STATE/cells" -name '*.log' -size +0 -printf '%T@ %p\n' 2>/dev/null | sort -rn | head -n 1 | cut -d' ' -f2-
}

# Written whole and last; whoever sees it may use all that it names.
services_write_endpoints() {
    local plaintext=null

    [[ -z $plaintext_port ]] || plaintext="\"127.0.0.1:$plaintext_port\""
    (
        umask 077
        jq -n --slurpfile made "$STATE/bootstrap.json" --rawfile key "$STATE/secrets/operator_api_key" \
            --arg rest "https://localhost:$PORT_rest" --arg metrics "http://127.0.0.1:$PORT_metrics/metrics" \
            --arg ca "$STATE/tls/ca.crt" --argjson plaintext "$plaintext" '
            {version: 1, controlplane_url: $rest, iam_url: $rest, metrics_url: $metrics, ca_file: $ca,
             operator_api_key: ($key | rtrimstr("\n")), account_id: $made[0].account_id,
             resource_group_id: $made[0].resource_group_id, target: $made[0].target, plans: $made[0].plans,
             plaintext_bootstrap: $plaintext}' >"$ENDPOINTS.new"
    )
    mv "$ENDPOINTS.new" "$ENDPOINTS"
}

# True when this DIR is up: the file is there, both processes live, and REST says that it is ready.
services_answer() {
    local url

    [[ -s $ENDPOINTS ]] || return 1
    services_daemons_live || return 1
    url=$(jq -er .controlplane_url "$ENDPOINTS") || return 1
    curl -sS --fail --max-time 5 --cacert "$(jq -er .ca_file "$ENDPOINTS")" "$url/readyz" >/dev/null 2>&1
}

# Stops all of this DIR, in the order in which nothing is started again: who starts brokers, the brokers, the store.
services_stop() {
    rm -f "$ENDPOINTS"
    stop_daemon serve
    stop_daemon provision
    if [[ -e $STATE/conf/provision.conf && -x $CONTROLPLANE ]]; then
        "$CONTROLPLANE" stop-cells --config "$STATE/conf/provision.conf" >>"$STATE/log/stop.log" 2>&1 </dev/null ||
            say "    stop-cells failed, see $STATE/log/stop.log"
    fi
    wait_until 40 state_has_no_processes || state_kill_leftovers
    postgres_stop || say "    PostgreSQL did not stop, see $STATE/log/postgres.log"
}

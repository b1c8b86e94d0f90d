# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The main job, for people: token, instance, key, topic, a real file in and out through stock clients, on a shared and on
# an isolated broker; a wrong key and a deleted key refused. Each command is shown as a user could paste it, and what
# is shown is what is run. Files go to DIR/first-message.

WALK_LINES=100000
WALK_PARTITIONS=3
WALK_MEMBERS=3
walk_members=() # clients that still run: process ids

# shown LINE: shows the line and runs it here, so that the variables it sets stay.
shown() {
    local status=0

    printf '    %s$ %s%s\n' "$dim" "$1" "$plain"
    step_log="$work/last-command.log"
    eval "$1" 2>"$step_log" || status=$?
    ((status == 0)) ||
        fail "the command above ended with status $status${ANSWER:+: ${ANSWER:0:400}}" "$WALK_HINT"
    step_log=
}

# refused LINE: a kcat line that must fail, and because of the login.
refused() {
    printf '    %s$ %s%s\n' "$dim" "$1" "$plain"
    step_log="$work/refused.log"
    ! eval "$1" >"$step_log" 2>&1 || fail "kcat logged in with it" "$WALK_HINT"
    grep -qiE 'sasl|authentication' "$step_log" || fail "kcat failed, but not because of the login" "$WALK_HINT"
    say "    $(grep -iE 'sasl|authentication' "$step_log" | head -n 1 | sed 's/.*SASL/SASL/' | cut -c1-110)"
    step_log=
}

walk_run() { # runs everything; STATE and ENDPOINTS are set
    work="$STATE/first-message"
    WALK_HINT="look into $STATE/log and $STATE/cells/*/*/broker.log; what clients said is in $work"
    mkdir -p "$work"
    rm -f "$work"/*.out "$work"/*.err
    walk_variables
    begin "A real file of $WALK_LINES lines"
    [[ $(wc -l 2>/dev/null <"$work/lines.txt" || echo 0) == "$WALK_LINES" ]] ||
        "$DEV/lib/sample.py" make "$work/lines.txt" "$WALK_LINES"
    finish "$(du -h "$work/lines.txt" | cut -f1) in ${work#"$PWD"/}/lines.txt"
    walk_token
    walk_forget_earlier
    walk_instance Standard
    walk_data standard
    walk_wrong_key
    walk_deleted_key
    STANDARD_B=$B
    walk_instance Enterprise
    walk_own_process
    walk_data enterprise
}

walk_variables() {
    say "    what the commands below use:"
    shown "E=$ENDPOINTS"
    shown "API=\$(jq -r .controlplane_url \$E) CA=\$(jq -r .ca_file \$E)"
    shown "TOPIC=$ROOT/build/tests/support/tools/topic"
}

walk_token() {
    begin "Token for the operator's API key"
    shown "ANSWER=\$(curl -sS --fail-with-body --cacert \$CA \$API/identity/token -d grant_type=urn:ibm:params:oauth:grant-type:apikey --data-urlencode apikey=\$(jq -r .operator_api_key \$E))"
    shown "TOKEN=\$(jq -er .access_token <<<\"\$ANSWER\")"
    finish
}

# An earlier run's instances make room for this one's.
walk_forget_earlier() {
    local guid guids

    guids=$(rest_call GET '/v2/resource_instances?limit=100' |
        jq -r '.resources[] | select(.name | startswith("first-message-")) | .guid') ||
        fail "the instances could not be listed" "$WALK_HINT"
    [[ -n $guids ]] || return 0
    begin "Delete the instances of an earlier run"
    for guid in $guids; do
        rest_delete_instance "$guid" || fail "instance $guid was not removed within 60 s" "$WALK_HINT"
    done
    finish
}

walk_instance() { # PLAN as people write it
    local plan=${1,,} state

    begin "$1 instance"
    shown "ANSWER=\$(curl -sS --fail-with-body --cacert \$CA -H \"Authorization: Bearer \$TOKEN\" \$API/v2/resource_instances --json \"\$(jq '{name: \"first-message-$plan\", target, resource_group: .resource_group_id, resource_plan_id: .plans.$plan}' \$E)\")"
    shown "GUID=\$(jq -er .guid <<<\"\$ANSWER\")"
    state=$(jq -r .state <<<"$ANSWER")
    say "    the answer: $state"
    if [[ $state != active ]]; then
        shown "for i in {1..300}; do [[ \$(curl -sS --cacert \$CA -H \"Authorization: Bearer \$TOKEN\" \$API/v2/resource_instances/\$GUID | jq -r .state) != active ]] || break; sleep 0.2; done"
        rest_instance_is "$GUID" active || fail "the $1 instance is still not active after 60 s" "$WALK_HINT"
    fi
    finish "$GUID active"

    begin "Service credential"
    shown "ANSWER=\$(curl -sS --fail-with-body --cacert \$CA -H \"Authorization: Bearer \$TOKEN\" \$API/v2/resource_keys --json \"{\\\"name\\\": \\\"first-key\\\", \\\"source\\\": \\\"\$GUID\\\", \\\"role\\\": \\\"Manager\\\"}\")"
    shown "K=\$(jq -er .credentials.api_key <<<\"\$ANSWER\") B=\$(jq -er '.credentials.kafka_brokers_sasl | join(\",\")' <<<\"\$ANSWER\")"
    ANSWER=
    finish "bootstrap $B"
}

# Who listens on the port of a bootstrap address: a process id.
listener_of() { # BOOTSTRAP
    ss -Hltnp "sport = :${1##*:}" | sed -n 's/.*pid=\([0-9]*\),.*/\1/p' | head -n 1
}

walk_own_process() {
    local own shared

    own=$(listener_of "$B") shared=$(listener_of "$STANDARD_B")
    [[ -n $own && -n $shared && $own != "$shared" ]] ||
        fail "the Enterprise instance is served by process ${own:-?}, the Standard one by ${shared:-?}" "$WALK_HINT"
    say "    its broker is process $own, the shared one is process $shared"
}

# What every kcat line starts with; literally the line a user pastes.
kcat_login='-b $B -X security.protocol=SASL_SSL -X sasl.mechanism=PLAIN -X sasl.username=token -X sasl.password=$K -X ssl.ca.location=$CA'

walk_data() { # PLAN
    local plan=$1 member

    begin "Topic with $WALK_PARTITIONS partitions"
    shown "\$TOPIC create lines $WALK_PARTITIONS $kcat_login"
    finish

    begin "$WALK_LINES lines in by kcat, out by a group of $WALK_MEMBERS"
    walk_members=()
    for ((member = 1; member <= WALK_MEMBERS; member++)); do
        shown "kcat $kcat_login -X auto.offset.reset=earliest -u -f '%p\\t%k\\t%s\\n' -G readers lines >$work/$plan-$member.out 2>$work/$plan-$member.err &"
        walk_members+=("$!")
    done
    wait_until 40 members_are_assigned "$plan" ||
        walk_fail_members "$plan" "the group of $WALK_MEMBERS did not come together in 40 s"
    shown "kcat $kcat_login -X enable.idempotence=true -P -K \$'\\t' -t lines -l $work/lines.txt"
    say "    produced after $(seconds_since "$step_started")"
    wait_until 60 members_have_all "$plan" ||
        walk_fail_members "$plan" "only $(cat "$work/$plan"-*.out | wc -l) of $WALK_LINES lines were consumed"
    walk_stop_members
    shown "$DEV/lib/sample.py compare $work/lines.txt $work/$plan-*.out"
    wait_until 5 group_has_committed_all || fail "the group's committed offsets do not sum to $WALK_LINES: $(
        tr '\n' ' ' <"$work/committed")" "$WALK_HINT"
    finish "committed offsets sum to $WALK_LINES"
}

walk_fail_members() { # PLAN WHY
    walk_stop_members
    step_log="$work/$1-1.err"
    fail "$2" "$WALK_HINT"
}

walk_stop_members() {
    ((${#walk_members[@]} > 0)) || return 0
    kill -TERM "${walk_members[@]}" 2>/dev/null || true
    wait "${walk_members[@]}" 2>/dev/null || true
    walk_members=()
}

# Each member has said which partition it got, and no two of the last answers are the same.
members_are_assigned() { # PLAN
    local member assigned=

    for ((member = 1; member <= WALK_MEMBERS; member++)); do
        assigned+="$(sed -n 's/.*assigned: //p' "$work/$1-$member.err" 2>/dev/null | tail -n 1)"$'\n'
    done
    [[ $(sort -u <<<"$assigned" | grep -c 'lines \[') == "$WALK_MEMBERS" ]] && ! grep -q , <<<"$assigned"
}

members_have_all() { # PLAN
    (($(cat "$work/$1"-*.out | wc -l) >= WALK_LINES))
}

group_has_committed_all() {
    eval "\$TOPIC committed lines readers $kcat_login" >"$work/committed" 2>&1
    [[ $(awk '{sum += $2} END {print sum + 0}' "$work/committed") == "$WALK_LINES" ]]
}

walk_wrong_key() {
    begin "A wrong key is refused"
    shown 'WRONG=${K%????}0000'
    refused "kcat ${kcat_login/\$K/\$WRONG} -L -m 2"
    finish
}

walk_deleted_key() {
    local deleted_at closed_at after_ms

    begin "A deleted key is refused, its live connection closed"
    ANSWER=$(rest_create_key "$GUID" second-key Manager) || fail "no second key: $ANSWER" "$WALK_HINT"
    SECOND_KEY=$(jq -er .credentials.api_key <<<"$ANSWER")
    SECOND_GUID=$(jq -er .guid <<<"$ANSWER")
    ANSWER=
    MILLRACE_API_KEY=$SECOND_KEY "$DEV/lib/live_connection.py" "${B%%,*}" "$CA" >"$work/live" 2>"$work/live.err" &
    walk_members=("$!")
    wait_until 10 grep -q 'logged in' "$work/live" || {
        step_log="$work/live.err"
        fail "the second key cannot log in" "$WALK_HINT"
    }
    deleted_at=$(date +%s%3N)
    shown "curl -sS --fail-with-body --cacert \$CA -X DELETE -H \"Authorization: Bearer \$TOKEN\" \$API/v2/resource_keys/\$SECOND_GUID"
    wait "${walk_members[0]}" || {
        step_log="$work/live.err"
        fail "the connection of the deleted key lives on" "$WALK_HINT"
    }
    walk_members=()
    closed_at=$(sed -n 's/^closed \([0-9]*\)\.\([0-9]*\)$/\1\2/p' "$work/live")
    after_ms=$((closed_at - deleted_at))
    ((after_ms <= 1000)) || fail "the live connection was closed only $after_ms ms after the DELETE" "$WALK_HINT"
    say "    live connection closed $after_ms ms after the DELETE was sent"
    refused "kcat ${kcat_login/\$K/\$SECOND_KEY} -L -m 2"
    finish
}

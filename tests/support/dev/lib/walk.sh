# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The main job, for people: token, instance, key, topic, a real file in and out through stock clients, on a shared and on
# an isolated broker; a wrong key and a deleted key refused. Each command is shown as a user could paste it, and what
# is shown is what is run. Files go to DIR/first-message.

WALK_LINES=100000
WALK_PARTITIONS=3
WALK_MEMBERS=3

# paste LINE WHAT_TO_DO: shows the line and runs it here, so that the variables it sets stay.
paste() {
    local output status=0

    printf '    %s$ %s%s\n' "$dim" "$1" "$plain"
    step_log="$work/last-command.log"
    eval "$1" 2>"$step_log" || status=$?
    ((status == 0)) || {
        output=${ANSWER:-}
        fail "the command above ended with status $status${output:+: ${output:0:400}}" "$2"
    }
}

walk_run() { # runs everything; STATE and ENDPOINTS are set
    work="$STATE/first-message"
    logs_hint="look into $STATE/log"
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
    paste "E=$ENDPOINTS" "$logs_hint"
    paste "API=\$(jq -r .controlplane_url \$E) CA=\$(jq -r .ca_file \$E)" "$logs_hint"
    paste "TOPIC=$ROOT/build/tests/support/tools/topic" "$logs_hint"
}

walk_token() {
    begin "Token for the operator's API key"
    paste "ANSWER=\$(curl -sS --fail-with-body --cacert \$CA \$API/identity/token -d grant_type=urn:ibm:params:oauth:grant-type:apikey --data-urlencode apikey=\$(jq -r .operator_api_key \$E))" "$logs_hint"
    paste "TOKEN=\$(jq -er .access_token <<<\"\$ANSWER\")" "$logs_hint"
    finish
}

# An earlier run's instances make room for this one's.
walk_forget_earlier() {
    local guid guids

    guids=$(rest_call GET '/v2/resource_instances?limit=100' |
        jq -r '.resources[] | select(.name | startswith("first-message-")) | .guid') ||
        fail "the instances could not be listed" "$logs_hint"
    [[ -n $guids ]] || return 0
    begin "Delete the instances of an earlier run"
    for guid in $guids; do
        rest_delete_instance "$guid" || fail "instance $guid was not removed within 60 s" "$logs_hint"
    done
    finish
}

walk_instance() { # PLAN as people write it
    local plan=${1,,} state

    begin "$1 instance"
    paste "ANSWER=\$(curl -sS --fail-with-body --cacert \$CA -H \"Authorization: Bearer \$TOKEN\" \$API/v2/resource_instances --json \"\$(jq '{name: \"first-message-$plan\", target, resource_group: .resource_group_id, resource_plan_id: .plans.$plan}' \$E)\")" "$logs_hint"
    paste "GUID=\$(jq -er .guid <<<\"\$ANSWER\")" "$logs_hint"
    state=$(jq -r .state <<<"$ANSWER")
    say "    the answer: $state"
    if [[ $state != active ]]; then
        paste "for i in {1..300}; do [[ \$(curl -sS --cacert \$CA -H \"Authorization: Bearer \$TOKEN\" \$API/v2/resource_instances/\$GUID | jq -r .state) != active ]] || break; sleep 0.2; done" "$logs_hint"
        rest_instance_is "$GUID" active || fail "the $1 instance is still not active after 60 s" "$logs_hint"
    fi
    finish "$GUID active"

    begin "Service credential"
    paste "ANSWER=\$(curl -sS --fail-with-body --cacert \$CA -H \"Authorization: Bearer \$TOKEN\" \$API/v2/resource_keys --json \"{\\\"name\\\": \\\"first-key\\\", \\\"source\\\": \\\"\$GUID\\\", \\\"role\\\": \\\"Manager\\\"}\")" "$logs_hint"
    paste "K=\$(jq -er .credentials.api_key <<<\"\$ANSWER\") B=\$(jq -er '.credentials.kafka_brokers_sasl | join(\",\")' <<<\"\$ANSWER\")" "$logs_hint"
    KEY_GUID=$(jq -er .guid <<<"$ANSWER")
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
        fail "the Enterprise instance is served by process ${own:-?}, the Standard one by ${shared:-?}" "$logs_hint"
    say "    its broker is process $own, the shared one is process $shared"
}

# What every kcat line starts with; literally the line a user pastes.
kcat_login='-b $B -X security.protocol=SASL_SSL -X sasl.mechanism=PLAIN -X sasl.username=token -X sasl.password=$K -X ssl.ca.location=$CA'

walk_data() { # PLAN
    local plan=$1 member deadline

    begin "Topic with $WALK_PARTITIONS partitions"
    paste "\$TOPIC create lines $WALK_PARTITIONS $kcat_login" "$logs_hint"
    finish

    begin "$WALK_LINES lines in by kcat, out by a group of $WALK_MEMBERS"
    walk_members=()
    for ((member = 1; member <= WALK_MEMBERS; member++)); do
        paste "kcat $kcat_login -X auto.offset.reset=earliest -u -f '%p\\t%k\\t%s\\n' -G readers lines >$work/$plan-$member.out 2>$work/$plan-$member.err &" "$logs_hint"
        walk_members+=("$!")
    done
    wait_until 40 members_are_assigned "$plan" ||
        walk_fail_members "$plan" "the group of $WALK_MEMBERS did not come together in 40 s"
    paste "kcat $kcat_login -X enable.idempotence=true -P -K \$'\\t' -t lines -l $work/lines.txt" "$logs_hint"
    say "    produced after $(seconds_since "$step_started")"
    wait_until 60 members_have_all "$plan" ||
        walk_fail_members "$plan" "only $(cat "$work/$plan"-*.out | wc -l) of $WALK_LINES lines were consumed"
    walk_stop_members
    paste "$DEV/lib/sample.py compare $work/lines.txt $work/$plan-*.out" "the files in $work show what came"
    wait_until 5 group_has_committed_all || fail "the group's committed offsets do not sum to $WALK_LINES: $(
        tr '\n' ' ' <"$work/committed")" "$logs_hint"
    finish "committed offsets sum to $WALK_LINES"
}

walk_fail_members() { # PLAN WHY
    walk_stop_members
    step_log="$work/$1-1.err"
    fail "$2" "$logs_hint"
}

walk_stop_members() {
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
    walk_expect_refusal "${K%????}0000"
    finish
}

walk_expect_refusal() { # KEY
    local K=$1

    printf '    %s$ %s%s\n' "$dim" "kcat ${kcat_login/\$K/$([[ $K == "$SECOND_KEY" ]] && echo '$SECOND_KEY' || echo 'WRONG')} -L -m 2" "$plain"
    ! eval "kcat $kcat_login -L -m 2" >"$work/refused" 2>&1 || fail "kcat logged in with it" "$logs_hint"
    step_log="$work/refused"
    grep -qiE 'sasl|authentication' "$work/refused" ||
        fail "kcat failed, but not because of the login" "$logs_hint"
    say "    $(grep -iE 'sasl|authentication' "$work/refused" | head -n 1 | cut -c1-160)"
    step_log=
}

SECOND_KEY=

walk_deleted_key() {
    local holder deleted_at closed_at after_ms

    begin "A deleted key is refused, its live connection closed"
    ANSWER=$(rest_create_key "$GUID" second-key Manager) || fail "no second key: $ANSWER" "$logs_hint"
    SECOND_KEY=$(jq -er .credentials.api_key <<<"$ANSWER")
    SECOND_GUID=$(jq -er .guid <<<"$ANSWER")
    ANSWER=
    MILLRACE_API_KEY=$SECOND_KEY "$DEV/lib/live_connection.py" "${B%%,*}" "$CA" >"$work/live" 2>"$work/live.err" &
    holder=$!
    wait_until 10 grep -q 'logged in' "$work/live" || {
        step_log="$work/live.err"
        fail "the second key cannot log in" "$logs_hint"
    }
    deleted_at=$(date +%s%3N)
    paste "curl -sS --fail-with-body --cacert \$CA -X DELETE -H \"Authorization: Bearer \$TOKEN\" \$API/v2/resource_keys/\$SECOND_GUID" "$logs_hint"
    wait "$holder" || {
        step_log="$work/live.err"
        fail "the connection of the deleted key lives on" "$logs_hint"
    }
    closed_at=$(sed -n 's/^closed \([0-9]*\)\.\([0-9]*\)$/\1\2/p' "$work/live")
    after_ms=$((closed_at - deleted_at))
    ((after_ms <= 1000)) || fail "the live connection was closed only $after_ms ms after the DELETE" "$logs_hint"
    say "    live connection closed $after_ms ms after the DELETE was sent"
    walk_expect_refusal "$SECOND_KEY"
    finish
}

walk_on_exit() {
    [[ -z ${walk_members[*]:-} ]] || walk_stop_members
}

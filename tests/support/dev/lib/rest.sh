# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The few REST calls that scripts make, for programs: an instance and a key for a test run, and their end. The main job
# in walk.sh shows the same calls to people. Each says yes or no by its status, also where errexit is off.

rest_open() { # ENDPOINTS_FILE: sets API, CA, TOKEN
    API=$(jq -er .controlplane_url "$1") || return 1
    CA=$(jq -er .ca_file "$1") || return 1
    TOKEN=$(curl -sS --fail-with-body --cacert "$CA" "$(jq -er .iam_url "$1")/identity/token" \
        --data-urlencode "apikey=$(jq -er .operator_api_key "$1")" \
        -d grant_type=urn:ibm:params:oauth:grant-type:apikey | jq -er .access_token)
}

rest_call() { # METHOD PATH [BODY]
    curl -sS --fail-with-body --cacert "$CA" -X "$1" -H "Authorization: Bearer $TOKEN" \
        ${3:+--json "$3"} "$API$2"
}

rest_create_instance() { # ENDPOINTS_FILE PLAN NAME: prints the instance's GUID when it is active
    local body guid

    body=$(jq -n --arg name "$3" --arg plan "$(jq -er ".plans[\"$2\"]" "$1")" \
        --arg group "$(jq -er .resource_group_id "$1")" --arg target "$(jq -er .target "$1")" \
        '{name: $name, target: $target, resource_group: $group, resource_plan_id: $plan}') || return 1
    guid=$(rest_call POST /v2/resource_instances "$body" | jq -er .guid) || return 1
    wait_until 60 rest_instance_is "$guid" active || return 1
    printf '%s\n' "$guid"
}

rest_instance_is() { # GUID STATE
    [[ "$(rest_call GET "/v2/resource_instances/$1" | jq -r .state)" == "$2" ]]
}

rest_create_key() { # GUID NAME ROLE: prints the key as JSON
    rest_call POST /v2/resource_keys "$(jq -n --arg name "$2" --arg source "$1" --arg role "$3" \
        '{name: $name, source: $source, role: $role}')"
}

rest_delete_instance() { # GUID
    rest_call DELETE "/v2/resource_instances/$1?recursive=true" >/dev/null || return 1
    wait_until 60 rest_instance_is "$1" removed
}

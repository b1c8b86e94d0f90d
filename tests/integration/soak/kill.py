# SPDX-License-Identifier: Apache-2.0
"""The rounds of `./dev soak kill`: kill.py ROOT ROUNDS SEED RESULTS. See `kill` beside it.

A round arms one failpoint and lives the life of an instance through REST: create, key, scale, key deleted, deleted (or
kept for later rounds). Whatever fails on the way is done again with the same Idempotency-Key until it is acknowledged;
in some rounds only after everything has come to rest, as a client would that gave up for a while. At the end of a round the
whole is at rest, and what REST, both databases, the disk and the process table hold is exactly what was acknowledged.
"""

import http.client
import json
import os
import random
import re
import ssl
import sys
import time
import urllib.parse

from plant import Plant, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../up"))
from frames import LoginRefused, Session, load_schemas  # noqa: E402

PATIENCE_S = 30
CALL_S = 2
POOL_MAX = 4
# Passed only when an instance that has its own cell is made or deleted.
NEEDS_CELL = re.compile(r"^cell_|^instance_after_cell_unwanted")
NEEDS_DELETE = re.compile(r"_delete_|unpublish|_removed|unwanted|_stop|dropped")
# Passed by several operations: the round says during which one it strikes.
SCALES_TOO = re.compile(r"^instance_(claimed|before_publish|after_publish|before_ready|after_ready)$")
DELETES_TOO = re.compile(r"^(instance|cell)_claimed$")


def failpoints(root):
    with open(os.path.join(root, "controlplane/failpoint/failpoint.h"), encoding="utf-8") as file:
        return re.findall(r"^    X\((\w+)\)", file.read(), re.MULTILINE)


class Client:
    """A caller that goes on until it is answered, on whichever replica does."""

    def __init__(self, plant, chance):
        self.plant, self.chance = plant, chance
        self.context = ssl.create_default_context(cafile=plant.path("ca.pem"))
        self.token = None
        self.replica = 0
        self.failures = 0
        self.on_first_failure = None

    def once(self, method, path, body=None, headers=None, content_type="application/json"):
        connection = http.client.HTTPSConnection("127.0.0.1", self.plant.ports[self.replica], timeout=CALL_S,
                                                 context=self.context)
        headers = dict(headers or {})
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def call(self, method, path, body=None, key=None, good=(200, 201, 202, 204), again=(500, 503)):
        """(status, text) of the first answer that is one; what is not is tried again."""
        deadline = time.monotonic() + PATIENCE_S
        headers = {"Idempotency-Key": key} if key else {}
        text = json.dumps(body) if body is not None else None
        self.replica = self.chance.randrange(2)
        while True:
            status, answer = None, b""
            try:
                status, answer = self.once(method, path, text, headers)
            except (OSError, http.client.HTTPException) as error:
                answer = repr(error).encode()
            if status in good:
                return status, answer
            if status is not None and status not in again:
                raise AssertionError(f"{method} {path}: {status} {answer.decode()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {path}: {status} {answer.decode()}")
            self.failures += 1
            self.replica = 1 - self.replica
            if self.on_first_failure:
                rest, self.on_first_failure = self.on_first_failure, None
                rest()
            time.sleep(0.02)

    def login(self):
        form = urllib.parse.urlencode({"grant_type": "urn:ibm:params:oauth:grant-type:apikey",
                                       "apikey": self.plant.operator_key})

        def token():
            try:
                status, text = self.once("POST", "/identity/token", form, None, "application/x-www-form-urlencoded")
            except (OSError, http.client.HTTPException):
                return None
            return json.loads(text)["access_token"] if status == 200 else None
        self.token = wait_for("a token", PATIENCE_S, token)

    def instance(self, guid):
        return json.loads(self.call("GET", f"/v2/resource_instances/{guid}")[1])

    def listed(self, path):
        found = []
        while path:
            page = json.loads(self.call("GET", path)[1])
            found += page["resources"]
            path = page["next_url"]
        return found


class Soak:
    def __init__(self, root, seed):
        self.plant = Plant(root)
        self.seed = seed
        self.schemas = load_schemas(os.path.join(root, "api/kafka"))
        self.chance = random.Random(f"{seed}/client")
        self.client = Client(self.plant, self.chance)
        self.client.login()
        self.instances = {}  # guid: {"name", "plan", "keys": {guid: credentials}}
        self.removed = []  # (guid of an instance, an API key that opened it)
        self.plant.change("fleet", "UPDATE fleet.plan SET reclamation_hours = 72 WHERE name = 'enterprise'")
        self.create("standing", "standard")

    # ---- acknowledged changes ----

    def create(self, name, plan):
        ids = self.plant.ids
        body = {"name": name, "target": "global", "resource_group": ids["resource_group_id"],
                "resource_plan_id": ids["plans"][plan]}
        first = self.client.call("POST", "/v2/resource_instances", body, key=f"i-{self.seed}-{name}")
        again = self.client.call("POST", "/v2/resource_instances", body, key=f"i-{self.seed}-{name}")
        guid = json.loads(first[1])["guid"]
        if json.loads(again[1])["guid"] != guid:
            raise AssertionError(f"the same Idempotency-Key made {guid} and {json.loads(again[1])['guid']}")
        self.instances[guid] = {"name": name, "plan": ids["plans"][plan], "keys": {}}
        wait_for(f"instance {name}", PATIENCE_S, lambda: self.client.instance(guid)["state"] == "active")
        return guid

    def create_key(self, guid, name):
        body = {"name": name, "source": guid, "role": "Manager"}
        status, text = self.client.call("POST", "/v2/resource_keys", body, key=f"k-{self.seed}-{guid}-{name}")
        again = self.client.call("POST", "/v2/resource_keys", body, key=f"k-{self.seed}-{guid}-{name}")
        key = json.loads(text)
        if json.loads(again[1])["credentials"] != key["credentials"]:
            raise AssertionError("the same Idempotency-Key gave two keys")
        if status == 202:
            wait_for("a key", PATIENCE_S, lambda: json.loads(self.client.call(
                "GET", f"/v2/resource_keys/{key['guid']}")[1])["state"] == "active")
        self.instances[guid]["keys"][key["guid"]] = key["credentials"]
        return key["guid"]

    def scale(self, guid):
        instance = self.instances[guid]
        if instance["plan"] == self.plant.ids["plans"]["enterprise"]:
            body = {"parameters": {"throughput": "300"}}
        else:
            body = {"resource_plan_id": self.plant.ids["plans"]["standard"]}
        self.client.call("PATCH", f"/v2/resource_instances/{guid}", body, again=(409, 500, 503))
        self.client.call("PATCH", f"/v2/resource_instances/{guid}", body, again=(409, 500, 503))
        instance["plan"] = body.get("resource_plan_id", instance["plan"])
        instance["throughput"] = body.get("parameters", {}).get("throughput")

    def delete_key(self, guid, key):
        credentials = self.instances[guid]["keys"][key]
        self.client.call("DELETE", f"/v2/resource_keys/{key}", good=(202, 204, 410))
        del self.instances[guid]["keys"][key]
        self.removed.append((guid, credentials))

    def wait_for_state(self, guid, states):
        return wait_for(f"an instance that is {states}", PATIENCE_S,
                        lambda: next((state for state in states if self.client.instance(guid)["state"] == state), None))

    def reclamation_action(self, guid, action):
        found = json.loads(self.client.call("GET", f"/v1/reclamations?resource_instance_id={guid}")[1])["resources"]
        for reclamation in found:  # 404, 409: an earlier try has done it
            self.client.call("POST", f"/v1/reclamations/{reclamation['id']}/actions/{action}", good=(200, 404, 409))

    def delete(self, guid, changes_mind=False):
        path = f"/v2/resource_instances/{guid}?recursive=true"
        self.client.call("DELETE", path, good=(202, 204, 410))
        if self.wait_for_state(guid, ("removed", "pending_reclamation")) == "pending_reclamation":
            if changes_mind:
                self.reclamation_action(guid, "restore")
                self.wait_for_state(guid, ("active",))
                self.client.call("DELETE", path, good=(202, 204, 410))
                self.wait_for_state(guid, ("pending_reclamation",))
            self.reclamation_action(guid, "reclaim")
            self.wait_for_state(guid, ("removed",))
        del self.instances[guid]

    # ---- rest, and what must be true then ----

    def is_at_rest(self):
        try:
            return self.plant.sql("fleet", """SELECT (SELECT count(*) FROM fleet.instance WHERE phase NOT IN
                ('ready', 'retired', 'removed'))
                + (SELECT count(*) FROM fleet.credential WHERE state NOT IN ('active', 'removed'))
                + (SELECT count(*) FROM fleet.operation WHERE state = 'in progress')
                + (SELECT count(*) FROM fleet.cell WHERE desired = 'absent' AND removed_at IS NULL)""") == 0
        except RuntimeError:
            return False

    def come_to_rest(self):
        self.plant.thaw()
        wait_for("rest", PATIENCE_S, self.is_at_rest)

    def fleet(self):
        return self.plant.sql("fleet", """SELECT json_build_object(
            'instances', (SELECT json_object_agg(instance_id, json_build_object('name', name, 'plan', plan_id,
                'limits', limits, 'cell', cell_id, 'revision', revision, 'published', published_revision))
                FROM fleet.instance WHERE phase = 'ready'),
            'keys', (SELECT json_object_agg(credential_id, key_id) FROM fleet.credential WHERE state = 'active'),
            'verifiers', (SELECT count(*) FROM fleet.credential WHERE state = 'removed' AND
                (verifier IS NOT NULL OR sealed_key IS NOT NULL)),
            'cells', (SELECT json_agg(cell_id ORDER BY cell_id) FROM fleet.cell WHERE removed_at IS NULL),
            'ports', (SELECT json_object_agg(cell_id, n) FROM (SELECT cell_id, count(*) n FROM fleet.port GROUP BY 1) p),
            'brokers', (SELECT count(*) FROM fleet.broker))""")

    def cells(self):
        return self.plant.sql("cells", """SELECT json_build_object(
            'tenants', (SELECT json_object_agg(instance_id, json_build_object('partitions', partitions, 'state', state,
                'cell', cell_id)) FROM cell_private.tenant JOIN cell_private.cell USING (cell_no)),
            'keys', (SELECT json_agg(key_id ORDER BY key_id) FROM cell_private.credential),
            'cells', (SELECT json_agg(cell_id ORDER BY cell_id) FROM cell_private.cell),
            'roles', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolname ~ '^millrace_cell_[0-9a-f]+$'))""")

    def fault_in_rows(self):
        fleet, cells = self.fleet(), self.cells()
        wanted = {guid: (row["name"], row["plan"]) for guid, row in self.instances.items()}
        there = {guid: (row["name"], row["plan"]) for guid, row in (fleet["instances"] or {}).items()}
        if there != wanted:
            return f"instances in the fleet {there}, acknowledged {wanted}"
        for guid, row in fleet["instances"].items():
            tenant = (cells["tenants"] or {}).get(guid)
            if not tenant or tenant["cell"] != row["cell"] or tenant["state"] != "active" or \
                    tenant["partitions"] != row["limits"]["partitions"]:
                return f"instance {guid} is {row} in the fleet and {tenant} in its cell"
            if self.instances[guid].get("throughput") == "300" and tenant["partitions"] != 6000:
                return f"instance {guid} was scaled and has {tenant['partitions']} partitions"
        if set(cells["tenants"]) != set(fleet["instances"]):
            return f"tenants {sorted(cells['tenants'])}, instances {sorted(fleet['instances'])}"
        wanted_keys = sorted(key for row in self.instances.values() for key in row["keys"])
        if sorted(fleet["keys"] or {}) != wanted_keys:
            return f"keys in the fleet {sorted(fleet['keys'] or {})}, acknowledged {wanted_keys}"
        if sorted((fleet["keys"] or {}).values()) != (cells["keys"] or []):
            return f"keys in the fleet {fleet['keys']}, in cells {cells['keys']}"
        if fleet["verifiers"] != 0:
            return f"{fleet['verifiers']} removed keys have kept a secret"
        return self.fault_in_cells(fleet, cells)

    def fault_in_cells(self, fleet, cells):
        """Rows, roles, ports and directories of cells, and their processes."""
        wanted = sorted({row["cell"] for row in fleet["instances"].values()})
        directories = sorted(os.listdir(self.plant.path("cells")))
        for what, there in (("rows", fleet["cells"]), ("rows in the cells database", cells["cells"]),
                            ("directories", directories)):
            if sorted(there or []) != wanted:
                return f"cells: {what} {there}, wanted {wanted}"
        roles = ["millrace_cell_" + cell.replace("-", "") for cell in wanted]
        if cells["roles"] != roles:
            return f"roles {cells['roles']}, wanted {roles}"
        if fleet["ports"] != {cell: 2 for cell in wanted} or fleet["brokers"] != len(wanted):
            return f"ports {fleet['ports']}, {fleet['brokers']} brokers, for {wanted}"
        return None

    def fault_in_processes(self):
        wanted = sorted(f"{cell}/0" for cell in os.listdir(self.plant.path("cells")))

        def is_so():
            running = self.plant.broker_processes().values()
            return all(sorted(where for what, where in running if what == verb) == wanted for verb in ("supervise", "serve"))
        try:
            wait_for("one broker a cell", 20, is_so)
        except TimeoutError:
            return f"brokers {sorted(self.plant.broker_processes().values())}, wanted {wanted}"
        return None

    def fault_in_rest(self):
        there = {row["guid"]: row["state"] for row in self.client.listed("/v2/resource_instances?limit=200")}
        if there != {guid: "active" for guid in self.instances}:
            return f"REST lists {there}, acknowledged {sorted(self.instances)}"
        keys = sorted(row["guid"] for row in self.client.listed("/v2/resource_keys?limit=200"))
        wanted = sorted(key for row in self.instances.values() for key in row["keys"])
        return f"REST lists keys {keys}, acknowledged {wanted}" if keys != wanted else None

    def logs_in(self, credentials):
        """True, False, or None while nobody answers."""
        try:
            with Session(self.schemas, credentials["bootstrap_endpoints"], self.plant.path("ca.pem"),
                         credentials["api_key"]):
                return True
        except LoginRefused:
            return False
        except OSError:
            return None

    def fault_in_logins(self):
        for guid, row in self.instances.items():
            for credentials in row["keys"].values():
                wait_for(f"a login with a key of {row['name']}", 20, lambda c=credentials: self.logs_in(c) is not None)
                if not self.logs_in(credentials):
                    return f"an acknowledged key of {guid} opens nothing"
        for guid, credentials in self.removed[-2:]:
            if guid in self.instances and self.logs_in(credentials):
                return f"a deleted key still opens {guid}"
        return None

    # ---- rounds ----

    def live(self, number, failpoint, action, during, chance):
        def begin(operation):
            if operation == during:
                self.plant.arm(failpoint, action, 1)
        plan = "enterprise" if NEEDS_CELL.search(failpoint) or chance.random() < 0.1 else "lite"
        keeps = not NEEDS_DELETE.search(failpoint) and during != "delete" and chance.random() < 0.5
        begin("any")
        guid = self.create(f"round-{number}", plan)
        key = self.create_key(guid, "first")
        begin("scale")
        self.scale(guid)
        if keeps:
            self.create_key(guid, "second")
        self.delete_key(guid, key)
        begin("delete")
        if not keeps:
            self.delete(guid, changes_mind=chance.random() < 0.5)
        pool = [other for other, row in self.instances.items() if row["name"] != "standing"]
        if len(pool) > POOL_MAX:
            self.delete(pool[0])
        return plan

    def strike(self, chance):
        """Besides the failpoint; None = nothing."""
        extra = chance.choices([None, "broker", "supervisor", "postgresql"], [60, 15, 10, 15])[0]
        if extra == "postgresql":
            self.plant.kill_postgres()
        elif extra:
            self.plant.kill_a_broker(chance, "serve" if extra == "broker" else "supervise")
        return extra

    def run_round(self, number, failpoint):
        chance = random.Random(f"{self.seed}/{number}")
        action = chance.choices(["kill", "freeze", "error"], [70, 15, 15])[0]
        gives_up = chance.random() < 0.3
        during = chance.choice(["any"] + ["scale"] * bool(SCALES_TOO.search(failpoint)) +
                               ["delete"] * bool(DELETES_TOO.search(failpoint)))
        began, restarts, failures = time.monotonic(), self.plant.restarts, self.client.failures
        self.client.on_first_failure = self.come_to_rest if gives_up else None
        extra = self.strike(chance)
        plan = self.live(number, failpoint, action, during, chance)
        self.client.on_first_failure = None
        is_reached = self.plant.disarm()
        self.come_to_rest()
        fault = self.fault_in_rows() or self.fault_in_processes() or self.fault_in_rest() or self.fault_in_logins()
        if fault is None and not is_reached:
            fault = f"{failpoint} was not passed"
        return {"round": number, "failpoint": failpoint, "action": action, "during": during, "extra": extra, "plan": plan,
                "gives_up": gives_up, "restarts": self.plant.restarts - restarts,
                "failures": self.client.failures - failures, "s": round(time.monotonic() - began, 2), "fault": fault}


def rounds_done(results):
    try:
        with open(results, encoding="utf-8") as file:
            return sum(1 for line in file if json.loads(line)["fault"] is None)
    except OSError:
        return 0


def main():
    root, rounds, seed, results = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    names = failpoints(root)
    rounds = rounds or len(names)
    first = 0 if results == "/dev/null" else rounds_done(results)
    soak, outcome = Soak(root, seed), {"fault": "it did not begin"}
    try:
        for number in range(first, rounds):
            try:
                outcome = soak.run_round(number, names[number % len(names)])
            except (AssertionError, TimeoutError, RuntimeError) as error:
                outcome = {"round": number, "failpoint": names[number % len(names)], "fault": str(error)}
            with open(results, "a", encoding="utf-8") as file:
                file.write(json.dumps(outcome) + "\n")
            print(json.dumps(outcome), flush=True)
            if outcome["fault"]:
                sys.exit(f"broken; everything lies in {soak.plant.directory}")
        print(f"{rounds} rounds over {len(names)} failpoints, every promise kept")
    finally:
        soak.plant.stop(keeps_files=outcome["fault"] is not None)


if __name__ == "__main__":
    main()

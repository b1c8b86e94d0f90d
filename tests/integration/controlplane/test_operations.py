#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Resource Controller v2 beyond plain objects: idempotency keys, ETags, locks, soft deletion, history, stable pages, and the
calls that Terraform makes, in its order. Usage: test_operations.py BINARY [TEST…]"""

import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fixture import Service, encoded  # noqa: E402

service: Service = None
INSTANCES, KEYS = "/v2/resource_instances", "/v2/resource_keys"


def setUpModule():
    global service
    service = Service(os.environ["MILLRACE_CONTROLPLANE"])


def tearDownModule():
    service.close()


class Case(unittest.TestCase):
    def expect(self, answer, status, code=None):
        self.assertEqual(answer.status, status, answer.body)
        if code:
            self.assertEqual(answer.json()["errors"][0]["code"], code)
        return answer

    def wait_for_state(self, guid, state, seconds=10):
        deadline = time.monotonic() + seconds
        while True:
            row = service.call("GET", f"{INSTANCES}/{guid}").json()
            if row["state"] == state:
                return row
            self.assertLess(time.monotonic(), deadline, row)
            time.sleep(0.02)


class IdempotencyKeys(Case):
    def post(self, path, body, key, **more):
        return service.call("POST", path, body, headers={"Idempotency-Key": key}, **more)

    def test_a_repetition_makes_nothing_and_gets_the_same_answer(self):
        body = service.instance_body("once")
        first = self.expect(self.post(INSTANCES, body, "once"), 201)
        second = self.expect(self.post(INSTANCES, body, "once"), 201)
        self.assertEqual(first.body, second.body)
        self.assertNotIn("Idempotency-Replayed", first.headers)
        self.assertEqual(second.headers["Idempotency-Replayed"], "true")
        self.assertEqual(service.call("GET", INSTANCES + "?name=once").json()["rows_count"], 1)

    def test_another_body_under_the_same_key_is_422(self):
        self.expect(self.post(INSTANCES, service.instance_body("first"), "two-bodies"), 201)
        self.expect(self.post(INSTANCES, service.instance_body("second"), "two-bodies"), 422, "idempotency_key_reused")
        self.assertEqual(service.call("GET", INSTANCES + "?name=second").json()["rows_count"], 0)

    def test_a_key_of_another_route_is_422(self):
        self.expect(self.post(INSTANCES, service.instance_body("routes"), "routes"), 201)
        self.expect(self.post(KEYS, service.instance_body("routes"), "routes"), 422, "idempotency_key_reused")

    def test_refusals_are_not_kept(self):
        self.expect(self.post(INSTANCES, service.instance_body("a/b"), "refused"), 400)
        self.expect(self.post(INSTANCES, service.instance_body("ab"), "refused"), 201)

    def test_keys_are_their_callers_own(self):
        body = service.instance_body("own")
        self.expect(self.post(INSTANCES, body, "own"), 201)
        service.postgres.query("UPDATE fleet.idempotency SET caller = 'somebody else' WHERE key = 'own'")
        again = self.expect(self.post(INSTANCES, body, "own"), 201)
        self.assertNotIn("Idempotency-Replayed", again.headers)
        self.assertEqual(service.call("GET", INSTANCES + "?name=own").json()["rows_count"], 2)

    def test_a_day_later_the_key_is_new(self):
        body = service.instance_body("yesterday")
        self.expect(self.post(INSTANCES, body, "yesterday"), 201)
        service.postgres.query("UPDATE fleet.idempotency SET expires_at = now() WHERE key = 'yesterday'")
        self.expect(self.post(INSTANCES, body, "yesterday"), 201)
        self.assertEqual(service.call("GET", INSTANCES + "?name=yesterday").json()["rows_count"], 2)

    def test_odd_keys_are_refused(self):
        for key in ("", "with space", "x" * 256):
            self.expect(self.post(INSTANCES, service.instance_body("odd"), key), 400, "bad_request")

    def test_a_service_key_is_answered_again_and_the_store_cannot_read_it(self):
        guid = service.create_instance(name="sealed answers", parameters={"onetime_credentials": True})["guid"]
        body = {"name": "k", "source": guid}
        first = self.expect(self.post(KEYS, body, "sealed"), 201)
        second = self.expect(self.post(KEYS, body, "sealed"), 201)
        self.assertEqual(first.body, second.body)
        secret = first.json()["credentials"]["api_key"]
        stored = "\n".join(service.postgres.query("SELECT i::text, encode(answer, 'escape') FROM fleet.idempotency i"))
        self.assertNotIn(secret, stored)
        self.assertNotIn(secret.split("_")[2], stored)

    def test_an_answer_that_was_lost_is_given_to_the_repetition(self):
        guid = service.create_instance(name="lost")["guid"]
        body = {"name": "k", "source": guid}
        made = self.expect(self.post(KEYS, body, "lost"), 201).json()
        # As after a crash between commit and answer: the secret is still there and the answer is not.
        service.postgres.query(f"""UPDATE fleet.idempotency i SET status = NULL, answer = NULL, secret = c.sealed_key
            FROM fleet.credential c WHERE i.key = 'lost' AND c.credential_id = '{made["guid"]}'""")
        again = self.expect(self.post(KEYS, body, "lost"), 201)
        self.assertEqual(again.json()["credentials"], made["credentials"])
        self.assertEqual(service.call("GET", f"{INSTANCES}/{guid}/resource_keys").json()["rows_count"], 1)

    def test_the_same_call_at_the_same_time_makes_one(self):
        body, answers = service.instance_body("together"), []
        threads = [threading.Thread(target=lambda: answers.append(self.post(INSTANCES, body, "together"))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({answer.status for answer in answers}, {201})
        self.assertEqual(len({answer.json()["guid"] for answer in answers}), 1)
        self.assertEqual(service.call("GET", INSTANCES + "?name=together").json()["rows_count"], 1)


class ETags(Case):
    def test_a_change_needs_the_tag_of_what_it_changes(self):
        row = service.create_instance(name="tagged")
        path = f"{INSTANCES}/{row['guid']}"
        old = self.expect(service.call("GET", path), 200).headers["ETag"]
        self.assertRegex(old, r'^"[0-9a-f]{32}"$')
        self.assertEqual(service.call("GET", path).headers["ETag"], old)
        changed = self.expect(service.call("PATCH", path, {"name": "renamed"}, headers={"If-Match": old}), 200)
        self.assertNotEqual(changed.headers["ETag"], old)
        self.assertEqual(service.call("GET", path).headers["ETag"], changed.headers["ETag"])
        for method, body in (("PATCH", {"name": "lost update"}), ("DELETE", None)):
            self.expect(service.call(method, path, body, headers={"If-Match": old}), 412, "precondition_failed")
        self.expect(service.call("POST", path + "/lock", headers={"If-Match": old}), 412, "precondition_failed")
        self.assertEqual(service.call("GET", path).json()["name"], "renamed")
        self.expect(service.call("PATCH", path, {"name": "any"}, headers={"If-Match": "*"}), 200)
        now = service.call("GET", path).headers["ETag"]
        self.expect(service.call("DELETE", path, headers={"If-Match": f'"other", {now}'}), 204)

    def test_weak_tags_never_match(self):
        path = f"{INSTANCES}/{service.create_instance(name='weak')['guid']}"
        tag = service.call("GET", path).headers["ETag"]
        self.expect(service.call("PATCH", path, {"name": "x"}, headers={"If-Match": "W/" + tag}), 412)

    def test_keys_have_tags_too(self):
        key = service.create_key(service.create_instance(name="key tags")["guid"])
        path = f"{KEYS}/{key['guid']}"
        old = service.call("GET", path).headers["ETag"]
        self.expect(service.call("PATCH", path, {"name": "renamed"}, headers={"If-Match": old}), 200)
        self.expect(service.call("PATCH", path, {"name": "again"}, headers={"If-Match": old}), 412, "precondition_failed")
        self.expect(service.call("DELETE", path, headers={"If-Match": old}), 412, "precondition_failed")
        self.expect(service.call("DELETE", path, headers={"If-Match": service.call("GET", path).headers["ETag"]}), 204)


class Locks(Case):
    def test_lock_forbids_change_until_unlock(self):
        path = f"{INSTANCES}/{service.create_instance(name='guarded')['guid']}"
        row = self.expect(service.call("POST", path + "/lock"), 200).json()
        self.assertEqual((row["locked"], row["last_operation"]["type"], row["last_operation"]["state"]),
                         (True, "lock", "succeeded"))
        self.expect(service.call("PATCH", path, {"name": "x"}), 422, "locked")
        self.expect(service.call("DELETE", path), 422, "locked")
        self.expect(service.call("POST", path + "/lock"), 200)
        row = self.expect(service.call("DELETE", path + "/lock"), 200).json()
        self.assertEqual((row["locked"], row["last_operation"]["type"]), (False, "unlock"))
        self.expect(service.call("DELETE", path), 204)
        self.expect(service.call("POST", path + "/lock"), 410)

    def test_no_operation_is_cancelable(self):
        path = f"{INSTANCES}/{service.create_instance(name='uncancelable')['guid']}"
        for _ in range(2):
            answer = self.expect(service.call("DELETE", path + "/last_operation"), 422, "not_cancelable")
            self.assertEqual(answer.json()["errors"][0]["message"], "The instance is not cancelable.")
            service.call("DELETE", path)
        self.expect(service.call("DELETE", f"{INSTANCES}/00000000-0000-4000-8000-000000000000/last_operation"), 404)

    def test_unlock_does_not_overtake_what_runs(self):
        row = self.expect(service.call("POST", INSTANCES, service.instance_body("stuck lock")), 202).json()
        self.expect(service.call("POST", f"{INSTANCES}/{row['guid']}/lock"), 409, "conflict")


class Reclamations(Case):
    @classmethod
    def setUpClass(cls):
        service.postgres.query("UPDATE fleet.plan SET reclamation_hours = 72 WHERE name = 'lite'")

    @classmethod
    def tearDownClass(cls):
        service.postgres.query("UPDATE fleet.plan SET reclamation_hours = 0 WHERE name = 'lite'")

    def retire(self, name):
        row = service.create_instance(name=name, plan="lite")
        self.expect(service.call("DELETE", f"{INSTANCES}/{row['guid']}"), 204)
        found = self.expect(service.call("GET", f"/v1/reclamations?resource_instance_id={row['guid']}"), 200).json()
        self.assertEqual(len(found["resources"]), 1)
        return row["guid"], found["resources"][0]

    def act(self, reclamation, action, body=None):
        return service.call("POST", f"/v1/reclamations/{reclamation['id']}/actions/{action}", body)

    def test_a_deleted_instance_waits_and_comes_back(self):
        guid, reclamation = self.retire("undecided")
        self.assertEqual((reclamation["state"], reclamation["resource_instance_id"], reclamation["entity_id"]),
                         ("SCHEDULED", guid, guid))
        for field in ("entity_type_id", "entity_crn", "resource_group_id", "account_id", "target_time", "created_at",
                      "created_by", "updated_at", "updated_by", "policy_id"):
            self.assertIsInstance(reclamation[field], str)
        self.assertEqual(reclamation["custom_properties"], {})
        row = service.call("GET", f"{INSTANCES}/{guid}").json()
        self.assertEqual((row["state"], row["last_operation"]["type"], row["last_operation"]["state"]),
                         ("pending_reclamation", "reclamation", "succeeded"))
        self.assertEqual(row["scheduled_reclaim_at"], reclamation["target_time"])
        self.assertTrue(row["scheduled_reclaim_by"])
        self.expect(service.call("DELETE", f"{INSTANCES}/{guid}"), 410, "gone")
        self.expect(service.call("PATCH", f"{INSTANCES}/{guid}", {"name": "x"}), 410)
        self.expect(service.call("POST", KEYS, {"name": "k", "source": guid}), 404)
        self.assertEqual(service.call("GET", f"{INSTANCES}?guid={guid}").json()["rows_count"], 0)
        self.assertEqual(service.call("GET", f"{INSTANCES}?guid={guid}&state=pending_reclamation").json()["rows_count"], 1)

        answer = self.expect(self.act(reclamation, "restore", {"request_by": "me", "comment": "a mistake"}), 200).json()
        self.assertEqual(answer["state"], "RESTORING")
        row = self.wait_for_state(guid, "active")
        self.assertTrue(row["restored_at"] and row["restored_by"])
        self.assertIsNone(row["scheduled_reclaim_at"])
        self.assertEqual(service.call("GET", f"/v1/reclamations?resource_instance_id={guid}").json()["resources"], [])

    def test_reclaim_ends_it_at_once(self):
        guid, reclamation = self.retire("decided")
        self.assertEqual(self.expect(self.act(reclamation, "reclaim"), 200).json()["state"], "RECLAIMING")
        row = self.wait_for_state(guid, "removed")
        self.assertEqual((row["last_operation"]["type"], row["last_operation"]["state"]), ("delete", "succeeded"))
        self.expect(service.call("DELETE", f"{INSTANCES}/{guid}"), 410)
        self.expect(self.act(reclamation, "restore"), 404)

    def test_keys_stay_with_what_is_retired(self):
        row = service.create_instance(name="with keys", plan="lite")
        key = service.create_key(row["guid"])
        self.expect(service.call("DELETE", f"{INSTANCES}/{row['guid']}"), 400)
        self.expect(service.call("DELETE", f"{INSTANCES}/{row['guid']}?recursive=true"), 204)
        self.assertEqual(service.call("GET", f"{KEYS}/{key['guid']}").json()["state"], "active")

    def test_lists_are_filtered_and_actions_are_two(self):
        guid, reclamation = self.retire("filtered")
        account = service.bootstrap_output["account_id"]

        def listed(query):
            return [row["id"] for row in self.expect(service.call("GET", "/v1/reclamations" + query), 200).json()["resources"]]
        self.assertEqual(listed(f"?account_id={account}&resource_instance_id={guid}"), [reclamation["id"]])
        self.assertIn(reclamation["id"], listed(""))
        self.assertEqual(listed("?account_id=" + "0" * 32), [])
        self.assertEqual(listed("?resource_group_id=" + "0" * 32), [])
        self.expect(self.act(reclamation, "forget"), 404)
        self.expect(self.act(reclamation, "restore", {"color": "red"}), 400)
        self.expect(self.act({"id": "00000000-0000-4000-8000-000000000000"}, "restore"), 404)
        self.expect(self.act({"id": "x"}, "restore"), 404)


class History(Case):
    def test_every_operation_is_kept_with_its_request(self):
        row = self.expect(service.call("POST", INSTANCES, service.instance_body("history"),
                                       headers={"Transaction-Id": "t-create"}), 201).json()
        path = f"{INSTANCES}/{row['guid']}"
        service.call("PATCH", path, {"name": "history 2"}, headers={"X-Request-Id": "t-update"})
        service.call("POST", path + "/lock")
        service.call("DELETE", path + "/lock")
        service.call("DELETE", path, headers={"X-Correlation-Id": "t-delete"})
        rows = service.postgres.query(f"SELECT type, state FROM fleet.operation WHERE instance_id = '{row['guid']}' "
                                      "ORDER BY operation_id")
        self.assertEqual(rows, ["create|succeeded", "update|succeeded", "lock|succeeded", "unlock|succeeded",
                                "delete|succeeded"])
        ids = service.postgres.query(f"SELECT request_id FROM fleet.operation WHERE instance_id = '{row['guid']}' AND type IN "
                                     "('create', 'update', 'delete') ORDER BY operation_id")
        self.assertEqual(ids, ["t-create", "t-update", "t-delete"])
        audited = service.postgres.query(f"SELECT action, request_id FROM fleet.audit_event WHERE target = '{row['crn']}' "
                                         "AND request_id LIKE 't-%' ORDER BY event_id")
        self.assertEqual(audited, ["messagehub.instance.create|t-create", "messagehub.instance.update|t-update",
                                   "messagehub.instance.delete|t-delete"])


class Refusals(Case):
    GRANT = "urn:ibm:params:oauth:grant-type:apikey"

    def audited(self, request_id):
        return service.postgres.query("SELECT action, outcome, actor = '' FROM fleet.audit_event WHERE request_id = "
                                      f"'{request_id}' ORDER BY event_id")

    def test_refused_changes_leave_a_row(self):
        path = f"{INSTANCES}/{service.create_instance(name='refusals')['guid']}"
        for method, where, body, status, action in (
                ("POST", INSTANCES, {"name": "x"}, 400, "messagehub.instance.create"),
                ("PATCH", path, {"color": 1}, 400, "messagehub.instance.update"),
                ("PATCH", path, {"resource_plan_id": "ibm.eventstreams.lite"}, 422, "messagehub.instance.update"),
                ("DELETE", INSTANCES + "/unknown", None, 404, "messagehub.instance.delete"),
                ("DELETE", path + "/last_operation", None, 422, "messagehub.instance.cancel"),
                ("POST", KEYS, {"name": "x", "source": "unknown"}, 404, "messagehub.credential.create"),
                ("DELETE", KEYS + "/unknown", None, 404, "messagehub.credential.delete")):
            request_id = f"refused-{action}-{status}-{len(where)}"
            self.expect(service.call(method, where, body, headers={"X-Request-Id": request_id}), status)
            self.assertEqual(self.audited(request_id), [f"{action}|failure|f"], request_id)

    def test_who_is_not_let_in_leaves_a_row(self):
        self.expect(service.call("GET", INSTANCES, auth="Bearer x.y.z", headers={"X-Request-Id": "no-token"}), 401)
        self.assertEqual(self.audited("no-token"), ["messagehub.instance.list|failure|t"])

    def test_reading_what_is_not_there_leaves_none(self):
        self.expect(service.call("GET", INSTANCES + "/unknown", headers={"X-Request-Id": "not-there"}), 404)
        self.assertEqual(self.audited("not-there"), [])

    def test_a_guesser_waits_and_audit_does_not_grow_without_end(self):
        replica = service.start_replica()  # whose limits nobody else has used
        before = int(service.postgres.query("SELECT count(*) FROM fleet.audit_event")[0])
        wrong = "mlo_" + "0" * 16 + "_" + "0" * 72
        statuses = []
        for _ in range(60):
            answer = service.call("POST", "/identity/token", auth=None, port=replica,
                                  form={"grant_type": self.GRANT, "apikey": wrong})
            statuses.append(answer.status)
        first = statuses.index(429)
        self.assertEqual(set(statuses[:first]), {400})
        self.assertTrue(30 <= first <= 40, statuses)
        self.assertEqual(answer.json()["errorCode"], "BXNIM0429E")
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.expect(service.call("POST", "/identity/token", auth=None, port=replica,
                                 form={"grant_type": self.GRANT, "apikey": service.operator_key}), 429)
        rows = int(service.postgres.query("SELECT count(*) FROM fleet.audit_event")[0]) - before
        self.assertLessEqual(rows, first)

    def test_a_flood_is_refused_and_a_caller_who_keeps_the_rate_is_not(self):
        replica = service.start_replica("--calls_per_minute", "600")  # ten a second, 61 at once
        auth = "Bearer " + service.operator_token()
        connection = service.connect(replica)

        def ask():
            connection.request("GET", "/v2/resource_keys?limit=1", headers={"Authorization": auth})
            answer = connection.getresponse()
            answer.read()
            return answer
        answers = [ask() for _ in range(61)]
        self.assertEqual({answer.status for answer in answers}, {200})
        while (refused := ask()).status == 200:
            answers.append(refused)
        self.assertEqual((refused.status, refused.headers["Retry-After"]), (429, "1"))
        for _ in range(5):
            time.sleep(0.25)
            self.assertEqual(ask().status, 200)
        connection.close()


class Pages(Case):
    def test_a_walk_sees_what_was_there_once_whatever_is_made_meanwhile(self):
        before = [service.create_instance(name="walked")["guid"] for _ in range(6)]
        seen, path = [], INSTANCES + "?name=walked&limit=2"
        while path:
            page = self.expect(service.call("GET", path), 200).json()
            seen += [row["guid"] for row in page["resources"]]
            if len(seen) < 8:
                service.create_instance(name="walked")
            path = page["next_url"]
        self.assertEqual(seen[:6], before)
        self.assertEqual(len(seen), len(set(seen)))

    def test_a_deletion_in_the_middle_hides_no_other(self):
        guids = [service.create_instance(name="shrinking")["guid"] for _ in range(5)]
        page = service.call("GET", INSTANCES + "?name=shrinking&limit=2").json()
        service.call("DELETE", f"{INSTANCES}/{guids[1]}")
        rest = service.call("GET", page["next_url"]).json()
        self.assertEqual([row["guid"] for row in rest["resources"]], guids[2:4])


class Terraform(Case):
    """The calls of the provider, in its order, and every field that it dereferences."""

    def check_instance(self, row):
        for field in ("id", "guid", "crn", "name", "account_id", "resource_plan_id", "resource_id", "resource_group_id",
                      "state", "target_crn"):
            self.assertIsInstance(row[field], str, field)
            self.assertTrue(row[field], field)
        self.assertEqual(row["id"], row["crn"])
        self.assertEqual(len(row["crn"].split(":")), 10)
        for field in ("onetime_credentials", "allow_cleanup", "locked", "migrated"):
            self.assertIsInstance(row[field], bool, field)
        operation = row["last_operation"]
        for field, kind in (("type", str), ("state", str), ("async", bool), ("description", str), ("cancelable", bool),
                            ("poll", bool)):
            self.assertIsInstance(operation[field], kind, field)
        self.assertIsInstance(row["extensions"]["kafka_http_url"], str)
        self.assertIsInstance(row["extensions"]["kafka_brokers_sasl"], list)
        for entry in row["plan_history"]:
            self.assertTrue(entry["resource_plan_id"] and entry["start_date"])

    def wait(self, path, pending, done):
        deadline = time.monotonic() + 20
        while True:
            row = self.expect(service.call("GET", path), 200).json()
            operation = row["last_operation"]
            state = operation["state"] if operation["async"] else row["state"]
            if state in done:
                return row
            self.assertIn(state, pending)
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def live(self, plan, change):
        body = service.instance_body("terraform", plan, parameters={"service-endpoints": "public"})
        ids = service.bootstrap_output
        body["target"] = f"crn:v1:bluemix:public:globalcatalog::::deployment:{ids['plans'][plan]}%3Aglobal"
        row = service.call("POST", INSTANCES, body)
        self.assertIn(row.status, (201, 202))
        path = f"{INSTANCES}/{encoded(row.json()['id'])}"
        row = self.wait(path, ("in progress", "inactive", "provisioning"), ("active", "succeeded"))
        self.check_instance(row)
        identity = row["id"]

        self.expect(service.call("PATCH", path, {}), 200)  # only tags changed
        self.assertIn(service.call("PATCH", path, change).status, (200, 202))
        self.check_instance(self.wait(path, ("in progress", "inactive"), ("active", "succeeded")))

        key = self.expect(service.call("POST", KEYS, {
            "name": "tf", "source": identity, "role": "crn:v1:bluemix:public:iam::::serviceRole:Writer",
            "parameters": {"role_crn": "crn:v1:bluemix:public:iam::::serviceRole:Writer"}}), 201).json()
        key_path = f"{KEYS}/{encoded(key['id'])}"
        key = self.expect(service.call("GET", key_path), 200).json()
        for field in ("id", "guid", "url", "created_by", "updated_by", "deleted_by", "source_crn", "name", "crn", "state",
                      "account_id", "resource_group_id", "resource_instance_url"):
            self.assertIsInstance(key[field], str, field)
        for field in ("onetime_credentials", "iam_compatible"):
            self.assertIsInstance(key[field], bool, field)
        self.expect(service.call("DELETE", key_path), 204)
        self.assertEqual(service.call("GET", key_path).json()["state"], "removed")

        answer = service.call("DELETE", path + "?recursive=true")
        self.assertIn(answer.status, (202, 204))
        deadline = time.monotonic() + 20
        while (row := service.call("GET", path).json())["state"] not in ("removed", "pending_reclamation"):
            self.assertIn(row["state"], ("in progress", "inactive", "active"))
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assertEqual(row["id"], identity)
        self.expect(service.call("DELETE", path + "?recursive=true"), 410)

    def test_a_standard_instance(self):
        self.live("standard", {"name": "terraform 2", "parameters": {"custom": "kept"}})

    def test_an_enterprise_instance(self):
        self.live("enterprise", {"parameters": {"throughput": "300"}})


if __name__ == "__main__":
    os.environ["MILLRACE_CONTROLPLANE"] = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)

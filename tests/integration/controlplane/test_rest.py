#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The REST contract of `serve`, over TLS, against a real PostgreSQL. Usage: test_rest.py BINARY [TEST…]"""

import base64
import gzip
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import unittest
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fixture import Service, encoded  # noqa: E402

service: Service = None
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def setUpModule():
    global service
    service = Service(os.environ["MILLRACE_CONTROLPLANE"])


def tearDownModule():
    service.close()


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Case(unittest.TestCase):
    def expect(self, answer, status):
        self.assertEqual(answer.status, status, answer.body)
        return answer

    def expect_problem(self, answer, status, code=None):
        body = self.expect(answer, status).json()
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertTrue(body["errors"][0]["message"])
        self.assertEqual(body["status_code"], status)
        if code:
            self.assertEqual(body["errors"][0]["code"], code)
        return body

    def wait_for_state(self, guid, state, seconds=10):
        deadline = time.monotonic() + seconds
        while True:
            row = service.call("GET", f"/v2/resource_instances/{guid}").json()
            if row["state"] == state:
                return row
            self.assertLess(time.monotonic(), deadline, row)
            time.sleep(0.05)


class Bootstrap(Case):
    def test_again_gives_the_same_ids_and_the_same_key(self):
        self.assertEqual(json.loads(service.bootstrap()), service.bootstrap_output)
        with open(service.path("operator")) as key:
            self.assertEqual(key.read().strip(), service.operator_key)

    def test_ids_have_their_forms(self):
        ids = service.bootstrap_output
        self.assertRegex(ids["account_id"], r"^[0-9a-f]{32}$")
        self.assertRegex(ids["resource_group_id"], r"^[0-9a-f]{32}$")
        self.assertEqual(set(ids["plans"]), {"lite", "standard", "enterprise"})
        self.assertEqual(ids["plans"]["standard"], "ibm.eventstreams.standard")

    def test_secret_files_are_their_owners_only(self):
        for name in ("operator", "sealing", "rest.key", "ca.key"):
            self.assertEqual(os.stat(service.path(name)).st_mode & 0o777, 0o600, name)


class Tokens(Case):
    GRANT = "urn:ibm:params:oauth:grant-type:apikey"

    def exchange(self, auth=None, **form):
        return service.call("POST", "/identity/token", auth=auth, form=form)

    def test_api_key_gives_a_token_with_all_claims(self):
        body = self.expect(self.exchange(grant_type=self.GRANT, apikey=service.operator_key), 200).json()
        self.assertEqual((body["token_type"], body["expires_in"], body["scope"]), ("Bearer", 3600, "ibm openid"))
        claims = claims_of(body["access_token"])
        self.assertEqual(body["expiration"], claims["exp"])
        self.assertEqual(claims["exp"] - claims["iat"], 3600)
        self.assertEqual(claims["id"], claims["iam_id"])
        self.assertEqual(claims["account"]["bss"], service.bootstrap_output["account_id"])
        self.assertIs(claims["account"]["valid"], True)
        self.assertEqual(claims["iss"], f"https://localhost:{service.port}/identity")
        self.assertTrue(claims["sub"].startswith("ServiceId-"))
        self.assertEqual(claims["grant_type"], self.GRANT)
        for name in ("realmid", "jti", "identifier", "sub_type", "name", "authn", "scope", "client_id", "acr", "amr"):
            self.assertIn(name, claims)
        self.assertNotIn("aud", claims)

    def test_refresh_token_gives_another_one(self):
        first = self.exchange(grant_type=self.GRANT, apikey=service.operator_key).json()
        second = self.expect(self.exchange(auth="Basic " + base64.b64encode(b"bx:bx").decode(),
                                           grant_type="refresh_token", refresh_token=first["refresh_token"]), 200).json()
        self.assertEqual(claims_of(second["access_token"])["client_id"], "bx")
        self.expect(service.call("GET", "/v2/resource_instances", auth="Bearer " + second["access_token"]), 200)

    def test_kinds_of_tokens_do_not_pass_for_each_other(self):
        first = self.exchange(grant_type=self.GRANT, apikey=service.operator_key).json()
        self.expect(service.call("GET", "/v2/resource_instances", auth="Bearer " + first["refresh_token"]), 401)
        answer = self.exchange(grant_type="refresh_token", refresh_token=first["access_token"])
        self.assertEqual(self.expect(answer, 400).json()["errorCode"], "BXNIM0407E")

    def test_unknown_keys_are_refused_as_iam_does(self):
        wrong = service.operator_key[:30] + ("0" if service.operator_key[30] != "0" else "1") + service.operator_key[31:]
        for key in ("x", wrong, "mlo_" + "0" * 16 + "_" + "0" * 72):
            body = self.expect(self.exchange(grant_type=self.GRANT, apikey=key), 400).json()
            self.assertEqual(body["errorCode"], "BXNIM0415E")
            self.assertIn("errorMessage", body)
            self.assertIn("requestId", body["context"])

    def test_malformed_requests_are_refused(self):
        self.assertEqual(self.expect(self.exchange(grant_type=self.GRANT), 400).json()["errorCode"], "BXNIM0109E")
        self.expect(self.exchange(apikey=service.operator_key), 400)
        self.expect(self.exchange(grant_type="password", username="a", password="b"), 400)
        self.expect(self.exchange(auth="Basic " + base64.b64encode(b"evil:x").decode(), grant_type=self.GRANT,
                                  apikey=service.operator_key), 401)
        self.expect(service.call("POST", "/identity/token", {"grant_type": self.GRANT}, auth=None), 400)

    def test_key_set_and_configuration_are_public(self):
        key = self.expect(service.call("GET", "/identity/keys", auth=None), 200).json()["keys"][0]
        self.assertEqual((key["kty"], key["alg"], key["e"]), ("RSA", "RS256", "AQAB"))
        self.assertNotIn("=", key["n"])
        self.assertNotIn("d", key)
        config = self.expect(service.call("GET", "/identity/.well-known/openid-configuration", auth=None), 200).json()
        self.assertEqual(config["jwks_uri"], config["issuer"] + "/keys")

    def test_calls_without_a_good_token_are_401(self):
        good = service.operator_token()
        head, body, signature = good.split(".")
        none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
        for auth in (None, "Bearer ", "Bearer x.y.z", "Basic dG9rZW46eA==", f"Bearer {none}.{body}.",
                     f"Bearer {head}.{body}.{signature[:-6]}AAAAAA", f"Bearer {head}.{body}x.{signature}"):
            answer = service.call("GET", "/v2/resource_instances", auth=auth)
            self.expect_problem(answer, 401, "unauthorized")
            self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")


class Instances(Case):
    def test_standard_is_created_synchronously(self):
        answer = service.call("POST", "/v2/resource_instances", service.instance_body(),
                              headers={"Transaction-Id": "txn-17"})
        row = self.expect(answer, 201).json()
        self.assertEqual(answer.headers["Transaction-Id"], "txn-17")
        self.assertEqual(answer.headers["X-Request-Id"], "txn-17")
        self.assertEqual((row["state"], row["type"], row["sub_type"]), ("active", "service_instance", ""))
        self.assertRegex(row["guid"], UUID)
        self.assertEqual(row["id"], row["crn"])
        self.assertEqual(len(row["crn"].split(":")), 10)
        last = row["last_operation"]
        self.assertEqual((last["type"], last["state"], last["async"]), ("create", "succeeded", False))
        self.assertEqual(row["extensions"]["kafka_brokers_sasl"], ["localhost:19093", "localhost:19094"])
        self.assertTrue(row["extensions"]["kafka_http_url"].endswith(row["guid"]))
        for name in ("created_by", "updated_by", "deleted_by", "restored_by", "name", "account_id", "resource_id",
                     "resource_plan_id", "resource_group_id", "crn", "state", "target_crn", "region_id"):
            self.assertIsInstance(row[name], str, name)
        for name in ("deleted_at", "scheduled_reclaim_at", "restored_at"):
            self.assertIsNone(row[name])
        for name in ("onetime_credentials", "locked", "migrated", "allow_cleanup"):
            self.assertIs(row[name], False)
        self.assertEqual(row["plan_history"][0]["resource_plan_id"], row["resource_plan_id"])
        self.assertRegex(row["plan_history"][0]["start_date"], r"^\d{4}-\d\d-\d\dT.*Z$")

    def test_enterprise_is_created_asynchronously(self):
        answer = service.call("POST", "/v2/resource_instances",
                              service.instance_body("isolated", "enterprise", parameters={"throughput": "300"}))
        row = self.expect(answer, 202).json()
        self.assertEqual((row["state"], row["last_operation"]["async"], row["last_operation"]["state"]),
                         ("provisioning", True, "in progress"))
        self.assertEqual(row["extensions"], {"kafka_http_url": "", "kafka_brokers_sasl": []})
        row = self.wait_for_state(row["guid"], "active")
        self.assertEqual((row["last_operation"]["async"], row["last_operation"]["state"]), (True, "succeeded"))
        limits = json.loads(service.postgres.query(f"SELECT limits FROM fleet.instance WHERE instance_id = '{row['guid']}'")[0])
        self.assertEqual((limits["partitions"], limits["connections"]), (6000, 100000))

    def test_a_synchronous_plan_that_takes_too_long_becomes_asynchronous(self):
        started = time.monotonic()
        row = self.expect(service.call("POST", "/v2/resource_instances", service.instance_body("stuck")), 202).json()
        self.assertGreater(time.monotonic() - started, 1.4)
        self.assertEqual((row["state"], row["last_operation"]["async"]), ("provisioning", True))

    def test_many_waiting_requests_hold_no_thread(self):
        answers = []
        threads = [threading.Thread(target=lambda i=i: answers.append(
            service.call("POST", "/v2/resource_instances", service.instance_body(f"stuck {i}")).status))
            for i in range(12)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        started = time.monotonic()
        self.expect(service.call("GET", "/v2/resource_instances?limit=1"), 200)
        self.assertLess(time.monotonic() - started, 0.5)
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [202] * 12)

    def test_get_by_guid_and_by_crn_in_each_clients_encoding(self):
        row = service.create_instance(name="by crn")
        crn = row["crn"]
        for path in (row["guid"], encoded(crn), crn.replace("/", "%2F"), crn.replace("/", "%2f"), row["url"][len("/v2/resource_instances/"):]):
            self.assertEqual(self.expect(service.call("GET", "/v2/resource_instances/" + path), 200).json()["guid"], row["guid"])
        self.expect(service.call("GET", "/v2/resource_instances/" + crn), 404)  # a raw '/' separates
        self.expect(service.call("GET", "/v2/resource_instances/" + encoded(encoded(crn))), 400)

    def test_foreign_and_unknown_ids_are_404(self):
        row = service.create_instance(name="mine")
        foreign = row["crn"].replace(service.bootstrap_output["account_id"], "f" * 32)
        for path in ("00000000-0000-0000-0000-000000000000", "5f0c1a52-1111-4222-8333-444455556666", "x", encoded(foreign)):
            for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
                self.expect_problem(service.call(method, "/v2/resource_instances/" + path, body), 404, "not_found")

    def test_bad_bodies_are_400_and_say_why(self):
        good = service.instance_body()
        for change in ({"name": ""}, {"name": "a/b"}, {"name": "x" * 181}, {"name": 7}, {"target": "mars"},
                       {"resource_group": "0" * 32}, {"resource_plan_id": "none"}, {"parameters": []},
                       {"resource_plan_id": "millrace.plaintext"}, {"account_id": "x"}, {"allow_cleanup": "yes"}):
            self.expect_problem(service.call("POST", "/v2/resource_instances", {**good, **change}), 400, "bad_request")
        for name in ("name", "target", "resource_group", "resource_plan_id"):
            body = {key: value for key, value in good.items() if key != name}
            problem = self.expect_problem(service.call("POST", "/v2/resource_instances", body), 400)
            self.assertIn(name, problem["message"])
        for text in (b"{", b"[]", b'{"name": "a", "name": "b"}', b'{"parameters": ' + b"[" * 40 + b"]" * 40 + b"}",
                     b'{"name": "\xff"}', b""):
            self.expect_problem(service.call("POST", "/v2/resource_instances", text), 400)
        self.expect_problem(service.call("POST", "/v2/resource_instances", b"{}", headers={"Content-Type": "text/plain"}), 400)
        problem = self.expect_problem(service.call("POST", "/v2/resource_instances", service.instance_body(
            plan="enterprise", parameters={"throughput": "151"})), 400)
        self.assertIn("throughput", problem["message"])

    def test_target_may_be_a_catalog_deployment(self):
        row = service.create_instance(name="first")
        second = service.call("POST", "/v2/resource_instances", {**service.instance_body("second"), "target": row["target_crn"]})
        self.expect(second, 201)

    def test_patch_changes_name_and_merges_parameters(self):
        row = service.create_instance(name="before", parameters={"a": 1, "b": {"c": 2}})
        path = "/v2/resource_instances/" + row["guid"]
        after = self.expect(service.call("PATCH", path, {"name": "after", "parameters": {"a": "x", "unknown": [1]}}), 200).json()
        self.assertEqual((after["name"], after["last_operation"]["type"], after["last_operation"]["state"]),
                         ("after", "update", "succeeded"))
        self.assertEqual(after["parameters"], {"a": "x", "b": {"c": 2}, "unknown": [1]})
        same = self.expect(service.call("PATCH", path, {}), 200).json()
        self.assertEqual(same["updated_at"], after["updated_at"])

    def test_enterprise_grows_and_does_not_shrink(self):
        row = service.create_instance(name="growing", plan="enterprise")
        path = "/v2/resource_instances/" + row["guid"]
        self.expect_problem(service.call("PATCH", path, {"name": "x"}), 409, "conflict")
        self.wait_for_state(row["guid"], "active")
        after = service.call("PATCH", path, {"parameters": {"throughput": 450}})
        self.assertIn(after.status, (200, 202))
        self.assertEqual(after.json()["last_operation"]["type"], "update")
        self.wait_for_state(row["guid"], "active")
        self.expect_problem(service.call("PATCH", path, {"parameters": {"throughput": "150"}}), 400)
        self.expect_problem(service.call("PATCH", path, {"resource_plan_id": "ibm.eventstreams.standard"}), 422)

    def test_lite_becomes_standard(self):
        row = service.create_instance(name="small", plan="lite")
        after = self.expect(service.call("PATCH", "/v2/resource_instances/" + row["guid"],
                                         {"resource_plan_id": "ibm.eventstreams.standard"}), 200).json()
        self.assertEqual([entry["resource_plan_id"] for entry in after["plan_history"]],
                         ["ibm.eventstreams.lite", "ibm.eventstreams.standard"])
        self.assertEqual(service.postgres.query(f"SELECT limits->>'partitions', topic_settings->'retention.bytes'->>'max' "
                                                f"FROM fleet.instance WHERE instance_id = '{row['guid']}'"), ["100|1073741824"])

    def test_locked_instances_are_422(self):
        answer = service.call("POST", "/v2/resource_instances", service.instance_body("locked"), headers={"Entity-Lock": "true"})
        row = self.expect(answer, 201).json()
        self.assertIs(row["locked"], True)
        for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
            self.expect_problem(service.call(method, "/v2/resource_instances/" + row["guid"], body), 422, "locked")

    def test_delete_is_soft_and_second_delete_is_410(self):
        row = service.create_instance(name="short-lived")
        path = "/v2/resource_instances/" + row["guid"]
        answer = self.expect(service.call("DELETE", path), 204)
        self.assertEqual(answer.body, b"")
        removed = self.expect(service.call("GET", path), 200).json()
        self.assertEqual((removed["state"], removed["last_operation"]["type"], removed["last_operation"]["state"]),
                         ("removed", "delete", "succeeded"))
        self.assertTrue(removed["deleted_at"] and removed["deleted_by"])
        self.expect_problem(service.call("DELETE", path), 410, "gone")
        self.expect_problem(service.call("PATCH", path, {"name": "x"}), 410)
        listed = service.call("GET", "/v2/resource_instances?guid=" + row["guid"]).json()
        self.assertEqual((listed["rows_count"], listed["resources"]), (0, []))
        listed = service.call("GET", f"/v2/resource_instances?guid={row['guid']}&state=removed").json()
        self.assertEqual(listed["rows_count"], 1)

    def test_delete_with_keys_needs_recursive(self):
        row = service.create_instance(name="parent")
        key = service.create_key(row["guid"])
        path = "/v2/resource_instances/" + row["guid"]
        self.expect_problem(service.call("DELETE", path), 400)
        self.expect_problem(service.call("DELETE", path + "?recursive=false"), 400)
        self.assertEqual(service.call("GET", path).json()["state"], "active")
        self.expect(service.call("DELETE", path + "?recursive=true"), 204)
        self.assertEqual(service.call("GET", "/v2/resource_keys/" + key["guid"]).json()["state"], "removed")

    def test_slow_delete_is_202_and_stays_active_meanwhile(self):
        row = service.create_instance(name="stuck later")
        service.postgres.query(f"UPDATE fleet.operation SET state = 'succeeded' WHERE instance_id = '{row['guid']}'")
        self.wait_for_state(row["guid"], "active")
        path = "/v2/resource_instances/" + row["guid"]
        answer = self.expect(service.call("DELETE", path), 202).json()
        self.assertEqual((answer["state"], answer["last_operation"]["type"], answer["last_operation"]["async"]),
                         ("active", "delete", True))
        self.expect(service.call("DELETE", path), 202)
        self.expect_problem(service.call("PATCH", path, {"name": "x"}), 409)

    def test_delete_supersedes_a_creation(self):
        row = self.expect(service.call("POST", "/v2/resource_instances", service.instance_body("stuck early")), 202).json()
        answer = self.expect(service.call("DELETE", "/v2/resource_instances/" + row["guid"]), 202).json()
        self.assertEqual(answer["last_operation"]["type"], "delete")
        rows = service.postgres.query(f"SELECT type, state, reason_code FROM fleet.operation WHERE instance_id = "
                                      f"'{row['guid']}' ORDER BY operation_id")
        self.assertEqual(rows, ["create|failed|superseded", "delete|in progress|"])

    def test_pages_visit_every_row_once(self):
        created = {service.create_instance(name="paged")["guid"] for _ in range(7)}
        for _ in range(2):
            seen, path = [], "/v2/resource_instances?name=paged&limit=3"
            while path:
                page = self.expect(service.call("GET", path), 200).json()
                self.assertEqual(page["rows_count"], len(page["resources"]))
                self.assertLessEqual(page["rows_count"], 3)
                seen += [row["guid"] for row in page["resources"]]
                path = page["next_url"]
            self.assertEqual(sorted(seen), sorted(created))
        self.expect_problem(service.call("GET", "/v2/resource_instances?start=forged"), 400)
        start = service.call("GET", "/v2/resource_instances?limit=1").json()["next_url"].split("start=")[1]
        self.expect_problem(service.call("GET", "/v2/resource_keys?start=" + start), 400)
        for query in ("limit=0", "limit=201", "limit=x", "state=odd", "color=red", "updated_from=soon", "name=a&name=b"):
            self.expect_problem(service.call("GET", "/v2/resource_instances?" + query), 400)

    def test_filters_by_time_group_and_plan(self):
        row = service.create_instance(name="filtered")
        ids = service.bootstrap_output
        for query, count in ((f"updated_from={row['updated_at']}", 1), ("updated_to=2001-01-01T00:00:00Z", 0),
                             (f"resource_group_id={ids['resource_group_id']}", 1), ("resource_group_id=x", 0),
                             ("resource_plan_id=ibm.eventstreams.lite", 0), ("type=service_instance", 1), ("type=x", 0),
                             (f"resource_id={row['resource_id']}", 1), ("guid=" + encoded(row["crn"]), 1)):
            page = self.expect(service.call("GET", f"/v2/resource_instances?name=filtered&{query}"), 200).json()
            self.assertEqual(page["rows_count"], count, query)

    def test_changes_leave_audit_rows_that_serve_cannot_touch(self):
        answer = service.call("POST", "/v2/resource_instances", service.instance_body("audited"), headers={"Transaction-Id": "txn-audit"})
        rows = service.postgres.query("SELECT action, target, outcome FROM fleet.audit_event WHERE request_id = 'txn-audit'")
        self.assertEqual(rows, [f"messagehub.instance.create|{answer.json()['crn']}|success"])
        for sql in ("DELETE FROM fleet.audit_event", "UPDATE fleet.audit_event SET actor = 'x'", "CREATE TABLE fleet.x ()",
                    "CREATE ROLE x", "UPDATE fleet.instance SET endpoints = '{}'", "UPDATE fleet.plan SET limits = '{}'",
                    "DELETE FROM fleet.instance", "UPDATE fleet.credential SET verifier = ''"):
            with self.assertRaises(RuntimeError, msg=sql):
                service.postgres.query(sql, "millrace_serve", service.passwords["serve"])


class Keys(Case):
    @classmethod
    def setUpClass(cls):
        cls.instance = service.create_instance(name="with keys")

    def test_key_is_created_with_event_streams_credentials(self):
        answer = service.call("POST", "/v2/resource_keys", {"name": "app", "source": self.instance["crn"], "role": "Writer"})
        key = self.expect(answer, 201).json()
        credentials = key["credentials"]
        self.assertRegex(credentials["api_key"], r"^mlr_[0-9a-f]{16}_[0-9a-f]{72}$")
        self.assertEqual(credentials["api_key"], credentials["apikey"])
        self.assertEqual(credentials["api_key"], credentials["password"])
        self.assertEqual((credentials["user"], credentials["instance_id"]), ("token", self.instance["guid"]))
        self.assertEqual(credentials["kafka_brokers_sasl"], ["localhost:19093", "localhost:19094"])
        self.assertEqual(credentials["bootstrap_endpoints"], "localhost:19093,localhost:19094")
        self.assertEqual(credentials["kafka_admin_url"], credentials["kafka_http_url"])
        self.assertTrue(credentials["iam_role_crn"].endswith(":serviceRole:Writer"))
        self.assertIn("BEGIN CERTIFICATE", credentials["ca_certificate"])
        for name in ("iam_apikey_description", "iam_apikey_id", "iam_apikey_name", "iam_serviceid_crn"):
            self.assertTrue(credentials[name])
        for name in ("id", "guid", "url", "created_by", "updated_by", "deleted_by", "source_crn", "name", "crn", "state",
                     "account_id", "resource_group_id", "resource_id", "resource_instance_url", "resource_alias_url"):
            self.assertIsInstance(key[name], str, name)
        self.assertEqual((key["state"], key["id"], key["source_crn"]), ("active", key["crn"], self.instance["crn"]))
        self.assertIs(key["onetime_credentials"], False)
        self.assertIs(key["iam_compatible"], True)

    def test_key_is_shown_again_but_the_store_cannot_read_it(self):
        key = service.create_key(self.instance["guid"])
        again = self.expect(service.call("GET", "/v2/resource_keys/" + encoded(key["crn"])), 200).json()
        self.assertEqual(again["credentials"], key["credentials"])
        secret = key["credentials"]["api_key"].split("_")[2]
        dump = "\n".join(service.postgres.query("SELECT c::text FROM fleet.credential c"))
        self.assertNotIn(secret, dump)
        self.assertNotIn(secret.encode().hex(), dump)
        with open(service.path("serve.log")) as file:
            log = file.read()
        self.assertNotIn(secret, log)
        self.assertNotIn(service.operator_key, log)

    def test_onetime_credentials_are_shown_once(self):
        instance = service.create_instance(name="once", parameters={"onetime_credentials": True})
        self.assertIs(instance["onetime_credentials"], True)
        key = service.create_key(instance["guid"])
        self.assertTrue(key["credentials"]["api_key"])
        again = service.call("GET", "/v2/resource_keys/" + key["guid"]).json()
        self.assertEqual((again["credentials"], again["onetime_credentials"]), ({"REDACTED": "REDACTED"}, True))
        self.assertEqual(service.postgres.query(f"SELECT sealed_key IS NULL FROM fleet.credential WHERE credential_id = '{key['guid']}'"), ["t"])

    def test_verifiers_are_those_of_the_key(self):
        import hashlib
        import hmac
        key = service.create_key(self.instance["guid"])["credentials"]["api_key"]
        row = json.loads(service.postgres.query(
            "SELECT json_build_object('v', encode(verifier, 'hex'), 's', scram_sha_256, 'l', scram_sha_512) "
            f"FROM fleet.credential WHERE key_id = '{key[4:20]}'")[0])
        secret = key[21:85]
        self.assertEqual(row["v"], hashlib.sha256(b"millrace key v1" + key[4:20].encode() + secret.encode()).hexdigest())
        for name, digest in (("s", "sha256"), ("l", "sha512")):
            scram = row[name]
            salted = hashlib.pbkdf2_hmac(digest, key.encode(), base64.b64decode(scram["salt"]), scram["iterations"])
            client = hmac.new(salted, b"Client Key", digest).digest()
            self.assertEqual(base64.b64encode(hashlib.new(digest, client).digest()).decode(), scram["stored_key"])
            server = hmac.new(salted, b"Server Key", digest).digest()
            self.assertEqual(base64.b64encode(server).decode(), scram["server_key"])

    def test_patch_list_delete(self):
        instance = service.create_instance(name="key life")
        key = service.create_key(instance["guid"], "one")
        service.create_key(instance["guid"], "two")
        path = "/v2/resource_keys/" + key["guid"]
        self.assertEqual(self.expect(service.call("PATCH", path, {"name": "uno"}), 200).json()["name"], "uno")
        self.expect_problem(service.call("PATCH", path, {}), 400)
        self.expect_problem(service.call("PATCH", path, {"name": "x", "role": "Manager"}), 400)
        listed = service.call("GET", f"/v2/resource_instances/{encoded(instance['crn'])}/resource_keys?limit=1").json()
        self.assertEqual((listed["rows_count"], listed["resources"][0]["name"]), (1, "uno"))
        self.assertEqual(service.call("GET", listed["next_url"]).json()["resources"][0]["name"], "two")
        self.assertEqual(service.call("GET", "/v2/resource_keys?guid=" + key["guid"]).json()["rows_count"], 1)
        self.expect(service.call("DELETE", path), 204)
        removed = self.expect(service.call("GET", path), 200).json()
        self.assertEqual((removed["state"], removed["credentials"]), ("removed", {"REDACTED": "REDACTED"}))
        self.expect_problem(service.call("DELETE", path), 410)
        self.expect_problem(service.call("PATCH", path, {"name": "x"}), 410)
        self.assertEqual(service.call("GET", f"/v2/resource_instances/{instance['guid']}/resource_keys").json()["rows_count"], 1)

    def test_unfinished_keys_are_202(self):
        key = self.expect(service.call("POST", "/v2/resource_keys", {"name": "stuck", "source": self.instance["guid"]}), 202).json()
        self.assertTrue(key["credentials"]["api_key"])
        self.expect(service.call("DELETE", "/v2/resource_keys/" + key["guid"]), 202)

    def test_bad_keys_are_refused(self):
        guid = self.instance["guid"]
        for body, status in (({"name": "x"}, 400), ({"source": guid}, 400), ({"name": "x", "source": guid, "role": "God"}, 400),
                             ({"name": "x", "source": "5f0c1a52-1111-4222-8333-444455556666"}, 404),
                             ({"name": "x", "source": guid, "api_key": "mine"}, 400)):
            self.expect_problem(service.call("POST", "/v2/resource_keys", body), status)
        key = service.create_key(guid, role="crn:v1:bluemix:public:iam::::serviceRole:Reader")
        self.assertTrue(key["credentials"]["iam_role_crn"].endswith(":Reader"))
        self.assertEqual(service.create_key(guid, role="NONE")["credentials"]["iam_role_crn"], "")
        removed = service.create_instance(name="removed parent")
        service.call("DELETE", "/v2/resource_instances/" + removed["guid"])
        self.expect_problem(service.call("POST", "/v2/resource_keys", {"name": "x", "source": removed["guid"]}), 404)


class Roles(Case):
    def test_a_reader_may_look_and_sees_no_key(self):
        instance = service.create_instance(name="looked at")
        key = service.create_key(instance["guid"])
        service.postgres.query("UPDATE fleet.account_key SET role = 'Reader'")
        try:
            seen = self.expect(service.call("GET", "/v2/resource_keys/" + key["guid"]), 200).json()
            self.assertEqual(seen["credentials"], {"REDACTED": "REDACTED_EXPLICIT"})
            self.expect_problem(service.call("DELETE", "/v2/resource_keys/" + key["guid"]), 403, "forbidden")
            self.expect_problem(service.call("POST", "/v2/resource_instances", service.instance_body()), 403)
        finally:
            service.postgres.query("UPDATE fleet.account_key SET role = 'Manager'")

    def test_a_disabled_key_is_out_at_once(self):
        token = service.operator_token()
        service.postgres.query("UPDATE fleet.account_key SET disabled_at = now()")
        try:
            self.expect_problem(service.call("GET", "/v2/resource_instances", auth="Bearer " + token), 401)
        finally:
            service.postgres.query("UPDATE fleet.account_key SET disabled_at = NULL")


class Http(Case):
    def test_unknown_paths_and_methods(self):
        self.expect_problem(service.call("GET", "/v3/things", auth=None), 404)
        answer = service.call("PUT", "/v2/resource_instances", {}, auth=None)
        self.expect_problem(answer, 405, "method_not_allowed")
        self.assertEqual(answer.headers["Allow"], "GET, POST")
        self.expect_problem(service.call("BREW", "/v2/resource_instances", auth=None), 501)

    def test_what_comes_later_says_so(self):
        for method, path in (("GET", "/v2/resource_aliases"), ("GET", "/v2/resource_bindings"), ("GET", "/admin/topics"),
                             ("GET", "/instances/x/admin/topics"), ("DELETE", "/admin/topics/a/b")):
            self.expect_problem(service.call(method, path, auth=None), 501, "not_implemented")

    def test_bodies_over_one_mebibyte_are_413(self):
        self.expect_problem(service.call("POST", "/v2/resource_instances", b" " * ((1 << 20) + 1)), 413)
        chunks = (b" " * 65536 for _ in range(17))
        connection = service.connect()
        connection.request("POST", "/v2/resource_instances", chunks, {"Content-Type": "application/json"}, encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 413)
        connection.close()

    def test_gzip_bodies_are_opened(self):
        body = gzip.compress(json.dumps(service.instance_body("zipped")).encode())
        self.expect(service.call("POST", "/v2/resource_instances", body, headers={"Content-Encoding": "gzip"}), 201)
        bomb = gzip.compress(b" " * (64 << 20))
        self.expect_problem(service.call("POST", "/v2/resource_instances", bomb, headers={"Content-Encoding": "gzip"}), 413)
        self.expect_problem(service.call("POST", "/v2/resource_instances", body, headers={"Content-Encoding": "br"}), 400)

    def drip(self, start, piece):
        """Seconds until the other side cuts a connection on which a piece comes every 0.2 s."""
        started = time.monotonic()
        with socket.create_connection(("localhost", service.port), timeout=5) as plain:
            with service.tls().wrap_socket(plain, server_hostname="localhost") as stream:
                try:
                    stream.sendall(start)
                    while time.monotonic() - started < 8:
                        stream.sendall(piece)
                        time.sleep(0.2)
                except OSError:
                    pass
        return time.monotonic() - started

    def test_a_client_that_drips_is_cut(self):
        head = b"POST /identity/token HTTP/1.1\r\nHost: localhost\r\n"
        for start, piece in ((head, b"X-A: b\r\n"), (head + b"Content-Length: 100000\r\n\r\n", b"a")):
            seconds = self.drip(start, piece)
            self.assertGreater(seconds, 1.5)
            self.assertLess(seconds, 4)
        with socket.create_connection(("localhost", service.port), timeout=5) as plain:  # no handshake at all
            self.assertEqual(plain.recv(1), b"")

    def test_old_tls_is_refused(self):
        warnings.simplefilter("ignore", DeprecationWarning)
        for version, is_taken in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)):
            context = service.tls()
            context.minimum_version = context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
            with socket.create_connection(("localhost", service.port), timeout=5) as plain:
                try:
                    context.wrap_socket(plain, server_hostname="localhost").close()
                    self.assertTrue(is_taken, version)
                except (ssl.SSLError, ConnectionError):
                    self.assertFalse(is_taken, version)

    def test_head_answers_without_a_body(self):
        answer = self.expect(service.call("HEAD", "/healthz", auth=None), 200)
        self.assertEqual(answer.body, b"")

    def test_odd_request_ids_are_replaced(self):
        answer = service.call("GET", "/healthz", auth=None, headers={"Transaction-Id": "a b"})
        self.assertRegex(answer.headers["Transaction-Id"], UUID)
        for name in ("X-Correlation-Id", "X-Global-Transaction-Id"):
            self.assertEqual(answer.headers[name], answer.headers["Transaction-Id"])

    def test_metrics_count_by_route(self):
        import urllib.request
        service.call("GET", "/healthz", auth=None)
        text = urllib.request.urlopen(f"http://127.0.0.1:{service.metrics_port}/metrics").read().decode()
        self.assertIn("millrace_store_up 1", text)
        self.assertRegex(text, r'millrace_http_requests_total\{method="GET",route="/healthz",status="200"\} \d+')
        self.expect_problem(service.call("GET", "/metrics", auth=None), 404)


class Smuggling(Case):
    """Heads that two parsers could read in two ways are answered once, with an error, and the line is cut."""

    SECOND = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def refuse(self, *lines, body=b"", statuses=(b"400",)):
        request = b"\r\n".join([b"POST /identity/token HTTP/1.1", *lines, b"", b""]) + body + self.SECOND
        answer = service.raw(request)
        # libmicrohttpd 0.9.75 writes the head of its own refusals twice: so all heads must be refusals.
        for status in re.findall(rb"HTTP/1.1 (\d+)", answer):
            self.assertIn(status, statuses, answer)
        self.assertNotIn(b"<open>", answer, "the connection must be closed")

    HOST = b"Host: localhost"

    def test_01_two_content_lengths(self):
        self.refuse(self.HOST, b"Content-Length: 0", b"Content-Length: 44")

    def test_02_two_equal_content_lengths(self):
        self.refuse(self.HOST, b"Content-Length: 0", b"Content-Length: 0")

    def test_03_content_length_with_transfer_encoding(self):
        self.refuse(self.HOST, b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")

    def test_04_transfer_encoding_with_content_length(self):
        self.refuse(self.HOST, b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n")

    def test_05_two_transfer_encodings(self):
        self.refuse(self.HOST, b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n")

    def test_06_unknown_transfer_encoding(self):
        self.refuse(self.HOST, b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n", statuses=(b"400", b"501"))

    def test_07_two_hosts(self):
        self.refuse(self.HOST, b"Host: other", b"Content-Length: 0")

    def test_08_no_host(self):
        self.refuse(b"Content-Length: 0")

    def test_09_content_length_that_is_no_number(self):
        for value in (b"+5", b"0x5", b"5, 5", b"-1", b"5 5"):
            self.refuse(self.HOST, b"Content-Length: " + value, body=b"hello", statuses=(b"400", b"413"))

    def test_10_space_before_the_colon(self):
        self.refuse(self.HOST, b"Content-Length : 5", body=b"hello")

    def test_11_folded_header(self):
        self.refuse(self.HOST, b"X-A: b\r\n Content-Length: 5", b"Transfer-Encoding: chunked", b"Content-Length: 3", body=b"0\r\n\r\n")

    def test_12_too_many_headers(self):
        self.refuse(self.HOST, *[b"X-%d: y" % i for i in range(70)], b"Content-Length: 0")

    def test_a_clean_pipeline_is_served(self):
        answer = service.raw(self.SECOND * 2 + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 3)


class ZStoreAway(Case):
    """Last, because it shakes the store."""

    def test_1_a_store_that_hangs_costs_a_deadline_and_not_the_service(self):
        token = "Bearer " + service.operator_token()
        service.postgres.pause(True)
        try:
            started = time.monotonic()
            answer = service.call("GET", "/v2/resource_instances", auth=token)
            self.assertEqual(answer.status, 503)
            self.assertLess(time.monotonic() - started, 8)
            self.expect(service.call("GET", "/healthz", auth=None), 200)
        finally:
            service.postgres.pause(False)
        service.wait_ready()

    def test_2_store_down_is_503_with_retry_after_and_heals(self):
        token = "Bearer " + service.operator_token()
        service.postgres.stop()
        started = time.monotonic()
        for method, path in (("GET", "/v2/resource_instances"), ("GET", "/readyz")):
            answer = service.call(method, path, auth=token)
            problem = self.expect_problem(answer, 503, "service_unavailable")
            self.assertGreater(int(answer.headers["Retry-After"]), 0)
            self.assertNotIn("socket", problem["message"])
        answer = service.call("POST", "/identity/token", auth=None, form={
            "grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": service.operator_key})
        self.assertEqual(answer.status, 503)
        self.assertIn("errorCode", answer.json())
        self.assertLess(time.monotonic() - started, 3)
        self.expect(service.call("GET", "/healthz", auth=None), 200)
        self.expect(service.call("GET", "/identity/keys", auth=None), 200)
        service.postgres.start()
        service.wait_ready()
        self.expect(service.call("GET", "/v2/resource_instances", auth=token), 200)

    def test_4_stopping_answers_what_waits(self):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            service.call("POST", "/v2/resource_instances", service.instance_body("stuck at the end")).status))
        service.operator_token()
        thread.start()
        time.sleep(0.4)
        started = time.monotonic()
        self.assertEqual(service.stop_serve(), 0)
        self.assertLess(time.monotonic() - started, 1)
        thread.join()
        self.assertEqual(answers, [202])
        service.start()

    def test_5_replicas_take_each_others_tokens(self):
        replica = service.start_replica()
        token = "Bearer " + service.operator_token()
        self.expect(service.call("GET", "/v2/resource_instances", auth=token, port=replica), 200)

    def test_3_a_restart_keeps_tokens_and_credentials(self):
        token = "Bearer " + service.operator_token()
        self.assertEqual(service.stop_serve(), 0)
        service.start()
        self.expect(service.call("GET", "/v2/resource_instances", auth=token), 200)


if __name__ == "__main__":
    os.environ["MILLRACE_CONTROLPLANE"] = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The certificate of `serve` is renewed while it serves, against a real PostgreSQL. Usage: test_certificate.py BINARY [TEST…]"""

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fixture import Service  # noqa: E402

HELD_MAX = 15  # of the daemons kept for earlier certificates; two more would be too many

service: Service = None


def setUpModule():
    global service
    service = Service(os.environ["MILLRACE_CONTROLPLANE"])
    service.operator_token()


def tearDownModule():
    service.close()


def events():
    with open(service.path("serve.log")) as log:
        return [json.loads(line)["event"] for line in log]


def certificate_of(connection):
    return connection.sock.getpeercert()["serialNumber"]


def connected():
    connection = service.connect()
    connection.connect()
    return connection


def shown():
    connection = connected()
    try:
        return certificate_of(connection)
    finally:
        connection.close()


def status_of(connection):
    connection.request("GET", "/healthz")
    response = connection.getresponse()
    response.read()
    return response.status


class Case(unittest.TestCase):
    def wait_until(self, what, is_so):
        deadline = time.monotonic() + 20
        while not is_so():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def hang_up(self, event):
        """Asks serve to take the files, and waits until it says what it did."""
        before = events().count(event)
        service.serve.send_signal(signal.SIGHUP)
        self.wait_until(event, lambda: events().count(event) > before)

    def issue_anew(self):
        os.utime(service.path("rest.pem"), (0, 0))  # past two thirds of its days
        service.bootstrap()

    def renew(self):
        self.issue_anew()
        self.hang_up("certificate_taken")

    def test_a_renewed_one_is_shown_and_open_connections_go_on(self):
        before = connected()
        self.assertEqual(status_of(before), 200)
        first = certificate_of(before)
        self.renew()
        self.assertNotEqual(shown(), first)
        self.assertEqual(status_of(before), 200)
        self.assertEqual(certificate_of(before), first)
        before.close()

    def test_nobody_who_connects_meanwhile_is_turned_away(self):
        has_ended = threading.Event()
        statuses, failures = [], []

        def connect_again_and_again():
            while not has_ended.is_set():
                try:
                    connection = connected()
                    statuses.append(status_of(connection))
                    connection.close()
                except (OSError, ssl.SSLError) as error:
                    failures.append(error)

        threads = [threading.Thread(target=connect_again_and_again) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            self.renew()
        has_ended.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(len(statuses), 5)
        self.assertEqual(set(statuses), {200})

    def test_what_waits_is_answered(self):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            service.call("POST", "/v2/resource_instances", service.instance_body("stuck meanwhile")).status))
        thread.start()
        time.sleep(0.3)
        self.renew()
        self.assertEqual(answers, [], "it waits")
        thread.join()
        self.assertEqual(answers, [202])

    def test_a_key_that_does_not_fit_is_refused_and_the_old_one_serves(self):
        first = shown()
        with open(service.path("rest.key")) as file:
            key = file.read()
        other = subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"], check=True,
                               capture_output=True, text=True).stdout
        for text in (other, "no key", ""):
            with open(service.path("rest.key"), "w") as file:
                file.write(text)
            self.hang_up("certificate_refused")
            self.assertEqual(shown(), first)
        with open(service.path("rest.key"), "w") as file:
            file.write(key)
        self.hang_up("certificate_taken")
        self.assertEqual(shown(), first)

    def test_the_metric_says_when_it_ends(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{service.metrics_port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        name = "millrace_tls_certificate_expiry_timestamp_seconds"
        told = [int(float(line.split()[1])) for line in lines if line.startswith(name + " ")]
        connection = connected()
        self.assertEqual(told, [int(ssl.cert_time_to_seconds(connection.sock.getpeercert()["notAfter"]))])
        connection.close()

    def test_too_many_earlier_ones_in_use_are_refused_until_they_are_not(self):
        held = []
        for _ in range(HELD_MAX):
            held.append(connected())
            self.hang_up("certificate_taken")
        held.append(connected())
        self.hang_up("certificate_refused")
        self.assertEqual({status_of(connection) for connection in held}, {200})
        for connection in held:
            connection.close()
        time.sleep(0.5)
        self.hang_up("certificate_taken")


if __name__ == "__main__":
    os.environ["MILLRACE_CONTROLPLANE"] = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)

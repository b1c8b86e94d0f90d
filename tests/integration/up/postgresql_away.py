# SPDX-License-Identifier: Apache-2.0
"""postgresql_away.py ROOT STATE stopped|frozen SECONDS. See `postgresql_away` beside it.

A Standard and an Enterprise instance have steady work (steady_work.py) from before the outage until after it. In it, newcomers
come again and again: kcat and Python clients with known keys, a new group each, new idempotent producers; changes are
asked for and must be refused at once; half-way every broker is killed, and everything is asked again. The outage is as long as
said, whatever the questions take.
"""

import functools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from crash import Millrace, wait_for
from frames import LoginRefused, Session, load_schemas
from postgres_outage import Outage
from rest import Rest
from steady_work import PARTITIONS, TOPIC, SteadyWork

PLANS = ("standard", "enterprise")
CREATE_TOPICS, DELETE_TOPICS, CREATE_PARTITIONS, INIT_PRODUCER_ID, INCREMENTAL_ALTER_CONFIGS = 19, 20, 37, 22, 44
NOT_CONTROLLER, SASL_AUTHENTICATION_FAILED = 41, 58
AT_ONCE_SECONDS = 2
ANSWER_SECONDS = 20
HEAL_SECONDS = 20
NEW_RECORDS = 50
# While PostgreSQL stands still nobody can know it before a first question went unanswered: the broker asks with a
# deadline of 2 s, and who asked meanwhile waits as long.
NOTICE_SECONDS = 3
NEW_PRODUCERS = 1200  # more than one block of reserved producer ids
CLIENT_TIMEOUT_MS = 15000


def expect(what, actual, wanted):
    if actual != wanted:
        raise AssertionError(f"{what}: {actual!r}, not {wanted!r}")


def tell(what, detail, started):
    print(f"ok      {what}: {detail} ({time.monotonic() - started:.1f} s)", flush=True)


class Instance:
    def __init__(self, rest, schemas, plan):
        self.plan, self.schemas, self.ca_file = plan, schemas, rest.endpoints["ca_file"]
        guid = rest.create_instance(plan, f"away-{plan}")["guid"]
        credentials = rest.create_key(guid, f"away-{plan}")
        self.bootstrap, self.key = credentials["bootstrap_endpoints"], credentials["api_key"]
        self.common = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "token",
            "sasl.password": self.key,
            "ssl.ca.location": self.ca_file,
            "log_level": 0,
        }
        self.refused = set()  # topics that must never appear
        self.undecided = set()  # those asked for when PostgreSQL stood still and nobody could know: the question may lie in its
        #                         socket and be answered when it goes on
        self.wait_for_topic(TOPIC)
        self.work = SteadyWork(plan, self.common)

    def session(self, key=None):
        return Session(self.schemas, self.bootstrap, self.ca_file, key or self.key)

    def kcat(self, *arguments, text=""):
        options = [part for name, value in self.common.items() if name != "bootstrap.servers"
                   for part in ("-X", f"{name}={value}")]
        done = subprocess.run(["kcat", "-b", self.bootstrap, *options, *arguments], input=text, capture_output=True, text=True,
                              timeout=45, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{self.plan}: kcat {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def create(self, name):
        """Seconds, and None or the error code that a stock client was told."""
        admin, started, code = AdminClient(self.common), time.monotonic(), None
        try:
            admin.create_topics([NewTopic(name, PARTITIONS)])[name].result(ANSWER_SECONDS)
        except KafkaException as error:
            code = error.args[0].code()
        return time.monotonic() - started, code

    def wait_for_topic(self, name):
        wait_for(f"topic {name} can be made", HEAL_SECONDS, lambda: self.create(name)[1] is None)

    # ---- newcomers ----

    def newcomers(self, tag):
        """New clients in new groups do the whole of it; the counts."""
        topic = "news"
        lines = [f"{tag} {number}" for number in range(NEW_RECORDS)]
        self.kcat("-P", "-t", topic, text="".join(f"{line} plain\n" for line in lines))
        self.kcat("-P", "-t", topic, "-X", "enable.idempotence=true", text="".join(f"{line} sure\n" for line in lines))
        self.produce(topic, [f"{line} python" for line in lines])
        wanted = {f"{line} {kind}" for line in lines for kind in ("plain", "sure", "python")}
        seen = self.read_in_group(topic, f"group-{tag}", wanted)
        found = self.kcat("-C", "-t", topic, "-o", "beginning", "-e", "-f", "%s\n").splitlines()
        expect(f"{self.plan}: records missing for kcat", wanted - set(found), set())
        return seen

    def produce(self, topic, values):
        errors = []
        producer = Producer({**self.common, "enable.idempotence": True})
        for value in values:
            producer.produce(topic, value=value, on_delivery=lambda error, _: errors.append(error) if error else None)
        expect("records left", producer.flush(ANSWER_SECONDS), 0)
        expect("delivery errors", errors, [])

    def read_in_group(self, topic, group, wanted):
        """A new group reads all of the topic, commits, and another client reads the commits back."""
        consumer = Consumer({**self.common, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False})
        consumer.subscribe([topic])
        missing, seen = set(wanted), 0
        deadline = time.monotonic() + ANSWER_SECONDS
        while missing and time.monotonic() < deadline:
            for message in consumer.consume(1000, timeout=0.5):
                expect("consumer error", message.error(), None)
                missing.discard(message.value().decode())
                seen += 1
        expect(f"{self.plan}: records missing in {group}", missing, set())
        consumer.commit(asynchronous=False)
        consumer.close()
        reader = Consumer({**self.common, "group.id": group})
        found = reader.committed([TopicPartition(topic, partition) for partition in range(PARTITIONS)], timeout=ANSWER_SECONDS)
        reader.close()
        expect(f"{self.plan}: committed by {group}", sum(max(offset.offset, 0) for offset in found), seen)
        return seen

    def new_producer_ids(self):
        with self.session() as session:
            answers = [session.call(INIT_PRODUCER_ID, 4, TransactionalId=None) for _ in range(NEW_PRODUCERS)]
        expect(f"{self.plan}: codes of InitProducerId", {answer["ErrorCode"] for answer in answers}, {0})
        return {answer["ProducerId"] for answer in answers}

    def unknown_key_is_refused(self):
        try:
            self.session(self.key[:-6] + "000000").socket.close()
        except LoginRefused as error:
            expect("code of a refused login", error.code, SASL_AUTHENTICATION_FAILED)
            return
        raise AssertionError(f"{self.plan}: a changed key logs in")

    # ---- changes ----

    def changes_are_refused(self, tag, noticed):
        """Topics and settings, by a stock client and by single requests; the longest answer in seconds."""
        limit = AT_ONCE_SECONDS if noticed else NOTICE_SECONDS
        tag = tag.replace(" ", "-")
        (self.refused if noticed else self.undecided).update({f"stock-{tag}", f"single-{tag}"})
        answers = {"CreateTopics by a stock client": self.create(f"stock-{tag}")}
        with self.session() as session:
            for what, api, version, request in (
                    ("CreateTopics", CREATE_TOPICS, 7, {"Topics": [
                        {"Name": f"single-{tag}", "NumPartitions": 1, "ReplicationFactor": -1}]}),
                    ("DeleteTopics", DELETE_TOPICS, 6, {"Topics": [{"Name": "kept"}], "TimeoutMs": CLIENT_TIMEOUT_MS}),
                    ("CreatePartitions", CREATE_PARTITIONS, 3, {"Topics": [
                        {"Name": "kept", "Count": 9, "Assignments": None}], "TimeoutMs": CLIENT_TIMEOUT_MS}),
                    ("IncrementalAlterConfigs", INCREMENTAL_ALTER_CONFIGS, 1, {"Resources": [
                        {"ResourceType": 2, "ResourceName": "kept", "Configs": [
                            {"Name": "retention.ms", "ConfigOperation": 0, "Value": "7200000"}]}]})):
                started = time.monotonic()
                answer = session.call(api, version, **request)
                items = next(answer[name] for name in ("Topics", "Responses", "Results") if name in answer)
                answers[what] = (time.monotonic() - started, items[0]["ErrorCode"])
        for what, (seconds, code) in answers.items():
            if seconds >= limit or code != NOT_CONTROLLER:
                raise AssertionError(f"{self.plan}: {what} answered {code} after {seconds:.2f} s, not {NOT_CONTROLLER} "
                                     f"within {limit} s")
        return max(seconds for seconds, _ in answers.values())

    def topics(self):
        """{name: partitions}, without Kafka's own, which Enterprise shows."""
        found = AdminClient(self.common).list_topics(timeout=ANSWER_SECONDS).topics
        return {name: len(topic.partitions) for name, topic in found.items() if not name.startswith("__")}


class Test:
    def __init__(self, root, state, kind, seconds):
        self.millrace, self.kind, self.seconds = Millrace(root, state), kind, seconds
        self.outage = Outage(self.millrace)
        self.millrace.run("up", "--detach")
        self.rest = Rest(os.path.join(state, "endpoints.json"))
        schemas = load_schemas(os.path.join(root, "api", "kafka"))
        self.instances = [Instance(self.rest, schemas, plan) for plan in PLANS]
        self.producer_ids = []
        for instance in self.instances:
            for name in ("news", "kept"):
                instance.wait_for_topic(name)

    def run(self):
        for instance in self.instances:
            instance.work.start()
        try:
            time.sleep(2)
            self.outage.begin(self.kind)
            print(f"        PostgreSQL is {self.kind}", flush=True)
            self.refusals("begin", noticed=self.kind == "stopped")
            self.ask_everything("early")
            self.wait_until(self.seconds / 2)
            self.kill_brokers()
            self.ask_everything("after the kill")
            self.wait_until(self.seconds - 6)
            self.ask_everything("late")
            self.wait_until(self.seconds)
            self.no_faults()
            away = self.outage.seconds()
            self.outage.end()
            print(f"        PostgreSQL was {self.kind} for {away:.1f} s", flush=True)
            self.heal()
        finally:
            self.outage.thaw()
            for instance in self.instances:
                instance.work.stop()
        self.no_faults()
        self.verify()

    # ---- during the outage ----

    def wait_until(self, seconds):
        time.sleep(max(0, seconds - self.outage.seconds()))

    def ask_everything(self, tag):
        started = time.monotonic()
        self.rest_is_unavailable()
        for instance in self.instances:
            seen = instance.newcomers(tag.replace(" ", "-"))
            ids = instance.new_producer_ids()
            instance.unknown_key_is_refused()
            self.producer_ids += ids
            tell(f"{tag}, {instance.plan}", f"a new group read {seen} records, {len(ids)} new idempotent producers", started)
            started = time.monotonic()
        expect("producer ids given twice", len(self.producer_ids) - len(set(self.producer_ids)), 0)
        self.refusals(tag)
        self.no_faults()

    def refusals(self, tag, noticed=True):
        started = time.monotonic()
        slowest = max(instance.changes_are_refused(tag, noticed) for instance in self.instances)
        tell(f"{tag}, changes are refused", f"slowest after {slowest * 1000:.0f} ms", started)

    def rest_is_unavailable(self):
        """503 with Retry-After for whoever wants something of the store; life itself needs no store."""
        started = time.monotonic()
        body = {"name": "late", "target": self.rest.endpoints["target"], "resource_plan_id": self.rest.endpoints["plans"]["standard"],
                "resource_group": self.rest.endpoints["resource_group_id"]}
        answers = {}
        for method, path, content, wanted in (("GET", "/v2/resource_instances", None, 503), ("GET", "/readyz", None, 503),
                                              ("POST", "/v2/resource_instances", json.dumps(body).encode(), 503),
                                              ("GET", "/healthz", None, 200)):
            status, seconds = self.status_of(method, path, content)
            expect(f"status of {method} {path}", status, wanted)
            answers[path] = max(seconds, answers.get(path, 0))
        tell("REST says 503 with Retry-After, /healthz 200",
             f"slowest after {max(answers.values()) * 1000:.0f} ms", started)

    def status_of(self, method, path, content):
        started = time.monotonic()
        try:
            request = urllib.request.Request(self.rest.endpoints["controlplane_url"] + path, data=content, method=method)
            request.add_header("Content-Type", "application/json")
            request.add_header("Authorization", "Bearer " + self.rest.token)
            with urllib.request.urlopen(request, context=self.rest.context, timeout=ANSWER_SECONDS) as answer:
                return answer.status, time.monotonic() - started
        except urllib.error.HTTPError as error:
            if int(error.headers.get("Retry-After", 0)) < 1:
                raise AssertionError(f"{method} {path} answered {error.code} without Retry-After") from error
            return error.code, time.monotonic() - started

    def kill_brokers(self):
        started = time.monotonic()
        before = {process["pid"] for process in self.millrace.processes() if process["role"] == "broker"}
        for instance in self.instances:
            instance.work.may_err.set()
        marks = [(len(instance.work.records), len(instance.work.read)) for instance in self.instances]
        killed_at = time.monotonic()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        for instance in self.instances:
            wait_for(f"{instance.plan}: its broker answers again", ANSWER_SECONDS, functools.partial(self.answers, instance))
        back_s = time.monotonic() - killed_at
        after = {process["pid"] for process in self.millrace.processes() if process["role"] == "broker"}
        expect("brokers that were started again", (len(after), len(after & before)), (len(before), 0))
        for instance, mark in zip(self.instances, marks):
            wait_for(f"{instance.plan}: steady work goes on", ANSWER_SECONDS, lambda instance=instance, mark=mark: (
                len(instance.work.records) > mark[0] + 100 and len(instance.work.read) > mark[1] + 100))
        time.sleep(1)
        for instance in self.instances:
            instance.work.may_err.clear()
        tell("SIGKILL of every broker", f"{len(before)} brokers, logins again after {back_s:.1f} s", started)

    def answers(self, instance):
        try:
            instance.session().socket.close()
        except (OSError, LoginRefused):
            return False
        return True

    # ---- after the outage ----

    def heal(self):
        started = time.monotonic()
        for instance in self.instances:
            instance.wait_for_topic("healed")
        tell("topics can be made again", "one on each instance", started)
        started = time.monotonic()
        wait_for("REST works", HEAL_SECONDS, lambda: self.status_of("GET", "/v2/resource_instances", None)[0] == 200)
        late = Instance(self.rest, self.instances[0].schemas, "standard")
        late.produce(TOPIC, ["hello"])
        tell("REST works again", "a new instance, a new key, a first record", started)
        started = time.monotonic()
        for instance in self.instances:
            instance.newcomers("healed")
        tell("newcomers", "as before", started)

    def no_faults(self):
        expect("faults of steady work", [fault for instance in self.instances for fault in instance.work.faults()][:5], [])

    def verify(self):
        for instance in self.instances:
            started = time.monotonic()
            topics = instance.topics()
            expect(f"{instance.plan}: refused topics that are there", set(topics) & instance.refused, set())
            made = {name: count for name, count in topics.items() if name not in instance.undecided}
            expect(f"{instance.plan}: topics", made, dict.fromkeys((TOPIC, "news", "kept", "healed"), PARTITIONS))
            checked = instance.work.verify()
            waits = ", ".join(f"{who} {seconds:.1f} s" for who, seconds in sorted(instance.work.longest_wait_s.items()))
            tell(f"{instance.plan}, nothing acknowledged is lost",
                 f"{instance.work.counts()}; {checked} records found again; longest pause: {waits}", started)


def main():
    root, state, kind, seconds = sys.argv[1:]
    if kind not in ("stopped", "frozen"):
        sys.exit(f"the outage is stopped or frozen, not {kind}")
    Test(root, state, kind, int(seconds)).run()


if __name__ == "__main__":
    main()

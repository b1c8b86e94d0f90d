# SPDX-License-Identifier: Apache-2.0
"""failing_disk.py ROOT STATE. See `failing_disk` beside it. Every method's name is the sentence that it proves."""

import os
import sys
import time
import unittest

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from frames import PlainSession, load_schemas
from lone_broker import LoneBroker

ROOT, STATE = sys.argv.pop(1), sys.argv.pop(1)
FETCH, METADATA = 1, 3
ANSWER_SECONDS = 20
STORAGE_ERROR = KafkaError.KAFKA_STORAGE_ERROR
# Once each: what must not be tried again works when it is. A segment, and the write-ahead log.
FAILED_WRITE = ["write-error *.log 1", "write-error wal/* 1"]
FAILED_SYNC = ["sync-error *.log 1", "sync-error wal/* 1"]
SMALL, LARGE = 100, 200 << 10  # the two ways to the disk


class FailingDisk(unittest.TestCase):
    broker = None

    @classmethod
    def setUpClass(cls):
        cls.broker = LoneBroker(ROOT, STATE, tail_cache_bytes=1 << 20)
        cls.schemas = load_schemas(os.path.join(ROOT, "api", "kafka"))

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def setUp(self):
        self.broker.set_faults()
        self.broker.start()
        self.pid = self.broker.process.pid
        self.kept = {}  # (topic, partition, offset): value, as it was acknowledged
        self.common = {"bootstrap.servers": self.broker.bootstrap, "log_level": 0}

    def tearDown(self):
        self.broker.close()

    # ---- what clients do ----

    def create(self, topic, partitions=1):
        admin = AdminClient(self.common)

        def is_made():
            try:
                admin.create_topics([NewTopic(topic, partitions)])[topic].result(ANSWER_SECONDS)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.NOT_CONTROLLER:  # the store is not there yet
                    raise
                return False
            return True

        self.broker.wait_for(f"topic {topic}", is_made)

    def produce(self, topic, count, size=SMALL, partition=0):
        """The error codes that were answered; what was acknowledged is remembered."""
        codes = []

        def on_delivery(error, message):
            if error is not None:
                codes.append(error.code())
            else:
                self.kept[message.topic(), message.partition(), message.offset()] = message.value()

        producer = Producer({**self.common, "acks": "all", "linger.ms": 0, "message.send.max.retries": 0,
                             "batch.size": 300000})
        for number in range(count):
            producer.produce(topic, f"{topic} {number} ".encode().ljust(size, b"."), partition=partition,
                             on_delivery=on_delivery)
            producer.flush(ANSWER_SECONDS)
        self.assertEqual(len(producer), 0)
        return codes

    def find_missing(self, first=0):
        """Of what was acknowledged at `first` or later, what is not there as it was."""
        missing = {place: value for place, value in self.kept.items() if place[2] >= first}
        consumer = Consumer({**self.common, "group.id": "reader", "enable.auto.commit": False, "enable.partition.eof": True,
                             "check.crcs": True})
        places = sorted({place[:2] for place in missing})
        consumer.assign([TopicPartition(topic, partition, first) for topic, partition in places])
        open_ends = len(places)
        deadline = time.monotonic() + ANSWER_SECONDS
        while open_ends > 0:
            self.assertLess(time.monotonic(), deadline, "reading came to a halt")
            for message in consumer.consume(1000, timeout=0.1):
                if message.error() is not None:
                    self.assertEqual(message.error().code(), KafkaError._PARTITION_EOF)
                    open_ends -= 1
                    continue
                place = (message.topic(), message.partition(), message.offset())
                if missing.get(place) == message.value():
                    del missing[place]
        consumer.close()
        return sorted(missing)

    def fetch(self, *topics):
        """{topic: error code} of one request; a broker that has just started may have to learn of the newest topics."""
        def answers():
            with PlainSession(self.schemas, self.broker.bootstrap) as session:
                answer = session.call(FETCH, 12, MaxWaitMs=0, MinBytes=1, Topics=[
                    {"Topic": topic, "Partitions": [{"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 1 << 20}]}
                    for topic in topics])
            codes = {each["Topic"]: each["Partitions"][0]["ErrorCode"] for each in answer["Responses"]}
            return codes if KafkaError.UNKNOWN_TOPIC_OR_PART not in codes.values() else None

        return self.broker.wait_for("topics that are known", answers)

    def topic_id(self, topic):
        def found():
            with PlainSession(self.schemas, self.broker.bootstrap) as session:
                answer = session.call(METADATA, 12, Topics=[{"Name": topic}])
            return answer["Topics"][0]["TopicId"].int and answer["Topics"][0]["TopicId"]

        return self.broker.wait_for(f"topic {topic}", found)

    def restart(self, cleanly):
        """Or after a kill and a power cut."""
        if cleanly:
            self.broker.stop()
        else:
            self.broker.kill()
            self.broker.cut_power(len(self.kept))
        self.broker.set_faults()
        self.broker.start()

    def assert_works_again(self, topic):
        self.broker.wait_for("an acknowledged record", lambda: self.produce(topic, 1) == [])
        self.assertEqual(self.produce(topic, 5) + self.produce(topic, 2, LARGE), [])
        self.assertEqual(self.find_missing(), [])

    # ---- full ----

    def check_full_disk(self, rule, name):
        topic, other = name, f"{name}-other"
        self.create(topic)
        self.create(other)
        self.assertEqual(self.produce(topic, 20) + self.produce(topic, 3, LARGE) + self.produce(other, 5), [])
        self.broker.set_faults(rule)
        codes = self.produce(topic, 20) + self.produce(topic, 20, LARGE)
        self.assertEqual(set(codes), {STORAGE_ERROR})

        self.assertEqual(self.find_missing(), [], "reads go on")
        admin = AdminClient(self.common)
        deleted = admin.delete_records([TopicPartition(topic, 0, 10)])
        self.assertEqual([answer.result(ANSWER_SECONDS).low_watermark for answer in deleted.values()], [10])
        admin.delete_topics([other])[other].result(ANSWER_SECONDS)
        self.kept = {place: value for place, value in self.kept.items() if place[0] == topic and place[2] >= 10}
        self.assertEqual(self.broker.ask("/readyz")[0], 200, "a full disk is no failed one")
        self.assertEqual(self.broker.metric("millrace_log_directory_failed"), 0)

        self.broker.set_faults()
        self.broker.wait_for("an acknowledged record", lambda: self.produce(topic, 1) == [])
        self.assertEqual(self.produce(topic, 5) + self.produce(topic, 3, LARGE), [])
        self.assertEqual(self.broker.process.pid, self.pid)
        self.assertIsNone(self.broker.process.poll())
        self.assertEqual(self.find_missing(10), [])
        self.restart(cleanly=False)
        self.assertEqual(self.find_missing(10), [])
        self.assert_topic_is_gone(other)

    def assert_topic_is_gone(self, topic):
        self.broker.wait_for(f"the end of topic {topic}", lambda: topic not in AdminClient(self.common).list_topics(
            timeout=ANSWER_SECONDS).topics)

    def test_a_disk_that_says_it_is_full_refuses_writes_keeps_reads_and_deletes_and_recovers_by_itself(self):
        self.check_full_disk("free-space * 1000000", "almost-full")

    def test_a_disk_that_fills_in_the_middle_of_a_write_refuses_it_keeps_the_rest_and_recovers_by_itself(self):
        self.check_full_disk("no-space *.log 500100", "full")

    def test_a_disk_that_is_full_for_every_file_fails_nothing_for_good(self):
        self.create("no-room")
        self.create("no-room-new")
        self.assertEqual(self.produce("no-room", 20) + self.produce("no-room", 3, LARGE), [])
        self.broker.set_faults("no-space * 300000")
        self.assertEqual(set(self.produce("no-room", 30, LARGE) + self.produce("no-room-new", 5)), {STORAGE_ERROR})
        self.assertEqual(self.find_missing(), [], "reads go on")
        self.assertEqual(self.broker.metric("millrace_log_directory_failed"), 0)
        self.broker.set_faults()
        for topic in ("no-room", "no-room-new"):
            self.assert_works_again(topic)
        self.assertEqual(self.broker.process.pid, self.pid)
        self.restart(cleanly=False)
        self.assertEqual(self.find_missing(), [])

    # ---- failed ----

    def check_failed_directory(self, rules, size, name, cleanly):
        failures = len(self.broker.events("data_directory_failed"))
        self.create(name)
        self.assertEqual(self.produce(name, 20) + self.produce(name, 3, LARGE), [])
        self.broker.set_faults(*rules)
        self.assertEqual(self.produce(name, 2, size), [STORAGE_ERROR] * 2)
        self.broker.set_faults()
        self.assertEqual(self.produce(name, 1) + self.produce(name, 1, LARGE), [STORAGE_ERROR] * 2,
                         "a disk that failed is not trusted again")
        self.assertEqual(self.find_missing(), [], "reads go on")
        status, text = self.broker.ask("/readyz")
        self.assertEqual(status, 503)
        self.assertIn("the log directory failed", text)
        self.assertEqual(self.broker.ask("/healthz")[0], 200)
        self.assertEqual(self.broker.metric("millrace_log_directory_failed"), 1)
        self.assertEqual(len(self.broker.events("data_directory_failed")), failures + 1)

        self.restart(cleanly)
        self.assertEqual(self.broker.metric("millrace_log_directory_failed"), 0)
        self.assertEqual(self.find_missing(), [])
        self.assert_works_again(name)

    def test_one_failed_write_fails_the_directory_until_a_restart_which_finds_everything(self):
        self.check_failed_directory(FAILED_WRITE, SMALL, "write-small", cleanly=False)

    def test_one_failed_large_write_fails_the_directory_until_a_restart_which_finds_everything(self):
        self.check_failed_directory(FAILED_WRITE, LARGE, "write-large", cleanly=True)

    def test_one_failed_flush_fails_the_directory_until_a_restart_which_finds_everything(self):
        self.check_failed_directory(FAILED_SYNC, SMALL, "flush-small", cleanly=True)

    def test_one_failed_large_flush_fails_the_directory_until_a_restart_which_finds_everything(self):
        self.check_failed_directory(FAILED_SYNC, LARGE, "flush-large", cleanly=False)

    # ---- the rest ----

    def test_a_failed_read_is_an_error_of_its_partition_and_the_next_one_works(self):
        for topic in ("read-bad", "read-good"):
            self.create(topic)
            self.assertEqual(self.produce(topic, 5, LARGE), [])
        self.restart(cleanly=True)  # nothing is in memory any more
        self.broker.set_faults(f"read-error topics/{self.topic_id('read-bad')}/*.log")
        self.assertEqual(self.fetch("read-bad", "read-good"), {"read-bad": STORAGE_ERROR, "read-good": 0})
        self.broker.set_faults()
        self.assertEqual(self.fetch("read-bad", "read-good"), {"read-bad": 0, "read-good": 0})
        self.assertEqual(self.find_missing(), [])
        self.assertEqual(self.broker.metric("millrace_log_directory_failed"), 0)
        self.assert_works_again("read-bad")

    def test_a_failed_read_at_start_is_an_error_of_its_partition_until_the_next_start(self):
        for topic in ("start-bad", "start-good"):
            self.create(topic)
            self.assertEqual(self.produce(topic, 20) + self.produce(topic, 3, LARGE), [])
        bad = self.topic_id("start-bad")
        self.broker.kill()
        self.broker.set_faults(f"read-error topics/{bad}/*.log")
        self.broker.start()
        self.broker.set_faults()
        self.assertEqual(self.fetch("start-bad", "start-good"), {"start-bad": STORAGE_ERROR, "start-good": 0})
        self.assertEqual(self.produce("start-bad", 1), [STORAGE_ERROR])
        self.assertIn(str(bad), self.broker.events("partition_isolated")[-1])
        self.restart(cleanly=True)
        self.assertEqual(self.find_missing(), [])
        for topic in ("start-bad", "start-good"):
            self.assert_works_again(topic)

    def test_a_failed_write_or_flush_at_start_ends_it_with_a_reason_and_the_next_start_works(self):
        self.create("start")
        self.assertEqual(self.produce("start", 20), [])
        for rule in ("write-error *", "sync-error *"):
            failures = len(self.broker.events("start_failed"))
            self.broker.kill()
            self.broker.set_faults(rule)
            self.broker.start(waits=False)
            self.assertEqual(self.broker.process.wait(ANSWER_SECONDS), 1)
            self.assertEqual(len(self.broker.events("start_failed")), failures + 1)
            self.broker.cut_power(failures)
            self.broker.set_faults()
            self.broker.start()
            self.assertEqual(self.find_missing(), [])
        self.assert_works_again("start")

    def test_short_writes_are_finished_and_nothing_is_lost(self):
        self.create("short")
        self.broker.set_faults("short-write * 700")
        self.assertEqual(self.produce("short", 50) + self.produce("short", 10, LARGE), [])
        self.assertEqual(self.find_missing(), [])
        self.restart(cleanly=False)
        self.assertEqual(self.find_missing(), [])
        self.assert_works_again("short")


if __name__ == "__main__":
    unittest.main(verbosity=2)

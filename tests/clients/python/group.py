# SPDX-License-Identifier: Apache-2.0
"""The members of a consumer group, each on a thread of its own, since the poll of some libraries waits for the others.

What members have read, and what each has assigned, is looked at under one condition, which each turn of a member notifies.
"""

import threading
import time


class Member(threading.Thread):
    def __init__(self, group, instance_id):
        super().__init__(daemon=True)
        self.group = group
        self.instance_id = instance_id
        self.assigned = set()
        self.rebalances = 0
        self.error = None
        self.wants_commit = self.wants_end = False

    def run(self):
        try:
            consumer = self.group.client.member(self.group.name, self.group.topic, self.instance_id)
            while not self.wants_end:
                seen = consumer.poll()
                wants_commit = self.wants_commit
                if wants_commit:
                    consumer.commit()
                with self.group.changed:
                    self.group.seen.extend(seen)
                    self.assigned, self.rebalances = consumer.assigned(), consumer.rebalances
                    self.wants_commit = self.wants_commit and not wants_commit
                    self.group.changed.notify_all()
            consumer.close()
        except Exception as error:  # told by whoever waits
            with self.group.changed:
                self.error = error
                self.group.changed.notify_all()


class Group:
    def __init__(self, client, name, topic, patience_s):
        self.client = client
        self.name = name
        self.topic = topic
        self.patience_s = patience_s
        self.changed = threading.Condition()
        self.members = []
        self.seen = []

    def join(self, instance_id):
        member = Member(self, instance_id)
        self.members.append(member)
        member.start()
        return member

    def leave(self, index):
        member = self.members.pop(index)
        member.wants_end = True
        member.join(self.patience_s)
        if member.is_alive():
            raise TimeoutError("a member did not end")
        if member.error:
            raise member.error

    def shares(self):
        """How many partitions each member has, fewest first, or None while two have the same."""
        assigned = [partition for member in self.members for partition in member.assigned]
        if len(set(assigned)) != len(assigned):
            return None
        return sorted(len(member.assigned) for member in self.members)

    def commit(self):
        with self.changed:
            for member in self.members:
                member.wants_commit = True
        self.wait_for("commits", lambda: not any(member.wants_commit for member in self.members))

    def wait_for(self, what, is_so):
        deadline = time.monotonic() + self.patience_s
        with self.changed:
            while not is_so():
                for member in self.members:
                    if member.error:
                        raise member.error
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise TimeoutError(f"{what}: not within {self.patience_s} s; members have "
                                       f"{[sorted(member.assigned) for member in self.members]}, {len(self.seen)} records read")

    def close(self):
        while self.members:
            self.leave(0)

# SPDX-License-Identifier: Apache-2.0
"""Takes the private PostgreSQL of a state directory away and brings it back, in two ways."""

import os
import signal
import time

from crash import wait_for

STOP_SECONDS = 20


def parent_of(pid):
    """None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            state, parent = file.read().rsplit(")", 1)[1].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else int(parent)


class Outage:
    def __init__(self, millrace):
        self.millrace = millrace
        self.frozen = []
        self.began_at = None

    def postmaster(self):
        found = [process["pid"] for process in self.millrace.processes() if process["role"] == "postgresql"]
        if len(found) != 1:
            raise RuntimeError(f"one PostgreSQL was expected, these run: {found}")
        return found[0]

    def begin(self, kind):
        postmaster = self.postmaster()
        if kind == "stopped":
            os.kill(postmaster, signal.SIGINT)  # a fast shutdown: sessions are ended
            wait_for("PostgreSQL stops", STOP_SECONDS, lambda: parent_of(postmaster) is None)
        else:
            self.freeze(postmaster)
        self.began_at = time.monotonic()

    def freeze(self, postmaster):
        """The postmaster first, so that it starts nobody any more; then all that it has started."""
        os.kill(postmaster, signal.SIGSTOP)
        self.frozen = [postmaster]
        for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
            if parent_of(pid) == postmaster:
                os.kill(pid, signal.SIGSTOP)
                self.frozen.append(pid)

    def seconds(self):
        return time.monotonic() - self.began_at

    def end(self):
        """As an operator would: what stands still goes on, what was stopped comes back with `./dev up`."""
        self.thaw()
        self.millrace.run("up", "--detach")

    def thaw(self):
        """Also for a test that failed: a process that stands still cannot be stopped."""
        for pid in reversed(self.frozen):
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.frozen = []

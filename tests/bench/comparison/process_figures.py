# SPDX-License-Identifier: Apache-2.0
"""What the kernel knows of one process, and of the machine."""

import os

TICKS = os.sysconf("SC_CLK_TCK")


def lines_of(path):
    with open(path, encoding="ascii") as file:
        return file.read().splitlines()


def numbers_of(path):
    """{name: number} of a file of "name: number [unit]" lines; other lines are left out."""
    words = (line.split() for line in lines_of(path))
    return {each[0].rstrip(":"): int(each[1]) for each in words if len(each) > 1 and each[0].endswith(":") and each[1].isdigit()}


def cpu_seconds(pid):
    """User and system, of all its threads."""
    fields = lines_of(f"/proc/{pid}/stat")[0].rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid):
    return 1024 * numbers_of(f"/proc/{pid}/status")["VmRSS"]


def written_bytes(pid):
    """What it made the kernel write to disks."""
    return numbers_of(f"/proc/{pid}/io")["write_bytes"]


def machine_ticks():
    """{kind: ticks} of all cores since the machine started."""
    kinds = ("user", "nice", "system", "idle", "waiting", "irq", "softirq", "stolen")
    return dict(zip(kinds, map(int, lines_of("/proc/stat")[0].split()[1:9])))


class Steal:
    """The share of the machine's time that the host gave to others since this was made."""

    def __init__(self):
        self.before = machine_ticks()

    def share(self):
        spent = {kind: now - self.before[kind] for kind, now in machine_ticks().items()}
        return spent["stolen"] / max(sum(spent.values()), 1)


class TimeSpent:
    """Where the time of all cores went since this was made, as shares that are 1 together: the server, the load (children that
    were waited for), waiting for the disk with nothing else to do, idle, stolen by the host, other (threads of the kernel)."""

    def __init__(self, pid):
        self.pid = pid
        self.before = self.now()

    def now(self):
        ticks, children = machine_ticks(), os.times()
        return {"server": cpu_seconds(self.pid) * TICKS, "load": (children.children_user + children.children_system) * TICKS,
                "disk": ticks["waiting"], "idle": ticks["idle"], "stolen": ticks["stolen"], "all": sum(ticks.values())}

    def shares(self):
        spent = {what: now - self.before[what] for what, now in self.now().items()}
        whole = max(spent.pop("all"), 1)
        shares = {what: ticks / whole for what, ticks in spent.items()}
        return shares | {"other": max(1 - sum(shares.values()), 0)}

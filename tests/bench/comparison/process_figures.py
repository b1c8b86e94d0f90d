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


class Steal:
    """The share of the machine's time that the host gave to others since this was made."""

    def __init__(self):
        self.before = self.ticks()

    @staticmethod
    def ticks():
        """(stolen, all)"""
        fields = [int(each) for each in lines_of("/proc/stat")[0].split()[1:9]]
        return fields[7], sum(fields)

    def share(self):
        stolen, all_of_it = (now - then for now, then in zip(self.ticks(), self.before))
        return stolen / all_of_it if all_of_it > 0 else 0.0

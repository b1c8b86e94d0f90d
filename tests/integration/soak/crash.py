# SPDX-License-Identifier: Apache-2.0
"""The rounds of `./dev soak crash`: crash.py ROOT STATE ROUNDS SEED RESULTS. See `crash` beside it.

A round: load runs on a Standard and an Enterprise instance, a moment passes, a topic is made, something is killed with
SIGKILL, another topic is asked for, `./dev up` brings back what does not come back by itself, load goes on for a moment, then
every promise is checked, and the processes, directories, roles and cells are counted.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

from load import TOPIC, Load
from rest import Rest

VICTIMS = ["broker", "controlplane", "postgresql", "all"]


class Millrace:
    """The processes of one state directory, as `./dev status` tells them."""

    def __init__(self, root, state):
        self.dev = os.path.join(root, "dev")
        self.state = state

    def run(self, *arguments):
        done = subprocess.run([self.dev, *arguments, "--state", self.state], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=300, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"./dev {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def processes(self):
        done = subprocess.run([self.dev, "status", "--json", "--state", self.state], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
        return json.loads(done.stdout)["processes"]

    def kill(self, victim):
        roles = {"broker": ["broker"], "controlplane": ["serve", "provision"], "postgresql": ["postgresql"],
                 "all": ["supervisor", "broker", "serve", "provision", "postgresql"]}[victim]
        processes = self.processes()
        for role in roles:  # supervisors before their brokers, or they would start them again
            for process in processes:
                if process["role"] == role:
                    try:
                        os.kill(process["pid"], signal.SIGKILL)
                    except ProcessLookupError:
                        pass

    def count(self):
        """How many of each: processes by role, directories of cells, database roles of cells, cells in the fleet."""
        counts = {}
        for process in self.processes():
            counts[process["role"]] = counts.get(process["role"], 0) + 1
        counts["directories"] = len(os.listdir(os.path.join(self.state, "cells")))
        counts["roles"] = self.sql("select count(*) from pg_roles where rolname ~ '^millrace_cell_'")
        counts["cells"] = self.sql("select count(*) from fleet.cell where removed_at is null")
        return counts

    def sql(self, statement):
        """What the administrator of the database sees; None while it is away."""
        with open(os.path.join(self.state, "ports"), encoding="utf-8") as file:
            port = dict(line.strip().split("=") for line in file)["postgres"]
        with open(os.path.join(self.state, "secrets", "postgres"), encoding="utf-8") as file:
            environment = {**os.environ, "PGPASSWORD": file.read()}
        done = subprocess.run(["/usr/lib/postgresql/15/bin/psql", "-h", "127.0.0.1", "-p", port, "-U", "postgres",
                               "-d", "fleet", "-XAtqc", statement], capture_output=True, text=True, env=environment,
                              check=False)
        return done.stdout.strip() if done.returncode == 0 else None


def wait_for(what, seconds, condition):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.2)


def run_round(number, millrace, loads, chance, wanted):
    victim = VICTIMS[number % len(VICTIMS)]
    before = sum(len(load.records) for load in loads)
    for load in loads:
        load.delete_oldest_topic()
        load.start()
    time.sleep(chance.uniform(0.5, 2.5))
    load = loads[number % len(loads)]
    if not load.create_topic(f"round-{number}-before", chance.randrange(3600000, 86400000)):
        raise RuntimeError(f"round {number}: a topic could not be made before anything was killed")
    millrace.kill(victim)
    made = load.create_topic(f"round-{number}-after", chance.randrange(3600000, 86400000))
    asked_at = time.monotonic()
    millrace.run("up", "--detach")
    up_s = time.monotonic() - asked_at
    wait_for(f"counts {wanted}", 30, lambda: millrace.count() == wanted)
    time.sleep(chance.uniform(0.5, 1.5))
    for load in loads:
        load.stop()
    fault = next((load.fault for load in loads if load.fault), None) or \
        next((broken for broken in (load.verify() for load in loads) if broken), None)
    acknowledged = sum(len(load.records) for load in loads)
    if fault is None and acknowledged == before:
        fault = "no record was acknowledged in the whole round"
    return {"round": number, "victim": victim, "records": acknowledged, "topic_made": made,
            "up_s": round(up_s, 2), "fault": fault}


def rounds_done(results):
    try:
        with open(results, encoding="utf-8") as file:
            return sum(1 for line in file if json.loads(line)["fault"] is None)
    except (FileNotFoundError, OSError):
        return 0


def main():
    root, state, rounds, seed, results = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    done = 0 if results == "/dev/null" else rounds_done(results)
    millrace = Millrace(root, state)

    millrace.run("up", "--detach")
    rest = Rest(os.path.join(state, "endpoints.json"))
    loads = []
    for plan, flush in (("standard", "commit"), ("enterprise", "os")):  # a killed process loses neither
        instance = rest.create_instance(plan, f"crash-{plan}-{os.getpid()}")
        loads.append(Load(plan, rest.create_key(instance["guid"], "crash"), rest.endpoints["ca_file"]))
        wait_for(f"topic {TOPIC}", 20, lambda: loads[-1].create_topic(TOPIC, 86400000, flush))
    wanted = millrace.count()

    for number in range(done, rounds):
        try:
            outcome = run_round(number, millrace, loads, random.Random(f"{seed}/{number}"), wanted)
        finally:
            for load in loads:
                load.stop()
        with open(results, "a", encoding="utf-8") as file:
            file.write(json.dumps(outcome) + "\n")
        print(json.dumps(outcome), flush=True)
        if outcome["fault"]:
            sys.exit(1)
    print(f"{rounds} rounds, every promise kept")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""One broker, the real binary, started by the test itself and not by the process driver: on a disk that may be faulty
(tests/support/faulty_disk), killed when the test wants it and started again when the test wants it.

`./dev up` makes the cell, its rows and a PostgreSQL; then everything but PostgreSQL stops. The broker serves the
instance `plaintext` on a listener without TLS.
"""

import glob
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from rest import Rest

START_SECONDS = 30
PSQL = "/usr/lib/postgresql/15/bin/psql"


def free_ports(count=2):
    """The first of some that follow each other, below those of outgoing connections."""
    while True:
        port = random.randrange(21000, 31000)
        try:
            for number in range(port, port + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
            return port
        except OSError:
            continue


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class LoneBroker:
    def __init__(self, root, state, limits=None, tenant_plan=None, **options):
        """limits: of instances, instead of their plans'; tenant_plan: of a second instance, whose key is in `tenant` and which
        is reached over TLS; options: of `millrace-broker serve`, besides those of broker.conf."""
        self.root, self.state, self.process = root, state, None
        self.options = [f"--{name}={value}" for name, value in options.items()]
        self.bootstrap = f"127.0.0.1:{free_ports()}"
        if limits:
            self.dev("up", "--detach")
            self.sql("fleet", f"UPDATE fleet.plan SET limits = limits || '{json.dumps(limits)}'")
            self.dev("down")
        self.dev("up", "--detach", "--plaintext", self.bootstrap.split(":")[1])
        self.tenant = self.make_tenant(tenant_plan) if tenant_plan else None
        self.stop_all_but_postgresql()
        (self.conf,) = glob.glob(os.path.join(state, "cells", "*", "*", "broker.conf"))
        with open(self.conf, encoding="utf-8") as file:
            values = dict(line.strip().split(" = ", 1) for line in file if " = " in line)
        self.data, self.metrics = values["data_dir"], f"http://127.0.0.1:{values['metrics_port']}"
        self.log = os.path.join(state, "log", "lone-broker.log")
        # Copies: a build in the middle of a soak changes nothing.
        self.program = self.copy_of("dataplane/millrace-broker")
        self.faulty_disk = self.copy_of("tests/support/faulty_disk/libfaulty_disk.so")
        self.power_cut = self.copy_of("tests/support/faulty_disk/power_cut")
        self.journal, self.control = self.data + ".journal", self.data + ".faults"

    def copy_of(self, program):
        return shutil.copy2(os.path.join(self.root, "build", program), self.state)

    def dev(self, verb, *arguments):
        done = subprocess.run([os.path.join(self.root, "dev"), verb, "--state", self.state, *arguments], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=300, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"./dev {verb} failed:\n{done.stdout}{done.stderr}")

    def sql(self, database, statement):
        """As the administrator."""
        with open(os.path.join(self.state, "ports"), encoding="utf-8") as file:
            port = dict(line.strip().split("=") for line in file)["postgres"]
        with open(os.path.join(self.state, "secrets", "postgres"), encoding="utf-8") as file:
            environment = {**os.environ, "PGPASSWORD": file.read()}
        done = subprocess.run([PSQL, "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-d", database, "-XAtqv",
                               "ON_ERROR_STOP=1", "-c", statement], capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def make_tenant(self, plan):
        """The credentials of a key."""
        rest = Rest(os.path.join(self.state, "endpoints.json"))
        return rest.create_key(rest.create_instance(plan, "tenant")["guid"], "tenant")

    def stop_all_but_postgresql(self):
        os.unlink(os.path.join(self.state, "endpoints.json"))
        for name in ("serve", "provision"):
            with open(os.path.join(self.state, name + ".pid"), encoding="utf-8") as file:
                pid = int(file.read())
            os.kill(pid, signal.SIGTERM)
            self.wait_for(f"the end of {name}", lambda pid=pid: not is_alive(pid))
        subprocess.run([os.path.join(self.root, "build/controlplane/millrace-controlplane"), "stop-cells", "--config",
                        os.path.join(self.state, "conf/provision.conf")], check=True, capture_output=True)
        self.wait_for("the end of the broker", lambda: not self.port_is_taken())

    def port_is_taken(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.bootstrap.split(":")[1]))) == 0

    @staticmethod
    def wait_for(what, condition, seconds=START_SECONDS):
        """Looks again until the condition gives something true, and returns that."""
        deadline = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {seconds} s")
            time.sleep(0.01)

    # ---- the process ----

    def start(self, on_faulty_disk=True, waits=True):
        environment = dict(os.environ)
        if on_faulty_disk:
            environment.update(LD_PRELOAD=self.faulty_disk, FAULTY_DISK_DATA=self.data,
                               FAULTY_DISK_JOURNAL=self.journal, FAULTY_DISK_FAULTS=self.control)
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([self.program, "serve", "--config", self.conf, *self.options], env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if waits:
            self.wait_for("a broker that is ready", self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the broker ended with {self.process.returncode}:\n{self.end_of_log()}")
        return self.ask("/readyz")[0] == 200

    def ask(self, path):
        """Status and text; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(self.metrics + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name):
        """The one value of that name."""
        (value,) = [line.split()[1] for line in self.ask("/metrics")[1].splitlines() if line.startswith(name + " ")]
        return float(value)

    def end_of_log(self, lines=15):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def events(self, name):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return [line for line in file if f"event={name} " in line or f"event={name}\n" in line]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Cleanly."""
        self.process.terminate()
        if self.process.wait(30) != 0:
            raise RuntimeError(f"the broker stopped with {self.process.returncode}:\n{self.end_of_log()}")

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()

    # ---- its disk ----

    def cut_power(self, seed):
        """After kill; what was undecided, as power_cut tells it."""
        done = subprocess.run([self.power_cut, "--seed", str(seed), self.data, self.journal], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(f"power_cut: {done.stderr}")
        return json.loads(done.stdout)

    def set_faults(self, *rules):
        with open(self.control + ".new", "w", encoding="utf-8") as file:
            file.write("".join(rule + "\n" for rule in rules))
        os.rename(self.control + ".new", self.control)

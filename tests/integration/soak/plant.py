# SPDX-License-Identifier: Apache-2.0
"""Two replicas of `serve`, two of `provision`, their brokers and a PostgreSQL of their own, for tests that kill them.

Whoever dies is started again at once by a thread that only watches. Everything lies in one fresh directory under /tmp.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../controlplane"))
from fixture import Postgres, free_port  # noqa: E402

LEASE_MS = 500
POLL_MS = 100


def wait_for(what, seconds, condition):
    """Looks again until the condition gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Replica:
    def __init__(self, name, command, log):
        self.name, self.command, self.log = name, command, log
        self.start()

    def start(self):
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


class Plant:
    def __init__(self, root):
        self.directory = tempfile.mkdtemp(prefix="millrace-kill-")
        os.chmod(self.directory, 0o755)
        # Copies: a build in the middle of a soak changes nothing.
        self.binary = shutil.copy2(os.path.join(root, "build/controlplane/millrace-controlplane"), self.directory)
        self.broker = shutil.copy2(os.path.join(root, "build/dataplane/millrace-broker"), self.directory)
        self.failpoint_file = self.path("failpoint")
        self.postgres = Postgres(self.directory)
        for role in ("serve", "provision"):
            with open(os.open(self.path(role), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
                file.write(base64.b16encode(os.urandom(16)).decode() + "\n")
        self.verb("migrate", "--admin", self.postgres.admin(), "--serve_password_file", self.path("serve"),
                  "--provision_password_file", self.path("provision"))
        self.ids = json.loads(self.verb(
            "bootstrap", "--admin", self.postgres.admin(), "--sealing_key_file", self.path("sealing"),
            "--operator_key_file", self.path("operator"), "--ca_certificate_file", self.path("ca.pem"),
            "--ca_key_file", self.path("ca.key"), "--certificate_file", self.path("rest.pem"),
            "--key_file", self.path("rest.key")))
        with open(self.path("operator"), encoding="utf-8") as file:
            self.operator_key = file.read().strip()
        self.ports = [free_port(), free_port()]
        self.replicas = [self.make_serve(port) for port in self.ports] + [self.make_provision(n) for n in (1, 2)]
        self.restarts = 0
        self.is_stopping = threading.Event()
        self.keeper = threading.Thread(target=self.keep)
        self.keeper.start()

    def path(self, name):
        return os.path.join(self.directory, name)

    def verb(self, *arguments):
        done = subprocess.run([self.binary, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{arguments[0]}: {done.stderr}")
        return done.stdout

    def conninfo(self, database, user):
        return f"host={self.postgres.directory} dbname={database} user=millrace_{user}"

    def make_serve(self, port):
        return Replica(f"serve-{port}", [
            self.binary, "serve", "--listen_port", str(port), "--listen_addresses", "127.0.0.1",
            "--public_url", f"https://localhost:{self.ports[0]}", "--certificate_file", self.path("rest.pem"),
            "--key_file", self.path("rest.key"), "--ca_certificate_file", self.path("ca.pem"),
            "--sealing_key_file", self.path("sealing"), "--fleet", self.conninfo("fleet", "serve"),
            "--password_file", self.path("serve"), "--operation_wait_ms", "1000",
            "--failpoint_file", self.failpoint_file,
        ], self.path("serve.log"))

    def provision_options(self):
        return ["--fleet", self.conninfo("fleet", "provision"), "--cells", self.conninfo("cells", "provision"),
                "--password_file", self.path("provision"), "--broker_store",
                f"host={self.postgres.directory} dbname=cells", "--state_dir", self.directory, "--broker_program",
                self.broker, "--ca_certificate_file", self.path("ca.pem"), "--ca_key_file", self.path("ca.key"),
                "--broker_loops", "1", "--workers", "4", "--lease_ms", str(LEASE_MS), "--poll_ms", str(POLL_MS),
                "--failpoint_file", self.failpoint_file]

    def make_provision(self, number):
        return Replica(f"provision-{number}", [self.binary, "provision", *self.provision_options()],
                       self.path("provision.log"))

    def keep(self):
        while not self.is_stopping.wait(0.01):
            for replica in self.replicas:
                if replica.process.poll() is not None:
                    replica.start()
                    self.restarts += 1

    # ---- what tests do to it ----

    def arm(self, name, action, nth):
        with open(self.failpoint_file + ".new", "w", encoding="utf-8") as file:
            file.write(f"{name} {action} {nth}\n")
        os.rename(self.failpoint_file + ".new", self.failpoint_file)

    def disarm(self):
        """True when somebody has acted."""
        try:
            os.unlink(self.failpoint_file)
            return False
        except FileNotFoundError:
            return True

    def thaw(self):
        for replica in self.replicas:
            os.kill(replica.process.pid, signal.SIGCONT)

    def broker_processes(self):
        """{pid: (verb, directory)} of every process of a broker below our directory."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().decode(errors="replace").split("\0")
            except OSError:
                continue
            if os.path.basename(words[0]) != "millrace-broker":
                continue
            for word in words:
                if word.startswith(self.directory + "/cells/"):
                    where = word[len(self.directory) + len("/cells/"):].split("/")
                    found[int(pid)] = (words[1], "/".join(where[:2]))
                    break
        return found

    def kill_a_broker(self, chance, verb):
        victims = sorted(pid for pid, (what, _) in self.broker_processes().items() if what == verb)
        if victims:
            try:
                os.kill(chance.choice(victims), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def kill_postgres(self):
        with open(os.path.join(self.postgres.data, "postmaster.pid"), encoding="utf-8") as file:
            postmaster = int(file.readline())
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(postmaster)], check=True, capture_output=True,
                                  text=True).stdout.split()
        killed = [postmaster, *map(int, children)]
        for pid in killed:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_for("the end of PostgreSQL", 10, lambda: not any(is_alive(pid) for pid in killed))
        wait_for("PostgreSQL after its death", 30, self.starts_postgres)

    def starts_postgres(self):
        """False while a process that was forked in its last moment still holds its memory."""
        try:
            self.postgres.start(stderr=subprocess.DEVNULL)
            return True
        except subprocess.CalledProcessError:
            time.sleep(0.05)
            return False

    def sql(self, database, statement):
        """One JSON value, as the administrator sees it."""
        return json.loads(self.change(database, statement))

    def change(self, database, statement):
        done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.postgres.directory, "-U", "postgres",
                               "-d", database, "-c", statement], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout

    def stop(self, keeps_files):
        self.is_stopping.set()
        self.keeper.join()
        for replica in self.replicas:
            replica.process.send_signal(signal.SIGCONT)
            replica.process.terminate()
        for replica in self.replicas:
            replica.process.wait(15)
        subprocess.run([self.binary, "stop-cells", *self.provision_options()], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        self.postgres.stop()
        if not keeps_files:
            shutil.rmtree(self.directory)

# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL and a running `millrace-controlplane serve`, for one test run.

The cluster lies in a fresh directory under /tmp, runs as user postgres (PostgreSQL refuses root), and is reached by a
unix socket there; nothing of it stays. The place of `provision` is taken by a psql session in the role
millrace_provision that does to the rows what provision does, so the grants of both roles are tested as well.
"""

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.parse

PG_BIN = "/usr/lib/postgresql/15/bin"
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))

# What provision would do, once every 30 ms: shared instances and keys at once, dedicated instances a second later.
FAKE_PROVISION = """
DO $$ BEGIN
UPDATE fleet.operation o SET state = 'succeeded', description = 'Done.', updated_at = now()
  FROM fleet.instance i WHERE i.instance_id = o.instance_id AND o.state = 'in progress'
  AND i.name NOT LIKE 'stuck%' AND i.phase IN ('creating', 'updating', 'retiring', 'restoring', 'deleting')
  AND (i.sharing = 'shared' OR i.phase <> 'creating' OR i.created_at < now() - interval '1 second');
UPDATE fleet.reclamation r SET closed_at = now() FROM fleet.instance i WHERE i.instance_id = r.instance_id
  AND r.closed_at IS NULL AND i.phase IN ('restoring', 'deleting')
  AND NOT EXISTS (SELECT FROM fleet.operation o WHERE o.instance_id = i.instance_id AND o.state = 'in progress');
UPDATE fleet.instance i SET
  phase = CASE i.phase WHEN 'deleting' THEN 'removed' WHEN 'retiring' THEN 'retired' ELSE 'ready' END,
  reclaim_at = CASE i.phase WHEN 'restoring' THEN NULL ELSE reclaim_at END,
  restored_at = CASE i.phase WHEN 'restoring' THEN now() ELSE restored_at END,
  deleted_at = CASE i.phase WHEN 'deleting' THEN now() END, instance_no = 1, published_revision = revision,
  endpoints = jsonb_build_object('brokers', jsonb_build_array('localhost:19093', 'localhost:19094'),
  'http_url', 'https://localhost:1/instances/' || i.instance_id)
  WHERE i.phase IN ('creating', 'updating', 'retiring', 'restoring', 'deleting')
  AND NOT EXISTS (SELECT FROM fleet.operation o WHERE o.instance_id = i.instance_id AND o.state = 'in progress');
UPDATE fleet.credential SET state = 'active' WHERE state = 'creating' AND name NOT LIKE 'stuck%';
UPDATE fleet.credential SET state = 'removed', verifier = NULL, scram_sha_256 = NULL, scram_sha_512 = NULL,
  sealed_key = NULL, deleted_at = now() WHERE state = 'deleting' AND name NOT LIKE 'stuck%';
END $$ \\watch 0.03
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    def __init__(self, directory):
        self.directory = os.path.join(directory, "pg")
        self.data = os.path.join(self.directory, "data")
        os.mkdir(self.directory, 0o755)
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres")
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync")
        with open(os.path.join(directory, "hba"), "w") as hba:
            hba.write("local all postgres trust\nlocal all all scram-sha-256\n")
        shutil.copyfile(os.path.join(directory, "hba"), os.path.join(self.data, "pg_hba.conf"))
        self.start()

    @staticmethod
    def _user():
        return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}

    def _run(self, program, *args, stderr=None):
        subprocess.run([os.path.join(PG_BIN, program), *args], check=True, cwd="/", stdout=subprocess.DEVNULL,
                       stderr=stderr, **self._user())

    def start(self, stderr=None):
        self._run("pg_ctl", "-D", self.data, "-w", "-l", os.path.join(self.directory, "log"), "-o",
                  f"-k {self.directory} -c listen_addresses= -c fsync=off -c max_connections=200", "start", stderr=stderr)

    def stop(self):
        self._run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")

    def pause(self, is_paused):
        """Stops every server process from answering without closing a connection."""
        with open(os.path.join(self.data, "postmaster.pid")) as pid_file:
            pid = int(pid_file.readline())
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], check=True, capture_output=True, text=True)
        for each in [pid, *map(int, children.stdout.split())]:
            os.kill(each, signal.SIGSTOP if is_paused else signal.SIGCONT)

    def admin(self):
        return f"host={self.directory} user=postgres"

    def query(self, sql, user="postgres", password=None):
        """Rows as lines; raises with psql's message."""
        env = dict(os.environ, PGPASSWORD=password or "")
        done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-U", user, "-d", "fleet",
                               "-c", sql], env=env, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.splitlines()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Service:
    """options: more of them for every `serve`."""

    def __init__(self, binary, *options):
        self.binary, self.options = binary, options
        self.directory = tempfile.mkdtemp(prefix="millrace-rest-")
        os.chmod(self.directory, 0o755)
        self.port, self.metrics_port = free_port(), free_port()
        self.processes = []
        self.postgres = Postgres(self.directory)
        self.passwords = {role: base64.b16encode(os.urandom(16)).decode() for role in ("serve", "provision")}
        for role, password in self.passwords.items():
            self._write(role, password + "\n", 0o600)
        self._verb("migrate", "--admin", self.postgres.admin(), "--serve_password_file", self.path("serve"),
                   "--provision_password_file", self.path("provision"))
        self.bootstrap_output = json.loads(self.bootstrap())
        with open(self.path("operator")) as key:
            self.operator_key = key.read().strip()
        self.start_fake_provision()
        self.start()
        self.token = None

    def path(self, name):
        return os.path.join(self.directory, name)

    def _write(self, name, text, mode):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT, mode), "w") as out:
            out.write(text)

    def _verb(self, *args):
        done = subprocess.run([self.binary, *args], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{args[0]}: {done.stderr}")
        return done.stdout

    def bootstrap(self, *more):
        return self._verb("bootstrap", "--admin", self.postgres.admin(), "--sealing_key_file", self.path("sealing"),
                          "--operator_key_file", self.path("operator"), "--ca_certificate_file", self.path("ca.pem"),
                          "--ca_key_file", self.path("ca.key"), "--certificate_file", self.path("rest.pem"),
                          "--key_file", self.path("rest.key"), *more)

    def start_fake_provision(self):
        env = dict(os.environ, PGPASSWORD=self.passwords["provision"])
        psql = subprocess.Popen(["psql", "-Xq", "-h", self.postgres.directory, "-U", "millrace_provision", "-d", "fleet"],
                                env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        psql.stdin.write(FAKE_PROVISION.encode())
        psql.stdin.flush()
        self.processes.append(psql)

    def start(self):
        self.serve = self._spawn(self.port, self.metrics_port)
        self.wait_ready(self.port)

    def start_replica(self, *options):
        """Another process with the same keys and public URL, and more options; returns its port."""
        port = free_port()
        self._spawn(port, free_port(), *options)
        self.wait_ready(port)
        return port

    def _spawn(self, port, metrics_port, *options):
        with open(self.path("serve.log"), "a") as log:
            serve = subprocess.Popen(
                [self.binary, "serve", "--listen_port", str(port), "--metrics_port", str(metrics_port),
                 "--public_url", f"https://localhost:{self.port}", "--certificate_file", self.path("rest.pem"),
                 "--key_file", self.path("rest.key"), "--ca_certificate_file", self.path("ca.pem"),
                 "--sealing_key_file", self.path("sealing"), "--fleet",
                 f"host={self.postgres.directory} dbname=fleet user=millrace_serve", "--password_file",
                 self.path("serve"), "--operation_wait_ms", "1500", "--request_timeout_ms", "2000", "--log_format", "json",
                 *self.options, *options],
                stderr=log)
        self.processes.append(serve)
        return serve

    def wait_ready(self, port=None):
        deadline = time.monotonic() + 20
        while True:
            try:
                if self.call("GET", "/readyz", auth=None, port=port).status == 200:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline or self.serve.poll() is not None:
                raise RuntimeError("serve is not ready:\n" + open(self.path("serve.log")).read())
            time.sleep(0.05)

    def stop_serve(self):
        self.serve.terminate()
        return self.serve.wait(10)

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            process.wait(10)
            if process.stdin:
                process.stdin.close()
        self.postgres.stop()
        with open(self.path("serve.log")) as log:
            complaints = [line for line in log if not line.startswith("{")]
        shutil.rmtree(self.directory)
        if self.serve.returncode != 0 or complaints:  # a sanitizer has found something
            raise RuntimeError(f"serve ended with {self.serve.returncode}: {''.join(complaints)}")

    # ---- HTTP ----

    def tls(self):
        return ssl.create_default_context(cafile=self.path("ca.pem"))

    def connect(self, port=None):
        return http.client.HTTPSConnection("localhost", port or self.port, context=self.tls(), timeout=15)

    def raw(self, request):
        """Sends bytes over TLS, returns all that comes until the other side closes or 3 s have passed."""
        with socket.create_connection(("localhost", self.port), timeout=3) as plain:
            with self.tls().wrap_socket(plain, server_hostname="localhost") as stream:
                stream.sendall(request)
                answer = b""
                try:
                    while piece := stream.recv(65536):
                        answer += piece
                except (socket.timeout, ssl.SSLError, ConnectionError):
                    answer += b"<open>"
                return answer

    def call(self, method, path, body=None, auth="operator", headers=None, form=None, port=None):
        headers = dict(headers or {})
        if auth == "operator":
            headers["Authorization"] = "Bearer " + self.operator_token()
        elif auth:
            headers["Authorization"] = auth
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        connection = self.connect(port)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def operator_token(self):
        if not self.token:
            self.token = self.call("POST", "/identity/token", auth=None, form={
                "grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": self.operator_key,
            }).json()["access_token"]
        return self.token

    # ---- shorthand ----

    def instance_body(self, name="orders", plan="standard", **more):
        ids = self.bootstrap_output
        return {"name": name, "target": "global", "resource_group": ids["resource_group_id"],
                "resource_plan_id": ids["plans"][plan], **more}

    def create_instance(self, **kwargs):
        answer = self.call("POST", "/v2/resource_instances", self.instance_body(**kwargs))
        assert answer.status in (201, 202), answer.body
        return answer.json()

    def create_key(self, source, name="app", **more):
        answer = self.call("POST", "/v2/resource_keys", {"name": name, "source": source, **more})
        assert answer.status in (201, 202), answer.body
        return answer.json()


def encoded(crn):
    return urllib.parse.quote(crn, safe="")

# SPDX-License-Identifier: Apache-2.0
"""Apache Kafka as one node (KRaft, broker and controller), as its own documentation starts it.

The settings are those of config/server.properties of its distribution, the options of the JVM those of its kafka-run-class.sh and
kafka-server-start.sh. What is ours: where things lie, and what SERVER says of a second listener and of deleted files.
Its start scripts are not in the published artifacts, so they are not used.
"""

import glob
import os
import shutil
import subprocess

from comparison.server import Server
from lone_broker import free_ports

JAVA = "/usr/lib/jvm/default-java/bin/java"
USER = "bench"
CIPHER = "TLS_AES_128_GCM_SHA256"  # what Millrace prefers, too
STOP_SECONDS = 60

SERVER = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{tls}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs={data}
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000

# Files of a deleted topic are gone before the next figure (60 s otherwise): nobody writes back what one figure left for another.
log.segment.delete.delay.ms=500

ssl.keystore.type=PEM
ssl.keystore.location={directory}/server.pem
ssl.enabled.protocols=TLSv1.3
ssl.cipher.suites={cipher}
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
"""

LOGGING = """
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = out
"""


class ApacheKafka(Server):
    name = "kafka"

    def __init__(self, root, directory, heap):
        super().__init__()
        self.directory, self.heap = directory, heap
        self.jars = os.path.join(root, "var", "tools", "kafka", "jars")
        (server,) = glob.glob(os.path.join(self.jars, "kafka_2.13-*.jar"))
        self.version = server.rsplit("-", 1)[1].removesuffix(".jar")
        self.data, self.log = os.path.join(directory, "data"), os.path.join(directory, "server.log")
        self.properties = os.path.join(directory, "server.properties")
        self.log_began = 0
        self.user, self.ca = USER, os.path.join(directory, "ca.crt")
        self.password_file = os.path.join(directory, "password")

    # ---- what it lives on ----

    def make(self):
        """Certificates, settings and an empty data directory; ports are new ones."""
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        self.make_certificate()
        first = free_ports(3)
        self.bootstrap, self.bootstrap_tls = (f"127.0.0.1:{port}" for port in (first, first + 1))
        password = os.urandom(16).hex()
        self.write("password", password)
        self.write("log4j2.properties", LOGGING)
        self.write("server.properties", SERVER.format(
            plain=first, tls=first + 1, controller=first + 2, directory=self.directory, data=self.data, cipher=CIPHER, user=USER,
            password=password))
        self.format()

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="ascii") as file:
            file.write(text)

    def make_certificate(self):
        """Of a CA of its own: ECDSA on P-256, as the brokers of a Millrace have."""
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.directory)

        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=bench CA", "-days", "7")
        openssl("req", "-x509", *new_key, "-keyout", "server.key", "-out", "server.crt", "-subj", "/CN=127.0.0.1", "-days", "7",
                "-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                "-addext", "basicConstraints=critical,CA:FALSE")
        pem = ""
        for name in ("server.key", "server.crt", "ca.crt"):
            with open(os.path.join(self.directory, name), encoding="ascii") as file:
                pem += file.read()
        self.write("server.pem", pem)

    def format(self):
        """An empty data directory; afterwards nothing of earlier topics is there."""
        shutil.rmtree(self.data, ignore_errors=True)
        uuid = self.run("kafka.tools.StorageTool", "random-uuid").strip()
        self.run("kafka.tools.StorageTool", "format", "--standalone", "-t", uuid, "-c", self.properties)

    def run(self, program, *arguments):
        done = subprocess.run([JAVA, "-Xmx256M", f"-Dlog4j2.configurationFile={self.directory}/log4j2.properties",
                               "-cp", self.jars + "/*", program, *arguments], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    # ---- the process ----

    def start(self, waits=True):
        command = [JAVA, f"-Xmx{self.heap}", f"-Xms{self.heap}", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                   "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
                   f"-Xlog:gc*:file={self.directory}/kafkaServer-gc.log:time,tags:filecount=10,filesize=100M",
                   "-Dcom.sun.management.jmxremote=true", "-Dcom.sun.management.jmxremote.authenticate=false",
                   "-Dcom.sun.management.jmxremote.ssl=false", f"-Dkafka.logs.dir={self.directory}",
                   f"-Dlog4j2.configurationFile={self.directory}/log4j2.properties",
                   "-cp", self.jars + "/*", "kafka.Kafka", self.properties]
        with open(self.log, "a", encoding="utf-8") as log:
            self.log_began = log.tell()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if waits:
            self.wait_until_ready()

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"Apache Kafka ended with {self.process.returncode}, see {self.log}")
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "Kafka Server started" in log.read()[self.log_began:]

    def stop(self):
        self.process.terminate()
        self.process.wait(STOP_SECONDS)

    def close(self):
        """However it is."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

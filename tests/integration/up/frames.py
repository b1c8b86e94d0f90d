# SPDX-License-Identifier: Apache-2.0
"""Single Kafka requests, sent as they are, and their answers byte by byte: for what stock clients never send.

Requests and answers are dictionaries in the words of api/kafka/*.json; what a request leaves out has the schema's default.
A `Session` is one connection over TLS that has logged in with an API key, a `PlainSession` one without TLS and login; both
keep every byte that they were sent.
"""

import glob
import json
import os
import socket
import ssl
import struct
import uuid

NUMBERS = {"int8": ">b", "int16": ">h", "int32": ">i", "int64": ">q", "uint16": ">H", "bool": ">?", "float64": ">d"}
API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 17, 36
ANSWER_SECONDS = 20
FRAME_BYTES_MAX = 100 << 20


def load_schemas(directory):
    """{(api key, "request" | "response"): schema}"""
    schemas = {}
    for path in glob.glob(os.path.join(directory, "*.json")):
        with open(path, encoding="utf-8") as file:
            schema = json.load(file)
        if schema["type"] in ("request", "response"):
            schemas[schema["apiKey"], schema["type"]] = schema
    return schemas


def covers(versions, version):
    """Whether "2+", "0-4", "7" or "none" has the version."""
    if versions == "none":
        return False
    if versions.endswith("+"):
        return version >= int(versions[:-1])
    first, _, last = versions.partition("-")
    return int(first) <= version <= int(last or first)


class Encoder:
    def __init__(self, version, flexible):
        self.version, self.flexible, self.out = version, flexible, bytearray()

    def number(self, kind, value):
        self.out += struct.pack(NUMBERS[kind], value)

    def varint(self, value):
        while value >= 0x80:
            self.out.append(value & 0x7F | 0x80)
            value >>= 7
        self.out.append(value)

    def length(self, length, kind):
        """-1 is null."""
        if self.flexible:
            self.varint(length + 1)
        else:
            self.number(kind, length)

    def default(self, field):
        kind, text = field["type"], field.get("default")
        if kind.startswith("[]"):
            return None if text == "null" else []
        if kind in ("string", "bytes", "records"):
            return None if text == "null" or covers(field.get("nullableVersions", "none"), self.version) else ""
        if kind == "uuid":
            return uuid.UUID(int=0)
        if kind == "bool":
            return text == "true"
        if kind in NUMBERS:
            return int(text or 0)
        return None if text == "null" or covers(field.get("nullableVersions", "none"), self.version) else {}

    def value(self, field, kind, value):
        if kind.startswith("[]"):
            self.length(-1 if value is None else len(value), "int32")
            for item in value or []:
                self.value(field, kind[2:], item)
        elif kind in NUMBERS:
            self.number(kind, value)
        elif kind == "uuid":
            self.out += value.bytes
        elif kind in ("string", "bytes", "records"):
            text = value.encode() if isinstance(value, str) else value
            self.length(-1 if text is None else len(text), "int16" if kind == "string" else "int32")
            self.out += text or b""
        else:
            if covers(field.get("nullableVersions", "none"), self.version) and not field["type"].startswith("[]"):
                self.number("int8", -1 if value is None else 1)
            if value is not None:
                self.struct(field["fields"], value)

    def struct(self, fields, values):
        unknown = set(values) - {field["name"] for field in fields}
        if unknown:
            raise KeyError(f"the schema has no field {sorted(unknown)}")
        for field in fields:
            if covers(field["versions"], self.version) and "tag" not in field:
                self.value(field, field["type"], values.get(field["name"], self.default(field)))
        if self.flexible:
            self.varint(0)  # tagged fields are not sent: each has a default that means "not used"


class Decoder:
    def __init__(self, version, flexible, data):
        self.version, self.flexible, self.data, self.at = version, flexible, data, 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise ValueError("the answer ends too early")
        self.at += count
        return bytes(self.data[self.at - count:self.at])

    def number(self, kind):
        return struct.unpack(NUMBERS[kind], self.take(struct.calcsize(NUMBERS[kind])))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def length(self, kind):
        return self.varint() - 1 if self.flexible else self.number(kind)

    def value(self, field, kind):
        if kind.startswith("[]"):
            count = self.length("int32")
            return None if count < 0 else [self.value(field, kind[2:]) for _ in range(count)]
        if kind in NUMBERS:
            return self.number(kind)
        if kind == "uuid":
            return uuid.UUID(bytes=self.take(16))
        if kind in ("string", "bytes", "records"):
            count = self.length("int16" if kind == "string" else "int32")
            data = None if count < 0 else self.take(count)
            return data.decode() if data is not None and kind == "string" else data
        if covers(field.get("nullableVersions", "none"), self.version) and not field["type"].startswith("[]") \
                and self.number("int8") < 0:
            return None
        return self.struct(field["fields"])

    def struct(self, fields):
        values = {}
        tagged = {}
        for field in fields:
            if not covers(field["versions"], self.version):
                continue
            if covers(field.get("taggedVersions", "none"), self.version):
                tagged[field["tag"]] = field
            else:
                values[field["name"]] = self.value(field, field["type"])
        for _ in range(self.varint() if self.flexible else 0):
            tag, size = self.varint(), self.varint()
            end = self.at + size
            if tag in tagged:
                values[tagged[tag]["name"]] = self.value(tagged[tag], tagged[tag]["type"])
            self.at = end
        return values


class LoginRefused(Exception):
    def __init__(self, code, answer):
        super().__init__(f"login refused with {code}: {answer['ErrorMessage']}")
        self.code, self.answer = code, answer


class PlainSession:
    def __init__(self, schemas, bootstrap, client_id="app"):
        self.host, port = bootstrap.split(",")[0].rsplit(":", 1)
        self.schemas, self.client_id, self.correlation_id, self.received = schemas, client_id, 0, bytearray()
        self.socket = socket.create_connection((self.host, int(port)), timeout=ANSWER_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, count):
        data = bytearray()
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the broker closed the connection")
            data += piece
        return data

    def encode(self, api, version, request):
        """A whole frame, to be sent next."""
        schema = self.schemas[api, "request"]
        if not covers(schema["validVersions"], version):
            raise ValueError(f"{schema['name']} has no version {version}")
        flexible = covers(schema["flexibleVersions"], version)
        self.correlation_id += 1
        frame = Encoder(version, flexible)
        frame.out += struct.pack(">hhih", api, version, self.correlation_id, len(self.client_id)) + self.client_id.encode()
        if flexible:
            frame.varint(0)
        frame.struct(schema["fields"], request)
        return struct.pack(">i", len(frame.out)) + frame.out

    def call_raw(self, api, version, request):
        """The body of the answer: what comes after its header."""
        self.socket.sendall(self.encode(api, version, request))
        flexible = covers(self.schemas[api, "request"]["flexibleVersions"], version)
        (size,) = struct.unpack(">i", self.read(4))
        if not 4 <= size <= FRAME_BYTES_MAX:
            raise ValueError(f"the answer claims {size} bytes")
        answer = self.read(size)
        self.received += answer
        if struct.unpack(">i", answer[:4])[0] != self.correlation_id:
            raise ValueError("the answer is to another request")
        return bytes(answer[5:] if flexible and api != API_VERSIONS else answer[4:])

    def call(self, api, version, **request):
        return self.decode(api, version, self.call_raw(api, version, request))

    def decode(self, api, version, body):
        schema = self.schemas[api, "response"]
        decoder = Decoder(version, covers(schema["flexibleVersions"], version), body)
        values = decoder.struct(schema["fields"])
        if decoder.at != len(body):
            raise ValueError(f"{schema['name']} version {version}: {len(body) - decoder.at} bytes too many")
        return values


class Session(PlainSession):
    def __init__(self, schemas, bootstrap, ca_file, api_key, authzid="", client_id="app"):
        super().__init__(schemas, bootstrap, client_id)
        self.socket = ssl.create_default_context(cafile=ca_file).wrap_socket(self.socket, server_hostname=self.host)
        try:
            self.login(api_key, authzid)
        except BaseException:
            self.socket.close()
            raise

    def login(self, api_key, authzid):
        self.call(SASL_HANDSHAKE, 1, Mechanism="PLAIN")
        token = b"\0".join([authzid.encode(), b"token", api_key.encode()])
        answer = self.call(SASL_AUTHENTICATE, 2, AuthBytes=token)
        if answer["ErrorCode"] != 0:
            raise LoginRefused(answer["ErrorCode"], answer)

# SPDX-License-Identifier: Apache-2.0
"""Bad requests, made from the schemas for every API and version that a broker offers.

A good request has the shortest values that a schema allows; each kind of damage is one change of it. What must follow is known
beforehand: ANSWERED (in the layout of the version, nothing left over) or CLOSED (without a byte of answer).
"""

import itertools
import struct

from frames import API_VERSIONS, NUMBERS, SASL_AUTHENTICATE, SASL_HANDSHAKE, Encoder, covers

ANSWERED, CLOSED = "an answer in its version", "closed without an answer"
NUMBER_VALUES = {"Acks": -1, "MaxWaitMs": 0, "SessionTimeoutMs": 10000, "RebalanceTimeoutMs": 1000, "ReplicaId": -1}
names = itertools.count()


class MarkingEncoder(Encoder):
    """Remembers where the counts of arrays and the lengths of strings are, and how wide."""

    def __init__(self, version, flexible):
        super().__init__(version, flexible)
        self.arrays, self.strings, self.tag_counts = [], [], []

    def value(self, field, kind, value):
        start = len(self.out)
        if kind.startswith("[]"):
            self.length(-1 if value is None else len(value), "int32")
            self.arrays.append((start, len(self.out)))
            for item in value or []:
                self.value(field, kind[2:], item)
            return
        super().value(field, kind, value)
        if kind in ("string", "bytes", "records") and value is not None:
            width = 1 if self.flexible else 2 if kind == "string" else 4
            nullable = covers(field.get("nullableVersions", "none"), self.version)
            self.strings.append((start, start + width, nullable))

    def struct(self, fields, values):
        super().struct(fields, values)
        if self.flexible:
            self.tag_counts.append(len(self.out) - 1)


def fill(fields, version):
    """One value for every field: arrays of one, names of their own."""
    values = {}
    for field in fields:
        if not covers(field["versions"], version) or "tag" in field:
            continue
        values[field["name"]] = fill_one(field, field["type"], version)
    return values


def fill_one(field, kind, version):
    if kind.startswith("[]"):
        return [fill_one(field, kind[2:], version)]
    if kind == "bool":
        return False
    if kind in NUMBERS:
        return NUMBER_VALUES.get(field["name"], 1)
    if kind == "uuid":
        return Encoder(version, False).default(field)
    if kind == "string":
        return f"n{next(names)}"
    if kind in ("bytes", "records"):
        return b"\0"
    return fill(field["fields"], version)


class GoodRequest:
    def __init__(self, schemas, api, version):
        self.api, self.version = api, version
        schema = schemas[api, "request"]
        self.flexible = covers(schema["flexibleVersions"], version)
        encoder = MarkingEncoder(version, self.flexible)
        encoder.struct(schema["fields"], fill(schema["fields"], version))
        self.body, self.marks = bytes(encoder.out), encoder

    def frame(self, body=None, api=None, version=None, client_id=b"app"):
        header = struct.pack(">hhih", self.api if api is None else api, self.version if version is None else version, 7,
                             len(client_id)) + client_id
        payload = header + (b"\0" if self.flexible else b"") + (self.body if body is None else body)
        return struct.pack(">i", len(payload)) + payload


def huge(flexible, width):
    return b"\xff\xff\xff\xff\x07" if flexible else b"\x7f\xff\xff\xff"[:width]


def damages(request):
    """(kind, frame, what must follow)"""
    body, marks, flexible = request.body, request.marks, request.flexible
    yield "whole", request.frame(), ANSWERED
    yield "one byte too long", request.frame(body + b"\0"), ANSWERED
    for cut in sorted({0, 1, len(body) // 2, len(body) - 1}):
        if 0 <= cut < len(body):
            yield f"cut after {cut} bytes of {len(body)}", request.frame(body[:cut]), CLOSED
    for start, end in marks.arrays[:3]:
        yield "huge count", request.frame(body[:start] + huge(flexible, 4) + body[end:]), CLOSED
        yield "count of all that is left, and one more", request.frame(
            body[:start] + count_bytes(flexible, len(body) - end + 1) + body[end:]), CLOSED
        if not flexible:
            yield "negative count", request.frame(body[:start] + b"\xff\xff\xff\xfe" + body[end:]), CLOSED
    for start, end, nullable in marks.strings[:3]:
        yield "huge length", request.frame(body[:start] + huge(flexible, end - start) + body[end:]), CLOSED
        if not flexible:
            yield "negative length", request.frame(body[:start] + b"\xff" * (end - start - 1) + b"\xfe" + body[end:]), CLOSED
        if not nullable:
            null = b"\0" if flexible else b"\xff" * (end - start)
            yield "null where none may be", request.frame(body[:start] + null + body[end:]), CLOSED
    if flexible:
        last = marks.tag_counts[-1]
        yield "unknown tagged field", request.frame(body[:last] + b"\x01\x7f\x02ab"), ANSWERED
        yield "tagged field longer than the frame", request.frame(body[:last] + b"\x01\x7f\xff\xff\xff\x7fab"), CLOSED
        yield "tagged fields without end", request.frame(body[:last] + b"\xff\xff\xff\xff\x0f"), CLOSED
        yield "varint of six bytes", request.frame(body[:last] + b"\xff\xff\xff\xff\xff\x01"), CLOSED
    yield "a frame in the frame", request.frame(request.frame()), None
    yield "random bytes", request.frame(scrambled(body)), None
    yield "client id longer than the frame", damage_client_id(request), CLOSED


def count_bytes(flexible, count):
    encoder = Encoder(0, flexible)
    encoder.length(count, "int32")
    return bytes(encoder.out)


def scrambled(body):
    return bytes((byte * 167 + 89 * place) & 0xFF for place, byte in enumerate(body, 1))


def damage_client_id(request):
    payload = struct.pack(">hhih", request.api, request.version, 7, 30000) + b"app"
    return struct.pack(">i", len(payload)) + payload


def foreign(schemas, offered):
    """APIs and versions that are not offered."""
    for api, (lowest, highest) in offered.items():
        if api == API_VERSIONS:
            continue
        request = GoodRequest(schemas, api, highest)
        for version in (-1, lowest - 1, highest + 1, 32767):
            if not lowest <= version <= highest:
                yield f"version {version}", api, request.frame(version=version), CLOSED
    request = GoodRequest(schemas, 3, offered[3][1])
    for api in (-1, 4, 70, 999, 32767):
        if api not in offered:
            yield f"API {api}", api, request.frame(api=api), CLOSED


def is_answered_and_closed(api, version):
    """SASL out of its order, and re-authentication that asks for what is not there."""
    return api in (SASL_HANDSHAKE, SASL_AUTHENTICATE) and version >= 0

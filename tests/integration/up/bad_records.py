# SPDX-License-Identifier: Apache-2.0
"""Record batches that are not what they say, and ones that unpack to far more than they are."""

import struct
import zlib

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODECS = {"gzip": GZIP, "snappy": SNAPPY, "lz4": LZ4, "zstd": ZSTD}
CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, INVALID_TIMESTAMP, UNSUPPORTED_COMPRESSION, INVALID_RECORD = 2, 10, 32, 76, 87
MEGABYTE = 1 << 20
LARGEST_BATCH = 1048588
BOMB_BYTES = 1000000
SMALL_BOMB_BYTES = 100000  # each codec makes more than 16 MiB of it
UNPACKS_TO_TOO_MUCH = "the records decompress to too many bytes"


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def record(value, offset=0):
    body = b"\0" + varint(0) + varint(offset) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def raw_batch(payload, count, attributes=0, magic=2, timestamp=1700000000000, crc=None, size=None, base_sequence=-1, producer=-1):
    rest = struct.pack(">hiqqqhii", attributes, count - 1, timestamp, timestamp, producer, -1 if producer < 0 else 0,
                       base_sequence, count) + payload
    crc = crc32c(rest) if crc is None else crc
    size = 9 + len(rest) if size is None else size
    return struct.pack(">qiibI", 0, size, 0, magic, crc) + rest


def batch(records, **changes):
    return raw_batch(b"".join(records), len(records), **changes)


def produce(session, topic, partition, records, version=9):
    answer = session.call(0, version, Acks=-1, TimeoutMs=20000,
                          TopicData=[{"Name": topic, "PartitionData": [{"Index": partition, "Records": records}]}])
    return answer["Responses"][0]["PartitionResponses"][0]


# ---- bombs: a record that says it has 2 GB, and zeros that never end ----

ENDLESS = b"\xfe\xff\xff\xff\x0f" + b"\0\0\0\x01" + b"\xe0\xff\xff\xff\x0f"  # length, attributes and deltas, null key, length


def gzip_bomb(size):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = packer.compress(ENDLESS + bytes(1000)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = packer.compress(bytes(10 * MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return (start + zeros * (size // len(zeros) + 1))[:size]


def lz4_bomb(size):
    """A frame of 4 MiB blocks; each is a few literals and one match of nothing but zeros, 255 of them a byte."""
    header = b"\x60\x70"  # version 1, independent blocks; blocks of 4 MiB
    frame = b"\x04\x22\x4d\x18" + header + bytes([xxh32(header) >> 8 & 0xFF])

    def block(literals):
        match = (4 * MEGABYTE - len(literals) - 64) // 255
        sequence = bytes([len(literals) << 4 | 15 if len(literals) < 15 else 0xFF])
        if len(literals) >= 15:
            sequence += bytes([len(literals) - 15])
        data = sequence + literals + b"\x01\0" + b"\xff" * match + b"\0" + b"\x50" + bytes(5)
        return struct.pack("<I", len(data)) + data

    first, following = block(ENDLESS + b"\0"), block(b"\0")
    return (frame + first + following * (size // len(following) + 1))[:size]


def zstd_bomb(size):
    """One frame; after a raw block with the record's head, blocks of 128 KiB that are one repeated byte, 4 bytes each."""
    frame = struct.pack("<IBB", 0xFD2FB528, 0, 0x50)  # window of 1 MiB, no content size
    raw = struct.pack("<I", len(ENDLESS) << 3)[:3] + ENDLESS
    zeros = struct.pack("<I", (128 * 1024) << 3 | 1 << 1)[:3] + b"\0"
    return (frame + raw + zeros * (size // len(zeros) + 1))[:size]


def snappy_liar(size):
    """A block that claims 4 GB."""
    return (b"\xff\xff\xff\xff\x0f" + b"\x28" + ENDLESS + bytes(size))[:size]


def xxh32(data):
    """Of less than 16 bytes, seed 0."""
    mask = 0xFFFFFFFF
    value = 374761393 + len(data)
    while len(data) >= 4:
        value = value + int.from_bytes(data[:4], "little") * 3266489917 & mask
        value = ((value << 17 | value >> 15) & mask) * 668265263 & mask
        data = data[4:]
    for byte in data:
        value = value + byte * 374761393 & mask
        value = ((value << 11 | value >> 21) & mask) * 2654435761 & mask
    value = (value ^ value >> 15) * 2246822519 & mask
    value = (value ^ value >> 13) * 3266489917 & mask
    return value ^ value >> 16


def bombs(size):
    """(name, batch, error). Snappy cannot grow by more than 22 times: there it is a lie about the length."""
    yield "gzip bomb", raw_batch(gzip_bomb(size), 1, GZIP), MESSAGE_TOO_LARGE
    yield "lz4 bomb", raw_batch(lz4_bomb(size), 1, LZ4), MESSAGE_TOO_LARGE
    yield "zstd bomb", raw_batch(zstd_bomb(size), 1, ZSTD), MESSAGE_TOO_LARGE
    yield "snappy that claims 4 GB", raw_batch(snappy_liar(size), 1, SNAPPY), MESSAGE_TOO_LARGE


def bad_batches():
    good = record(b"value")
    yield "wrong CRC", batch([good], crc=12345), CORRUPT_MESSAGE
    yield "cut in the header", batch([good])[:40], CORRUPT_MESSAGE
    yield "cut in the records", batch([good])[:-1], CORRUPT_MESSAGE
    yield "length of more than there is", batch([good], size=5000), CORRUPT_MESSAGE
    yield "negative length", batch([good], size=-1), CORRUPT_MESSAGE
    yield "length of less than a header", batch([good], size=10), CORRUPT_MESSAGE
    yield "magic 0", batch([good], magic=0), INVALID_RECORD
    yield "magic 1", batch([good], magic=1), INVALID_RECORD
    yield "magic 9", batch([good], magic=9), CORRUPT_MESSAGE
    yield "no batch at all", b"", INVALID_RECORD
    yield "two batches", batch([good]) * 2, INVALID_RECORD
    yield "more records than there are", raw_batch(good, 2), INVALID_RECORD
    yield "two billion records", raw_batch(good, 0x7FFFFFFF), INVALID_RECORD
    yield "no records", raw_batch(b"", 0), INVALID_RECORD
    yield "fewer records than there are", raw_batch(good + record(b"more", 1), 1), INVALID_RECORD
    yield "offsets that do not follow", batch([record(b"a"), record(b"b", 5)]), INVALID_RECORD
    yield "record longer than the batch", raw_batch(varint(1000) + b"\0\0\0\x01\x02a\0", 1), INVALID_RECORD
    yield "negative record length", raw_batch(varint(-5) + bytes(10), 1), INVALID_RECORD
    yield "control batch", batch([good], attributes=0x20), INVALID_RECORD
    yield "append time set by the client", batch([good], attributes=0x08), INVALID_TIMESTAMP
    yield "timestamp of the far future", batch([good], timestamp=1 << 52), INVALID_TIMESTAMP
    yield "producer id without a sequence", batch([good], producer=5), INVALID_RECORD
    yield "codec 7", batch([good], attributes=7), UNSUPPORTED_COMPRESSION
    for name, codec in CODECS.items():
        yield f"{name} that is none", raw_batch(b"this is not compressed at all", 1, codec), CORRUPT_MESSAGE
    yield "largest batch and a byte", batch([record(bytes(LARGEST_BATCH))]), MESSAGE_TOO_LARGE


def check(victim, topic):
    count = 0
    with victim.session() as session:
        for name, records, wanted in [*bad_batches(), *bombs(BOMB_BYTES)]:
            found = produce(session, topic, 0, records)
            if found["ErrorCode"] != wanted:
                raise AssertionError(f"{name}: {found['ErrorCode']} ({found['ErrorMessage']}), not {wanted}")
            if "bomb" in name and found["ErrorMessage"] != UNPACKS_TO_TOO_MUCH:
                raise AssertionError(f"{name} was refused for {found['ErrorMessage']}")
            count += 1
        # The connection is as good as ever, and nothing of all this is in the log.
        found = produce(session, topic, 0, batch([record(b"good")]))
        if (found["ErrorCode"], found["BaseOffset"]) != (0, 0):
            raise AssertionError(f"after bad batches a good one gets {found}")
    return f"{count} batches refused by name on one connection"


def actions(victim, topic):
    """What is repeated; each on a connection that stays."""
    for name, records, wanted in [("wrong CRC", batch([record(b"value")], crc=1), CORRUPT_MESSAGE), *bombs(SMALL_BOMB_BYTES)]:
        sessions = {}

        def act(records=records, wanted=wanted, name=name, sessions=sessions):
            session = sessions.pop("free", None) or victim.session()
            found = produce(session, topic, 1, records)["ErrorCode"]
            if found != wanted:
                raise AssertionError(f"{name}: {found}, not {wanted}")
            if "free" in sessions:
                session.socket.close()
            else:
                sessions["free"] = session

        yield "records: " + name, act

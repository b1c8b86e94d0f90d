#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real file of the main job, and the check that it came back.

    sample.py make FILE LINES          lines `KEY<TAB>SEQUENCE TEXT`
    sample.py compare FILE CONSUMED…   consumed lines are `PARTITION<TAB>KEY<TAB>SEQUENCE TEXT`

The file has what real ones have: keys that repeat, keys that are empty, texts that repeat, UTF-8 of every length, and
some lines of 100 KB. Each line carries its number. `compare` accepts only the same lines, each once, in order per
partition, and every non-empty key in one partition.
"""

import collections
import random
import sys

LONG_LINE_BYTES = 100_000
LONG_EVERY = 4001  # about 25 long lines in 100 000
WORDS = ["order", "paid", "Müller", "søster", "日本語", "пример", "naïve", "🚚", "Ελλάδα", "zażółć", "shipped", "retour",
         "½ price", "שלום", "한국어", "plain", "a", "--", "%s", "\\n", '"quoted"', "{json: true}"]


def make(path, count):
    chance = random.Random(1)
    texts = [" ".join(chance.choices(WORDS, k=chance.randrange(1, 12))) for _ in range(500)]
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for number in range(count):
            key = "" if number % 10 == 3 else f"customer-{chance.randrange(5000)}"
            text = chance.choice(texts)
            if number % LONG_EVERY == LONG_EVERY - 1:
                text += " " + "x" * LONG_LINE_BYTES
            file.write(f"{key}\t{number} {text}\n")


def read(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        return file.read().split("\n")[:-1]


def sequence_of(line):
    return int(line.split("\t", 1)[1].split(" ", 1)[0])


def compare(path, consumed_paths):
    wanted = collections.Counter(read(path))
    seen = collections.Counter()
    last = {}
    partition_of_key = {}
    for consumed in consumed_paths:
        for row in read(consumed):
            partition, line = row.split("\t", 1)
            seen[line] += 1
            number, key = sequence_of(line), line.split("\t", 1)[0]
            if number <= last.get(partition, -1):
                return f"partition {partition}: line {number} came after line {last[partition]}"
            last[partition] = number
            if key and partition_of_key.setdefault(key, partition) != partition:
                return f"key {key} is in partitions {partition_of_key[key]} and {partition}"
    if seen != wanted:
        missing, extra = wanted - seen, seen - wanted
        first = next(iter(missing or extra))
        return f"{sum(missing.values())} lines missing, {sum(extra.values())} too many, the first: {first[:80]!r}"
    print(f"{sum(seen.values())} lines, the same, in order in each of {len(last)} partitions")
    return None


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]))
        return
    if len(sys.argv) >= 4 and sys.argv[1] == "compare":
        sys.exit(compare(sys.argv[2], sys.argv[3:]))
    sys.exit(__doc__)


if __name__ == "__main__":
    main()

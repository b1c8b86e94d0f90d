# SPDX-License-Identifier: Apache-2.0
"""The rows of `compare`, and what is made of their samples. README.md beside ../compare says what each means."""

import collections
import statistics

Row = collections.namedtuple("Row", "name unit better load")  # load: a method of Loads; None = computed of other rows
Bound = collections.namedtuple("Bound", "of probed")  # of: a row; probed: what the machine can do, the slower of these

ROWS = (
    Row("idle_rss", "MiB", "less", "cold_start"),
    Row("cold_start", "ms", "less", "cold_start"),
    Row("produce_default_vs_default", "MB/s", "more", "produce_default"),
    Row("produce_commit_vs_kafka_flush", "MB/s", "more", "produce_flushed"),
    Row("produce_os_vs_kafka_default", "MB/s", "more", "produce_unflushed"),
    Row("cpu_per_gb_produce", "s/GB", "less", "produce_unflushed"),
    Row("loaded_rss", "MiB", "less", "produce_default"),
    Row("produce_one_batch_a_request", "MB/s", "more", "produce_one_batch"),
    Row("produce_100b", "MB/s", "more", "produce_small"),
    Row("written_per_byte_100b", "", "less", "produce_small"),
    Row("many_partitions_1000", "MB/s", "more", "produce_many"),
    Row("fetch_plain", "MB/s", "more", "fetch_plain"),
    Row("cpu_per_gb_fetch", "s/GB", "less", "fetch_plain"),
    Row("fetch_tls", "MB/s", "more", "fetch_tls"),
    Row("ack_p99_20mbs", "ms", "less", "acknowledged"),
    Row("e2e_p99_20mbs", "ms", "less", "end_to_end"),
    Row("produce_bound", "%", "more", "produce_default"),
    Row("produce_append_bound", "%", "more", "produce_default"),
    Row("fetch_bound", "%", "more", "fetch_plain"),
    Row("fetch_tls_bound", "%", "more", "fetch_tls"),
    Row("ack_bound", "%", "more", "acknowledged"),
)
SERVERS = ("millrace", "kafka")
STARTS = ("cold_start",)  # loads that start the server anew
BOUNDS = {
    "produce_bound": Bound("produce_default_vs_default", ("loopback_mb_s", "disk_mb_s")),
    "produce_append_bound": Bound("produce_default_vs_default", ("loopback_mb_s", "append_mb_s")),
    "fetch_bound": Bound("fetch_plain", ("loopback_mb_s",)),
    "fetch_tls_bound": Bound("fetch_tls", ("tls_mb_s",)),
    "ack_bound": Bound("ack_p99_20mbs", ("answer_p99_ms",)),
}


class Samples:
    """What was found: of each row and server one number a round."""

    def __init__(self):
        self.found = collections.defaultdict(lambda: collections.defaultdict(list))
        self.time_spent = collections.defaultdict(list)  # of (load, server): shares of the machine's time, one dict a round

    def note(self, server, figures):
        for name, value in figures.items():
            self.found[name][server].append(value)

    def note_time(self, server, load, shares):
        if shares is not None:
            self.time_spent[load, server].append(shares)

    def time_of(self, load, server):
        """The median of each share; {} for a load that is no stretch of time."""
        rounds = self.time_spent[load, server]
        return {what: rounded(statistics.median(shares[what] for shares in rounds)) for what in (rounds[0] if rounds else ())}

    def note_bounds(self, probes):
        """Each is the best of all probes of the run; a row's share of it is 100 % when it does as well."""
        less_is_better = {row.name for row in ROWS if row.better == "less"}
        for row, (of, probed) in BOUNDS.items():
            is_less_better = of in less_is_better
            bound = (min if is_less_better else max)(min(each[name] for name in probed) for each in probes)
            for server, values in self.found[of].items():
                self.found[row][server] = [100 * (bound / value if is_less_better else value / bound) for value in values]


def rounded(value):
    """To four digits that count."""
    return float(f"{value:.4g}")


def summary(row, samples):
    """What the JSON says of a row."""
    found = samples.found[row.name]
    millrace, kafka = (statistics.median(found[server]) for server in SERVERS)
    return {"name": row.name, "millrace": rounded(millrace), "kafka": rounded(kafka), "ratio": rounded(millrace / kafka),
            "unit": row.unit, "better": row.better, "time": {server: samples.time_of(row.load, server) for server in SERVERS},
            "rounds": {server: [rounded(value) for value in found[server]] for server in SERVERS}}


def best_of(passes):
    """Of two runs of everything that differ in Apache Kafka's heap, each row from the one in which it did better."""
    def kafka_does_better(row):
        return row["kafka"] if row["better"] == "more" else -row["kafka"]

    return [max(rows, key=kafka_does_better) for rows in zip(*passes)]


def text_of(row):
    def with_range(server):
        values = row["rounds"][server]
        return f"{row[server]:g} ({min(values):g}-{max(values):g})"

    return f"{row['name']:30} {with_range('millrace'):>26} {with_range('kafka'):>26} {row['ratio']:>9g}  {row['unit']}"


def time_text_of(row):
    """Of one row; empty for one that is no stretch of time."""
    def shares(server):
        return " ".join(f"{100 * share:>6.0f}" for share in row["time"][server].values())

    return f"{row['name']:30} {shares('millrace')}   {shares('kafka')}" if row["time"]["millrace"] else ""


def time_table(rows):
    """Where the machine's time went, in percent."""
    kinds = next((row["time"]["millrace"] for row in rows if row["time"]["millrace"]), ())
    if not kinds:
        return []
    names = " ".join(f"{kind:>6}" for kind in kinds)
    return [f"{'time of all cores, %: millrace':30} {names}   {names} (kafka)", *filter(None, map(time_text_of, rows))]


HEADER = f"{'row':30} {'millrace (min-max)':>26} {'kafka (min-max)':>26} {'ratio':>9}  unit"

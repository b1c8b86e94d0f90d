#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `compare` says is what its README promises, without a server."""

import os
import re
import sys
import unittest
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from comparison import plots  # noqa: E402
from comparison.process_figures import TimeSpent  # noqa: E402
from comparison.rows import ROWS, Row, Samples, best_of, summary, text_of, time_table  # noqa: E402

MB_S = Row("some", "MB/s", "more", "load")
MS = Row("other", "ms", "less", "load")
PROBED = {"loopback_mb_s": 1, "tls_mb_s": 1, "disk_mb_s": 1, "append_mb_s": 1, "answer_p99_ms": 1}


def rows_of_readme():
    with open(os.path.join(os.path.dirname(HERE), "README.md"), encoding="utf-8") as file:
        table = file.read().split("| row | load |")[1].split("\n\n")[0]
    return [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]


def samples_of(**found):
    samples = Samples()
    for server, values in found.items():
        for value in values:
            samples.note(server, {MB_S.name: value, MS.name: value, "produce_default_vs_default": value})
    return samples


class RowsTest(unittest.TestCase):
    def test_the_readme_has_each_row_once_and_no_other(self):
        self.assertEqual(sorted(rows_of_readme()), sorted(row.name for row in ROWS))

    def test_a_row_is_its_median_and_the_ratio_is_ours_to_theirs(self):
        row = summary(MB_S, samples_of(millrace=[300, 100, 200], kafka=[50, 60, 40]))
        self.assertEqual(row, {"name": "some", "millrace": 200, "kafka": 50, "ratio": 4, "unit": "MB/s", "better": "more",
                               "time": {"millrace": {}, "kafka": {}}, "rounds": {"millrace": [300, 100, 200], "kafka": [50, 60, 40]}})
        self.assertIn("200 (100-300)", text_of(row))

    def test_a_bound_is_the_slower_of_loopback_and_disk_in_the_best_probe(self):
        samples = samples_of(millrace=[500], kafka=[250])
        samples.note_bounds([{**PROBED, "loopback_mb_s": 3000, "disk_mb_s": 900, "append_mb_s": 500},
                             {**PROBED, "loopback_mb_s": 2000, "disk_mb_s": 1000, "append_mb_s": 625}])
        self.assertEqual(summary(Row("produce_bound", "%", "more", ""), samples)["millrace"], 50)
        self.assertEqual(summary(Row("produce_append_bound", "%", "more", ""), samples)["millrace"], 80)

    def test_a_share_of_a_bound_is_smaller_for_who_takes_longer(self):
        samples = samples_of(millrace=[1], kafka=[1])
        for server, ms in (("millrace", 0.5), ("kafka", 2)):
            samples.note(server, {"ack_p99_20mbs": ms})
        samples.note_bounds([{**PROBED, "answer_p99_ms": 0.4}, {**PROBED, "answer_p99_ms": 0.9}])
        row = summary(Row("ack_bound", "%", "more", ""), samples)
        self.assertEqual((row["millrace"], row["kafka"]), (80, 20))

    def test_where_the_time_went_is_the_median_of_each_share(self):
        samples = samples_of(millrace=[1], kafka=[1])
        for server in ("millrace", "kafka"):
            for share in (0.1, 0.3, 0.2):
                samples.note_time(server, MB_S.load, {"server": share, "idle": 1 - share})
        row = summary(MB_S, samples)
        self.assertEqual(row["time"]["kafka"], {"server": 0.2, "idle": 0.8})
        self.assertEqual(time_table([row])[1].split(), ["some", "20", "80", "20", "80"])

    def test_what_is_no_stretch_of_time_has_no_line_there(self):
        samples = samples_of(millrace=[1], kafka=[1])
        samples.note_time("millrace", MB_S.load, None)
        self.assertEqual(time_table([summary(MB_S, samples)]), [])

    def test_what_nobody_else_had_of_the_time_is_other(self):
        spent = TimeSpent(os.getpid())
        spent.before = dict.fromkeys(spent.before, 0)
        spent.now = lambda: {"server": 50, "load": 20, "disk": 10, "idle": 10, "stolen": 5, "all": 100}
        self.assertEqual({what: round(share, 3) for what, share in spent.shares().items()},
                         {"server": 0.5, "load": 0.2, "disk": 0.1, "idle": 0.1, "stolen": 0.05, "other": 0.05})

    def test_of_two_heaps_each_row_takes_the_better_one(self):
        passes = [[summary(row, samples_of(millrace=[1], kafka=[kafka])) for row in (MB_S, MS)] for kafka in (10, 20)]
        self.assertEqual([row["kafka"] for row in best_of(passes)], [20, 10])

    def test_a_plot_is_well_formed_and_shows_each_round(self):
        row = summary(MB_S, samples_of(millrace=[3, 1, 2], kafka=[4, 5, 6]))
        drawn = xml.etree.ElementTree.fromstring(plots.svg(row, "a & b"))
        self.assertEqual(len(drawn.findall("{http://www.w3.org/2000/svg}circle")), 6)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
"""What both Python smokes share: one line per check, and the first failure ends the program."""

import sys

RECORDS_PER_PRODUCER = 50


class Smoke:
    def __init__(self, client):
        self.client = client

    def check(self, what, work):
        try:
            work()
        except Exception as error:  # whatever a client raises is the answer we report
            print(f"FAILED {self.client}: {what}: {type(error).__name__}: {error}", flush=True)
            sys.exit(1)
        print(f"ok {self.client}: {what}", flush=True)


def expect(actual, wanted, what):
    if actual != wanted:
        raise AssertionError(f"{what}: {actual!r}, not {wanted!r}")

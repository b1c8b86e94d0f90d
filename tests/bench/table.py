# SPDX-License-Identifier: Apache-2.0
"""What a bench says at its end: rows of name, value, unit and aim (None = it has none), as JSON or as a table."""

import json


def rows_of(*figures):
    """Of (name, value, unit, aim) each."""
    return [{"name": name, "value": round(value, 2), "unit": unit, "aim": aim} for name, value, unit, aim in figures]


def say(bench, rows, as_json):
    if as_json:
        print(json.dumps({"bench": bench, "rows": rows}))
        return
    for row in rows:
        aim = "" if row["aim"] is None else f"   aim {row['aim']}"
        print(f"{row['name']:32} {row['value']:>12} {row['unit']}{aim}")

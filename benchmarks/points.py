"""Measure points (methods, variants) on the tables of ``published`` for several seeds, one record a line, resumably."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection

from benchmarks.published import PLACES
from benchmarks.rows import DATA, append, ask_since, held

Measure = Callable[[str, str, int], dict[str, object]]
"""Takes a table, a point and a seed; returns the row to record."""


def collect(
    record: str, *, about: str, points: Collection[str], measure: Measure, tables: str = ",".join(PLACES)
) -> None:
    """Read the command line, measure what it asks for and append it to ``records/RECORD.jsonl``."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=tables)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--points", default=",".join(points))
    ask_since(parser)
    parser.add_argument("--only-document", action="store_true")
    asked = parser.parse_args()
    if asked.only_document:
        return
    if not DATA.exists():
        sys.exit("skipped: the real tables are not beside the project")
    done = held(record, "table", "point", "seed", since=asked.since)
    for table in asked.tables.split(","):
        for point in asked.points.split(","):
            for seed in (int(one) for one in asked.seeds.split(",")):
                if (table, point, seed) not in done:
                    row = {"table": table, "point": point, "seed": seed, **measure(table, point, seed)}
                    print({key: value for key, value in row.items() if key != "se"}, flush=True)
                    append(record, row)

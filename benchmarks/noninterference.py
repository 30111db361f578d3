"""Change one record in 10,000 small tables, and look whether anything but noised counts shows it.

    nice -n 10 python -m benchmarks.noninterference [--cases 10000] [--methods mst]

The cases are those of ``tests/privacy/test_non_interference``, with other seeds: a record added, removed, or replaced
by an extreme, a new label or nothing; schema, order, dtypes, bins, sample, spending and words of refusal must be the
same once the counts' answers are. One line with the number of cases and of differences goes to
records/noninterference.jsonl.
"""

from __future__ import annotations

import argparse

from benchmarks.rows import append
from tests.privacy.test_non_interference import METHODS, differs


def main() -> None:
    """Try the cases and record how many differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--methods", default="mst")
    asked = parser.parse_args()
    for method in asked.methods.split(","):
        found = [seed for seed in range(1_000_000, 1_000_000 + asked.cases) if differs(METHODS[method], seed)]
        row = {"method": method, "cases": asked.cases, "different": len(found), "first": found[:5]}
        print(row, flush=True)
        append("noninterference", row)


if __name__ == "__main__":
    main()

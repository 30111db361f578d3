"""Send 100,000 attacks through the public door to PostgreSQL and judge its own log; a fifth to two embedded engines.

    python -m benchmarks.injection [COUNT]

appends a row for each engine to records/injection.jsonl. ``wrong`` must be 0.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rows import append
from tests.database import injecting
from tests.database.injecting import Found, sent, wrong_in_log
from tests.database.server import running

COUNT = 100_000
SEED = 7


def _row(engine: str, found: Found, *, logged: int, wrong: list[str], seconds: float) -> dict[str, object]:
    return {
        "engine": engine,
        "attacks": sum(found.outcomes.values()),
        "seed": SEED,
        "outcomes": dict(sorted(found.outcomes.items())),
        "statements": found.statements,
        "logged_by_server": logged,
        "wrong": len(found.wrong) + len(wrong),
        "first_wrong": [*found.wrong, *wrong][:3],
        "cpu_seconds": round(seconds),
    }


def main(count: int) -> None:
    """Run every engine and record it."""
    with tempfile.TemporaryDirectory() as folder, running() as server:
        begun, since = time.process_time(), len(server.logged())
        with injecting.postgres(server) as database:
            found = sent(database, Path(folder) / "postgres", count=count, seed=SEED)
        logged, wrong = wrong_in_log(server, since)
        row = _row("postgresql", found, logged=logged, wrong=wrong, seconds=time.process_time() - begun)
        append("injection", row)
        print(row)
    for engine, made in (("sqlite", injecting.sqlite), ("duckdb", injecting.duck)):
        with tempfile.TemporaryDirectory() as folder:
            begun = time.process_time()
            found = sent(made(Path(folder)), Path(folder) / "home", count=count // 5, seed=SEED + 1)
            row = _row(engine, found, logged=0, wrong=[], seconds=time.process_time() - begun)
            append("injection", row)
            print(row)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)

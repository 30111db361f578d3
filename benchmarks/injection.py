"""Send 100,000 attacks through the public door to PostgreSQL and judge its own log; a tenth to two embedded engines.

    python -m benchmarks.injection [COUNT]

appends a row for each 10,000 to records/injection.jsonl. ``wrong`` must be 0.
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
PART = 10_000
SEED = 7
MEMORY = Path("/dev/shm")  # noqa: S108 - the ledgers of attacks need not outlive them
HOME = MEMORY if MEMORY.is_dir() else None


def _row(engine: str, found: Found, *, first: int, logged: int, wrong: list[str], seconds: float) -> dict[str, object]:
    return {
        "engine": engine,
        "attacks": sum(found.outcomes.values()),
        "first": first,
        "seed": SEED + first,
        "outcomes": dict(sorted(found.outcomes.items())),
        "statements": found.statements,
        "logged_by_server": logged,
        "wrong": len(found.wrong) + len(wrong),
        "first_wrong": [*found.wrong, *wrong][:3],
        "cpu_seconds": round(seconds),
    }


def _record(row: dict[str, object]) -> None:
    append("injection", row)
    print(row, flush=True)


def postgresql(parts: range) -> None:
    """Send the attacks of these parts to a server, a row for each part."""
    with running() as server:
        for first in parts:
            with tempfile.TemporaryDirectory(dir=HOME) as folder, injecting.postgres(server) as database:
                begun, since = time.process_time(), len(server.logged())
                found = sent(database, Path(folder), count=PART, seed=SEED + first, first=first)
                logged, wrong = wrong_in_log(server, since)
                seconds = time.process_time() - begun
                _record(_row("postgresql", found, first=first, logged=logged, wrong=wrong, seconds=seconds))


def embedded(count: int) -> None:
    """Send attacks to the engines that have no server."""
    for engine, made in (("sqlite", injecting.sqlite), ("duckdb", injecting.duck)):
        with tempfile.TemporaryDirectory(dir=HOME) as folder:
            begun = time.process_time()
            found = sent(made(Path(folder)), Path(folder) / "home", count=count, seed=SEED + 1)
            seconds = time.process_time() - begun
            _record(_row(engine, found, first=0, logged=0, wrong=[], seconds=seconds))


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    postgresql(range(0, asked, PART))
    embedded(asked // 10)

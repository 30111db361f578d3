"""Measure a private table from a long table inside PostgreSQL: seconds, and memory of the client.

    python -m benchmarks.database_scale --rows 1000000

Ten columns of at most 32 cells, all public: six of labels, four of whole numbers, tied to one another by a hidden
group. The server is the one of the tests, over TLS, on the same machine. CPU seconds, and the load
when it ended, are told too: a busy machine takes longer.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.rows import append
from synth_worker.privacy.noise import opendp_noise
from synth_worker.query.config import QueryConfig
from synth_worker.secure_query import create_hospital_sampler
from synth_worker.settings import Settings
from tests.database.server import Server, running

LABELS = {f"label{at}": size for at, size in enumerate((4, 8, 12, 16, 24, 28))}
NUMBERS = tuple(f"number{at}" for at in range(4))
MOST = 31


def filled(server: Server, rows: int) -> None:
    """Make the table ``stays`` of so many rows."""
    labels = [f"chr(97 + (z * {at + 1} + (random() * {min(size, 24)})::int) % {min(size, 26)}) AS {name}"
              for at, (name, size) in enumerate(LABELS.items())]  # fmt: skip
    numbers = [f"(z * {at + 2} + (random() * 12)::int) % 32 AS {name}" for at, name in enumerate(NUMBERS)]
    series = f"SELECT (random() * 6)::int AS z FROM generate_series(1, {int(rows)})"  # noqa: S608 - our own names
    server.run(
        "DROP TABLE IF EXISTS stays",
        f"CREATE UNLOGGED TABLE stays AS SELECT {', '.join([*labels, *numbers])} FROM ({series}) AS hidden",  # noqa: S608
        "ANALYZE stays",
        "GRANT SELECT ON stays TO reader",
    )


def config(*, epsilon: float, fraction: float) -> QueryConfig:
    """Return the request: everything public, so that nothing is spent on the domain."""
    return QueryConfig(
        "stays",
        [*LABELS, *NUMBERS],
        limit=10_000,
        sample_fraction=fraction,
        dp_epsilon=epsilon,
        bounds=dict.fromkeys(NUMBERS, (0, MOST)),
        categories={name: [chr(97 + one) for one in range(min(size, 26))] for name, size in LABELS.items()},
    )


def measure(server: Server, rows: int, *, fraction: float) -> dict[str, object]:
    """Return seconds and the client's memory at its peak, of one request in a fresh home."""
    opendp_noise()  # imported before the clock starts
    with tempfile.TemporaryDirectory() as home:
        sampler = create_hospital_sampler(
            db_type="postgresql", credentials=server.credentials(), settings=Settings(home=Path(home))
        )
        before = _cpu(server)
        start, own = time.monotonic(), time.process_time()
        frame, told = sampler.sample_with_metadata(config(epsilon=1.0, fraction=fraction))
        seconds, own = time.monotonic() - start, time.process_time() - own
    time.sleep(1)  # what a connection used is known when its process has ended
    assert len(frame) == told["rows"]
    return {
        "rows": rows,
        "columns": len(frame.columns),
        "fraction": fraction,
        "seconds": round(seconds, 1),
        "server_cpu_seconds": round(_cpu(server) - before, 1),
        "client_cpu_seconds": round(own, 1),
        "load": round(os.getloadavg()[0], 1),
        "client_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "returned": len(frame),
    }


def _cpu(server: Server) -> float:
    """Return the CPU seconds of all connections that have ended."""
    assert server.process is not None
    times = psutil.Process(server.process.pid).cpu_times()
    return float(times.children_user + times.children_system)


def main() -> None:
    """Fill, measure, and append a row to ``database_scale.jsonl``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--fraction", type=float, default=1.0)
    parser.add_argument("--keep", action="store_true", help="append the figures to the record")
    given = parser.parse_args()
    with running() as server:
        start = time.monotonic()
        filled(server, given.rows)
        print(f"filled in {time.monotonic() - start:.0f} s", flush=True)
        row = measure(server, given.rows, fraction=given.fraction)
        print(row, flush=True)
    if given.keep:
        append("database_scale", row)


if __name__ == "__main__":
    main()

"""Measure what has to be quick: start-up, reading, the loop's quick set and the full evaluation of 20,000 x 15.

    python -m benchmarks.speed

CPU seconds of this process and its children, and wall-clock seconds; two threads where work is shared.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.results import write_results
from benchmarks.rows import DATA, append
from synth_worker.evaluation import evaluate_tables, measure
from synth_worker.gates import profile
from synth_worker.generators.registry import build
from synth_worker.metrics.base import Comparison
from synth_worker.reading import read_table
from synth_worker.seeds import Streams
from synth_worker.synthesis import cpu_seconds

ROWS = 20_000
RUNS = 3


def timed(what: str, job: Callable[[], object]) -> None:
    """Record the median of three runs."""
    found: list[tuple[float, float]] = []
    for _ in range(RUNS):
        start, cpu = time.monotonic(), cpu_seconds()
        job()
        found.append((time.monotonic() - start, cpu_seconds() - cpu))
    seconds, cpu = (float(np.median([one[place] for one in found])) for place in (0, 1))
    append("speed", {"what": what, "runs": RUNS, "seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3)})
    print(f"{what}: {seconds:.2f} s, {cpu:.2f} CPU s", flush=True)


def main() -> None:
    """Measure and record."""
    if not DATA.exists():
        sys.exit("skipped: the real tables are not beside the project")
    home = Path(sys.executable).parent
    timed("gesalp --help", lambda: subprocess.run([home / "gesalp", "--help"], capture_output=True, check=True))
    timed("import synth_worker", lambda: subprocess.run([sys.executable, "-c", "import synth_worker"], check=True))
    timed("read adult.csv (32,561 x 15)", lambda: read_table(DATA / "adult.csv"))
    whole = read_table(DATA / "adult.csv").modelled()
    order = np.random.default_rng(0).permutation(whole.rows)
    train, holdout = whole.take(order[:ROWS]).narrowed(), whole.take(order[ROWS : ROWS + 4_300])
    reference = whole.take(order[ROWS + 4_300 : ROWS + 8_600])
    for method in ("gc", "cart"):
        timed(
            f"{method}: fit and draw {ROWS:,} x 15",
            lambda method=method: (
                build(method, {})
                .fit(train, rng=np.random.default_rng(0), threads=2)
                .sample(ROWS, rng=np.random.default_rng(1))
            ),
        )
    model = build("cart", {}).fit(train, rng=np.random.default_rng(0), threads=2)
    made = model.sample(ROWS, rng=np.random.default_rng(1))

    def compare(*, quick: bool) -> Comparison:
        return Comparison.of(
            train=train,
            holdout=holdout,
            synthetic=made,
            streams=Streams(0),
            reference=reference,
            target="income",
            quick=quick,
            threads=2,
        )

    gates = profile("standard")
    timed(f"the loop's quick set, {ROWS:,} x 15", lambda: measure(compare(quick=True), gates))
    timed(f"the full set, {ROWS:,} x 15", lambda: measure(compare(quick=False), gates))
    timed(
        f"gesalp evaluate with the power check, {ROWS:,} x 15",
        lambda: evaluate_tables(train=train, holdout=holdout, synthetic=made, target="income", threads=2),
    )
    write_results()


if __name__ == "__main__":
    main()

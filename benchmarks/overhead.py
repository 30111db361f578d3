"""Measure what the optimiser itself costs per attempt: evidence, analysis, next plan, and the record.

    python -m benchmarks.overhead [--rows 50000] [--columns 100]

Imports are left out, and so are training, sampling and the gates' figures. The target is less than a second at 50,000
rows of 100 columns. One line is appended to records/overhead.jsonl.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from benchmarks.rows import append, ask_since, held
from synth_worker.gates import judge, profile
from synth_worker.generators.registry import GENERATORS
from synth_worker.metrics.base import Score
from synth_worker.optimizer import Evidence, diagnose
from synth_worker.record import attempt_json
from synth_worker.run import Attempt, CurvePoint, Measurement, Plan
from synth_worker.schema import Column, Kind, Schema
from synth_worker.search.portfolio import Ask, next_plan
from synth_worker.straying import strays
from synth_worker.table import Table

LABELS = tuple(f"v{place:02d}" for place in range(20))


def made_table(rows: int, columns: int, seed: int) -> Table:
    """Make a table of numbers and, in every fourth column, labels."""
    rng = np.random.default_rng([seed, rows, columns])
    own: list[Column] = []
    frame: dict[str, object] = {}
    for place in range(columns):
        name = f"x{place:03d}"
        if place % 4:
            own.append(Column(name, Kind.NUMERIC, dtype="float64"))
            frame[name] = rng.normal(size=rows)
        else:
            own.append(Column(name, Kind.CATEGORICAL, categories=LABELS))
            frame[name] = pd.Categorical.from_codes(rng.integers(0, len(LABELS), rows), list(LABELS))  # pyright: ignore[reportCallIssue, reportArgumentType]
    return Table(Schema(tuple(own)), pd.DataFrame(frame))


def measure(rows: int, columns: int) -> dict[str, object]:
    """Time each part on an attempt that failed two gates, five attempts into a run."""
    train, drawn = made_table(rows, columns, 0), made_table(rows, columns, 1)
    detail = {f"column:{name}": 0.3 for name in train.schema.names}
    bad = {"ks_mean": Score(0.3, upper=0.31, rows=rows, detail=detail), "corr_delta": Score(0.3, upper=0.31, rows=rows)}
    gates = profile("standard")
    scores = {gate.metric: bad.get(gate.metric, Score(0.0, upper=0.0, rows=rows)) for gate in gates.gates}
    verdict = judge(scores, gates)
    curve = tuple(CurvePoint(step, 20, 1.0 / step, 1.0 / step, 1.0 / step) for step in range(1, 21))
    plan = Plan("ddpm", GENERATORS["ddpm"].defaults(), 0)
    times = {"start": time.process_time()}
    found = strays(train, drawn)
    times["evidence"] = time.process_time()
    told = diagnose(Evidence("ddpm", plan.hyperparameters, rows, columns, verdict, scores, curve, found))
    times["analysis"] = time.process_time()
    attempt = Attempt(1, plan, Measurement(scores, verdict), told, 1.0, 1.0, curve=curve)
    done = [replace(attempt, number=place, plan=replace(plan, seed=place)) for place in range(1, 6)]
    next_plan(done, Ask("ddpm", 0, 9, rows, seconds=None))
    times["suggestion"] = time.process_time()
    json.dumps([attempt_json(one) for one in done])
    times["record"] = time.process_time()
    names = list(times)
    parts = {late: round(times[late] - times[early], 4) for early, late in pairwise(names)}
    return {"rows": rows, "columns": columns, **parts, "cpu_seconds": round(times["record"] - times["start"], 3)}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--columns", type=int, default=100)
    ask_since(parser)
    asked = parser.parse_args()
    if (asked.rows, asked.columns) in held("overhead", "rows", "columns", since=asked.since):
        return
    row = measure(asked.rows, asked.columns)
    print(row)
    append("overhead", row)


if __name__ == "__main__":
    main()

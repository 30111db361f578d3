"""Count how often the gates are red and green on tables whose leak is known.

python -m benchmarks.calibration [--tables adult,flchain,made,randhie] [--rows 300,1000,2000,5000]
    [--cases fresh,copies,jittered,few_jittered,trees,faithful] [--trials 40] [--seed 0] [--workers 2]

Each trial draws ``rows`` real rows, divides them as the system does and certifies a "synthetic" table by the code of
the certificate (``evaluation.certify`` from 2,000 rows on, else ``crossfit.certify_crossfitted``), of which only what
no gate reads is left out, and the power check, which makes a verdict amber at most. The table is made of real rows
that are in none of the parts (``fresh``), of such rows and 5 % exact (``copies``) or jittered (``few_jittered``)
training rows, of jittered training rows alone, or drawn from trees that memorise (``benchmarks.cases``). One line per
batch of trials is appended to records/calibration.jsonl; trials on record for the same measuring code are not done
again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import CASES, Make, made
from benchmarks.rows import DATA, ROOT, append, read
from synth_worker.crossfit import FoldResult, certify_crossfitted, inner_split
from synth_worker.evaluation import certify
from synth_worker.gates import CROSSFIT_BELOW, profile
from synth_worker.metrics.base import Comparison
from synth_worker.reading import read_table
from synth_worker.run import Certificate
from synth_worker.seeds import Streams
from synth_worker.splitting import folds, split
from synth_worker.table import Table, unify

BATCH = 20
PROFILE = profile("standard")
MEASURING = ("gates.py", "evaluation.py", "crossfit.py", "splitting.py", "metrics")


@cache
def code() -> str:
    """Return a hash of the sources that a ruling depends on: records with another are not of the same measurement."""
    home = ROOT / "backend" / "synth_worker"
    digest = hashlib.sha256()
    for name in MEASURING:
        own = home / name
        for path in sorted(own.glob("*.py")) if own.is_dir() else [own]:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def table_named(name: str) -> Table:
    """Return a real table's modelled columns, or the made one."""
    (table,) = unify([made() if name == "made" else read_table(DATA / f"{name}.csv").modelled()])
    return table


def compared(own: Table, others: Table, make: Make, *, seed: int) -> Comparison:
    """Divide a table as a run with a certificate does and make the table that is delivered."""
    streams = Streams(seed).child("calibration")
    parts = split(own, key=f"{seed:032x}", certified=True)
    train = own.take(parts.train_rows)
    return Comparison.of(
        train=train,
        holdout=own.take(parts.certificate_rows),
        synthetic=make(train, others, own.rows, streams.rng("make")),
        reference=own.take(parts.validation_rows),
        streams=streams,
    )


def trial(own: Table, others: Table, make: Make, *, seed: int) -> Certificate:
    """Certify one made table as a run would."""
    if own.rows >= CROSSFIT_BELOW:
        return certify(compared(own, others, make, seed=seed), PROFILE, mode="holdout", only_gated=True)
    streams = Streams(seed).child("calibration")
    rng = streams.rng("make")
    key = f"{seed:032x}"
    parts = split(own, key=key, certified=False)
    delivered = make(own.take(parts.train_rows), others, own.rows, rng)
    results: list[FoldResult] = []
    for number, fold in enumerate(folds(own, key=key)):
        inner = inner_split(own.take(fold.used), key=key, number=number)
        members = fold.used[inner.train_rows]
        results.append(FoldResult(members, fold.held, make(own.take(members), others, len(fold.used), rng)))
    return certify_crossfitted(
        own, results, delivered=delivered, own=parts, gates=PROFILE, streams=streams, only_gated=True
    )


def drawn(table: Table, rows: int, *, seed: int, number: int) -> tuple[Table, Table]:
    """Return the rows of one trial, and those that are left over."""
    order = np.random.default_rng([seed, number, rows]).permutation(table.rows)
    return table.take(order[:rows]), table.take(order[rows:])


@dataclass(frozen=True)
class Ended:
    """Hold what one trial found."""

    light: str
    released: bool
    rulings: Mapping[str, str]
    values: Mapping[str, float]
    cpu_seconds: float
    raw: Mapping[str, object]


@dataclass(frozen=True)
class Asked:
    """Name a case: which table, how many of its rows, which synthetic table."""

    table: str
    rows: int
    case: str
    seed: int


def run(asked: Asked, number: int) -> Ended:
    """Run one trial."""
    start = time.process_time()
    own, others = drawn(table_named(asked.table), asked.rows, seed=asked.seed, number=number)
    found = trial(own, others, CASES[asked.case], seed=asked.seed * 100_000 + number)
    verdict = found.verdict
    figures = {
        one.metric: [str(one.ruling), one.value, one.upper, *_evidence(found, one.metric)] for one in verdict.rulings
    }
    return Ended(
        light=str(verdict.light),
        released=verdict.may_release,
        rulings={one.metric: str(one.ruling) for one in verdict.rulings},
        values={one.metric: one.value for one in verdict.rulings if one.value is not None},
        cpu_seconds=time.process_time() - start,
        raw={**asdict(asked), "trial": number, "light": str(verdict.light), "figures": figures},
    )


def _evidence(found: Certificate, metric: str) -> tuple[float | None, Mapping[str, float]]:
    score = found.scores.get(metric)
    return (None, {}) if score is None else (score.p_value, dict(score.detail) if metric in _DETAILED else {})


_DETAILED = ("mia_auc", "mia_tpr", "dcr_share", "copy_excess")


def summed(asked: Asked, trials: range, ended: Sequence[Ended]) -> dict[str, object]:
    """Count the rulings of a batch of trials."""
    metrics = dict.fromkeys(metric for one in ended for metric in one.rulings)
    values = {metric: [one.values[metric] for one in ended if metric in one.values] for metric in metrics}
    return {
        **asdict(asked),
        "trials": len(trials),
        "first": trials.start,
        "code": code(),
        "cpu_seconds": round(sum(one.cpu_seconds for one in ended), 1),
        "all": dict(Counter(one.light for one in ended)),
        "released": sum(one.released for one in ended),
        "rulings": {
            metric: dict(Counter(one.rulings[metric] for one in ended if metric in one.rulings)) for metric in metrics
        },
        "mean": {metric: round(float(np.mean(own)), 4) for metric, own in values.items() if own},
        "sd": {metric: round(float(np.std(own)), 4) for metric, own in values.items() if own},
    }


def done_already(asked: Asked) -> int:
    """Return how many trials of a case are on record for this measuring code: they are numbered from 0 without gaps."""
    own = {**asdict(asked), "code": code()}
    return sum(int(str(row["trials"])) for row in read("calibration") if own.items() <= row.items())


def main() -> None:
    """Run what is asked and append one row per batch of trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default="adult,flchain,made,randhie")
    parser.add_argument("--rows", default="300,1000,2000,5000")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--raw", type=Path, help="append every trial's figures to this file, for analysis")
    parser.add_argument("--dry", action="store_true", help="record nothing")
    asked = parser.parse_args()
    if not DATA.exists():
        sys.exit("skipped: the real tables are not beside the project")
    code()  # of what runs now, whatever is edited meanwhile
    cases = [
        Asked(table, int(rows), case, asked.seed)
        for rows in asked.rows.split(",")
        for case in asked.cases.split(",")
        for table in asked.tables.split(",")
    ]
    with ProcessPoolExecutor(max_workers=asked.workers) as pool:
        for case in cases:
            first = 0 if asked.dry else done_already(case)
            while first < asked.trials:
                batch = range(first, min(first + BATCH, asked.trials))
                ended = list(pool.map(partial(run, case), batch))
                first = batch.stop
                _keep(summed(case, batch, ended), ended, raw=asked.raw, dry=asked.dry)


def _keep(row: Mapping[str, Any], ended: Sequence[Ended], *, raw: Path | None, dry: bool) -> None:
    """Show a batch, and record it."""
    short = {metric: counts for metric, counts in row["rulings"].items() if set(counts) != {"green"}}
    batch = f"{row['first']}-{row['first'] + row['trials'] - 1}"
    shown = (row["table"], row["rows"], row["case"], batch, row["all"], f"released {row['released']}", short)
    print(*shown, row["cpu_seconds"], flush=True)
    if raw is not None:
        with raw.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one.raw) + "\n" for one in ended)
    if not dry:
        append("calibration", row)


if __name__ == "__main__":
    main()

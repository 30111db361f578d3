"""Count how often the privacy gates are red and green on tables whose leak is known.

python -m benchmarks.calibration [--tables adult,flchain,randhie] [--rows 300,1000,2000,5000]
    [--cases fresh,copies,jittered,few_jittered] [--trials 40] [--seed 0]

Each trial draws ``rows`` real rows and divides them as the system does: into train, validation and certificate from
2,000 rows on, else into five folds. The "synthetic" table is made of real rows that are in none of them (``fresh``),
of such rows and 5 % exact (``copies``) or jittered (``few_jittered``) training rows, or of jittered training rows
alone. One line per table, size and case is appended to records/calibration.jsonl.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.rows import DATA, append
from synth_worker.gates import CROSSFIT_BELOW, Ruling, profile, rule
from synth_worker.metrics.base import Comparison, Score
from synth_worker.metrics.closeness import dcr_share
from synth_worker.metrics.duplicates import count_copies, score_copies, score_duplicates
from synth_worker.metrics.membership import run_battery, score_battery
from synth_worker.metrics.power import jittered
from synth_worker.reading import read_table
from synth_worker.seeds import Streams
from synth_worker.splitting import folds, split
from synth_worker.table import Ints, Table, unify

SHARE = 0.05
GATES = [
    gate
    for gate in profile("standard").gates
    if gate.metric in ("mia_auc", "mia_tpr", "dup_rate", "copy_excess", "dcr_share")
]
Make = Callable[[Table, Table, np.random.Generator], Table]


def joined(one: Table, other: Table) -> Table:
    """Return the rows of both tables, of one domain."""
    return Table(one.schema, pd.concat([one.frame, other.frame], ignore_index=True))


def fresh(train: Table, others: Table, rng: np.random.Generator) -> Table:
    """Return as many unseen real rows as there are training rows, or all there are."""
    return others.take(rng.permutation(others.rows)[: train.rows])


def _mixed(train: Table, others: Table, rng: np.random.Generator, *, noisy: bool) -> Table:
    base = fresh(train, others, rng)
    few = round(SHARE * base.rows)
    put = train.take(rng.choice(train.rows, few, replace=False))
    if noisy:
        put = jittered(put, like=train, rng=rng)
    return joined(base.take(np.arange(base.rows - few)), put)


def copies(train: Table, others: Table, rng: np.random.Generator) -> Table:
    """Replace 5 % of the fresh rows by training rows."""
    return _mixed(train, others, rng, noisy=False)


def few_jittered(train: Table, others: Table, rng: np.random.Generator) -> Table:
    """Replace 5 % of the fresh rows by jittered training rows."""
    return _mixed(train, others, rng, noisy=True)


def all_jittered(train: Table, _others: Table, rng: np.random.Generator) -> Table:
    """Jitter every training row."""
    return jittered(train, like=train, rng=rng)


CASES: dict[str, Make] = {
    "fresh": fresh,
    "copies": copies,
    "jittered": all_jittered,
    "few_jittered": few_jittered,
}


def scores(own: Table, others: Table, make: Make, *, seed: int) -> dict[str, Score]:
    """Measure one trial as a certificate would."""
    streams = Streams(seed).child("calibration")
    rng = streams.rng("make")
    key = f"{seed:032x}"
    certified = own.rows >= CROSSFIT_BELOW
    parts = split(own, key=key, certified=certified)
    train = own.take(parts.train_rows)
    delivered = Comparison.of(
        train=train,
        holdout=own.take(parts.certificate_rows if certified else parts.validation_rows),
        synthetic=make(train, others, rng),
        reference=own.take(parts.validation_rows) if certified else None,
        streams=streams,
    )
    found = {**score_duplicates(delivered), "dcr_share": dcr_share(delivered)}
    if certified:
        return {
            **found,
            **score_battery([run_battery(delivered)], alpha=0.05),
            **score_copies([count_copies(delivered)]),
        }
    batteries, counts = [], []
    for number, fold in enumerate(folds(own, key=key)):
        inner = split(own.take(fold.used), key=key, certified=False)
        members: Ints = fold.used[inner.train_rows]
        learnt = own.take(members)
        one = Comparison.of(
            train=learnt,
            holdout=own.take(fold.held),
            synthetic=make(learnt, others, rng),
            streams=streams.child(number),
        )
        batteries.append(run_battery(one, member_ids=members, nonmember_ids=fold.held))
        counts.append(count_copies(one, member_ids=members))
    return {**found, **score_battery(batteries, alpha=0.05), **score_copies(counts)}


def measure(table: Table, case: str, *, rows: int, trials: int, seed: int) -> dict[str, object]:
    """Run the trials of one case and count the rulings."""
    rulings: dict[str, Counter[str]] = {gate.metric: Counter() for gate in GATES}
    whole: Counter[str] = Counter()
    values: dict[str, list[float]] = {gate.metric: [] for gate in GATES}
    start = time.process_time()
    for trial in range(trials):
        order = np.random.default_rng([seed, trial, rows]).permutation(table.rows)
        own, others = table.take(order[:rows]), table.take(order[rows:])
        found = scores(own, others, CASES[case], seed=seed * 100_000 + trial)
        ruled = {gate.metric: rule(gate, found[gate.metric]).ruling for gate in GATES}
        for metric, ruling in ruled.items():
            rulings[metric][str(ruling)] += 1
            value = found[metric].value
            if value is not None:
                values[metric].append(value)
        bad = {Ruling.RED, Ruling.SUSPICIOUS, Ruling.UNMEASURED}
        worst = "red" if bad & set(ruled.values()) else "green" if set(ruled.values()) == {Ruling.GREEN} else "amber"
        whole[worst] += 1
    return {
        "case": case,
        "rows": rows,
        "trials": trials,
        "seed": seed,
        "cpu_seconds": round(time.process_time() - start, 1),
        "all": dict(whole),
        "rulings": {metric: dict(counts) for metric, counts in rulings.items()},
        "mean": {metric: round(float(np.mean(own)), 4) if own else None for metric, own in values.items()},
        "sd": {metric: round(float(np.std(own)), 4) if own else None for metric, own in values.items()},
    }


def main() -> None:
    """Run what is asked and append one row per table, size and case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default="adult,flchain,randhie")
    parser.add_argument("--rows", default="300,1000,2000,5000")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if not DATA.exists():
        sys.exit("skipped: the real tables are not beside the project")
    for name in asked.tables.split(","):
        (table,) = unify([read_table(DATA / f"{name}.csv").modelled()])
        for rows in (int(one) for one in asked.rows.split(",")):
            for case in asked.cases.split(","):
                row = measure(table, case, rows=rows, trials=asked.trials, seed=asked.seed)
                print(name, rows, case, row["all"], row["rulings"], row["mean"], row["cpu_seconds"], flush=True)
                append("calibration", {"table": name, **row})


if __name__ == "__main__":
    main()

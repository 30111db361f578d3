"""Ask the evaluator about tables whose answer is known: adult, 5,000 rows to learn from and 5,000 held out.

python -m benchmarks.known_answers [--seeds 0,1,2]
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import pandas as pd

import synth_worker as sw
from benchmarks.results import write_results
from benchmarks.rows import DATA, append, ask_since, held
from benchmarks.tables import FIGURES

ROWS = 5_000


def cases(train: pd.DataFrame, fresh: pd.DataFrame, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Return synthetic tables of known quality."""
    few = ROWS // 20
    copies = pd.concat([fresh.iloc[few:], train.sample(few, random_state=int(rng.integers(2**31)))], ignore_index=True)
    return {
        "fresh real rows": fresh,
        "a copy of the training rows": train,
        "fresh rows with 5 % copies": copies,
        "all training rows jittered": jittered(train, rng),
        "columns shuffled": train.apply(lambda column: rng.permutation(column.to_numpy())),
        "corner values": corners(train),
    }


def jittered(train: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add noise of half a standard deviation to numbers and change 30 % of the categories."""
    out = train.copy()
    for name in out.columns:
        column = out[name]
        if pd.api.types.is_numeric_dtype(column):
            noisy = column + rng.normal(0, 0.5 * column.std(), len(column))
            out[name] = noisy.round().clip(column.min(), column.max()).astype(column.dtype)
        else:
            change = rng.random(len(column)) < 0.3
            out.loc[change, name] = rng.permutation(column.to_numpy())[change]
    return out


def corners(train: pd.DataFrame) -> pd.DataFrame:
    """Set numbers up to the median to the minimum and the others to the maximum."""
    out = train.copy()
    for name in out.columns:
        column = out[name]
        if pd.api.types.is_numeric_dtype(column):
            out[name] = np.where(column <= column.median(), column.min(), column.max()).astype(column.dtype)
    return out


def main() -> None:
    """Evaluate every case for every seed and record it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0,1,2")
    ask_since(parser)
    asked = parser.parse_args()
    if not DATA.exists():
        sys.exit("skipped: the real tables are not beside the project")
    done = held("known_answers", "case", "seed", since=asked.since)
    real = pd.read_csv(DATA / "adult.csv")
    for seed in (int(one) for one in asked.seeds.split(",")):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(real))
        train, holdout, fresh = (real.iloc[order[at : at + ROWS]].reset_index(drop=True) for at in (0, ROWS, 2 * ROWS))
        for case, synthetic in cases(train, fresh, rng).items():
            if (case, seed) in done:
                continue
            start = time.monotonic()
            report = sw.evaluate(train=train, holdout=holdout, synthetic=synthetic, target="income", seed=seed)
            row = {
                "case": case,
                "seed": seed,
                "verdict": str(report.verdict),
                "not_green": {one.metric: str(one.ruling) for one in report.verdict.failures},
                "seconds": round(time.monotonic() - start, 2),
                "scores": {
                    name: {
                        "value": report.scores[name].value,
                        "upper": report.scores[name].upper,
                        "floor": report.scores[name].floor,
                    }
                    for name in FIGURES
                    if name in report.scores
                },
            }
            print(seed, case, row["verdict"], row["not_green"], row["seconds"], flush=True)
            append("known_answers", row)
    write_results()


if __name__ == "__main__":
    main()

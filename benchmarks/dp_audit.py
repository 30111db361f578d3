"""Audit mst and aim end to end: try to tell two neighbouring tables apart by all that a fit is told.

    nice -n 10 python -m benchmarks.dp_audit [--runs 2000] [--epsilons 0.5,1,4] [--methods mst,aim]

The table has 150 equal rows of 3 columns; its neighbour one more row, which differs in every column. The distinguisher
sees every noised answer, more than the model keeps: it sums the counts of the added row's cells, each weighted by the
inverse of its variance, the most powerful statistic for Gaussian noise. Its threshold is chosen on one half of the runs
and judged on the other: the Clopper-Pearson bounds (99.9 %) of its two error rates bound epsilon from below. Inference
only reads noised answers, so few steps of it are made.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import log

import numpy as np
import pandas as pd
from scipy.stats import beta

from benchmarks.rows import append
from synth_worker.generators import aim, dp_margin, dp_pairs
from synth_worker.generators.registry import build
from synth_worker.privacy.mechanisms import gaussian_counts
from synth_worker.privacy.noise import NoiseSource
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table

ROWS, DELTA, SURE = 150, 1e-6, 0.001


def neighbours() -> tuple[Table, Table]:
    """Return the table and the one with a row more."""
    columns = tuple(Column(name, Kind.CATEGORICAL, categories=("a", "b"), public=True) for name in "xyz")

    def made(rows: list[int]) -> Table:
        frame = {name: pd.Categorical.from_codes(rows, categories=["a", "b"]) for name in "xyz"}
        return Table(Schema(columns), pd.DataFrame(frame))

    return made([0] * ROWS), made([0] * ROWS + [1])


class Listener:
    """Stand in for the Gaussian mechanism, and add up the counts of the added row's cells by their precision."""

    def __init__(self) -> None:
        self.score = 0.0

    def __call__(self, counts: np.ndarray, *, rho: float, sensitivity: float, noise: NoiseSource) -> np.ndarray:
        answer = gaussian_counts(counts, rho=rho, sensitivity=sensitivity, noise=noise)
        # Labels, "other" and NULL: the added row's label is the second. Codes of pairs: those beside the common one.
        own = answer[1] if answer.ndim == 1 else answer.sum() - answer.max()
        self.score += 2 * rho * float(own) / (1 if answer.ndim == 1 else max(answer.size - 1, 1))
        return answer


def scores(method: str, table: Table, *, epsilon: float, runs: int) -> np.ndarray:
    """Return the distinguisher's statistic of each run."""
    found = np.empty(runs)
    for at in range(runs):
        listener = Listener()
        for module in (dp_margin, dp_pairs, aim):
            module.gaussian_counts = listener  # type: ignore[attr-defined]
        build(method, {"epsilon": epsilon, "delta": DELTA}).fit(table, rng=np.random.default_rng(at))
        found[at] = listener.score
    return found


def bound(one: np.ndarray, two: np.ndarray) -> float:
    """Return the lower bound of epsilon that the statistic shows."""
    half = len(one) // 2
    levels = np.quantile(np.concatenate([one[:half], two[:half]]), np.linspace(0.02, 0.98, 97))

    def shown(out: np.ndarray, inside: np.ndarray, rate: Callable[[np.ndarray, float], int], level: float) -> float:
        hit, miss, runs = rate(inside, level), rate(out, level), len(out)
        low = beta.ppf(SURE / 2, hit, runs - hit + 1) if hit else 0.0
        high = beta.ppf(1 - SURE / 2, miss + 1, runs - miss) if miss < runs else 1.0
        return log((low - DELTA) / high) if low > DELTA else 0.0

    sides: list[tuple[np.ndarray, np.ndarray, Callable[[np.ndarray, float], int]]] = [
        (one, two, lambda values, level: int((values > level).sum())),
        (two, one, lambda values, level: int((values <= level).sum())),
    ]
    tried = [
        (shown(out[:half], ins[:half], rate, level), at, level)
        for at, (out, ins, rate) in enumerate(sides)
        for level in levels
    ]
    _, at, level = max(tried)
    out, ins, rate = sides[at]
    return max(shown(out[half:], ins[half:], rate, level), 0.0)


def main() -> None:
    """Audit what is asked and append a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--epsilons", default="0.5,1,4")
    parser.add_argument("--methods", default="mst,aim")
    asked = parser.parse_args()
    aim.STEPS, aim.LAST_STEPS = 2, 2
    without, within = neighbours()
    for method in asked.methods.split(","):
        for epsilon in (float(one) for one in asked.epsilons.split(",")):
            sides = [scores(method, table, epsilon=epsilon, runs=asked.runs) for table in (without, within)]
            row = {
                "method": method,
                "epsilon": epsilon,
                "delta": DELTA,
                "runs": 2 * asked.runs,
                "distinguisher": "all noised answers",
                "lower": round(bound(*sides), 3),
                "gap": round(float((sides[1].mean() - sides[0].mean()) / sides[0].std()), 3),
            }
            row["holds"] = float(str(row["lower"])) <= epsilon
            print(row, flush=True)
            append("dp_audit", row)


if __name__ == "__main__":
    main()

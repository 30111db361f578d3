"""Measure fidelity against the attacks, for every method and setting of the knob, on six tables.

    python -m benchmarks.front [--tables adult-5k,heart] [--seeds 0,1,2] [--points gc,cart-0.5] [--only-document]

The rows are those of the programs in ``published``: so many to learn from, as many held out (on the two small tables
the rest), drawn anew for every seed. A point is a method, its knob, and whether rows are selected among four times as
many. One line per point, table and seed is appended to records/front.jsonl; CPU seconds are those of fit and draw, on
one thread. ``c2st`` is against held-out rows (the figure of the gates and reports), ``c2st_train`` against training
rows (that of ``published``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.front_page import write_front
from benchmarks.points import collect
from benchmarks.published import PLACES, Place
from benchmarks.rows import DATA
from synth_worker.fitting import fit_and_sample
from synth_worker.generators.base import Value
from synth_worker.metrics.attacks import attack, look_deep
from synth_worker.metrics.base import Comparison
from synth_worker.metrics.closeness import dcr_share
from synth_worker.metrics.confidence import delong_variance
from synth_worker.metrics.detection import FULL, detect
from synth_worker.metrics.duplicates import count_copies, score_copies
from synth_worker.reading import read_table
from synth_worker.seeds import Streams
from synth_worker.table import Table

MOST_JUDGED = 5_000
"""Rows of either kind that the trees of C2ST are shown: with more of them every figure takes a minute."""

STEADY_ROWS, FEW_ROWS_REPEATS = 2_000, 5
"""From so many rows on the division into folds hardly moves the C2ST; below, several are averaged."""

POINTS: Mapping[str, tuple[str, Mapping[str, Value]]] = {
    "gc-bare": ("gc", {"oversample": 1}),
    "gc": ("gc", {"oversample": 4}),
    "cart-bare-0.5": ("cart", {"privacy": 0.5, "oversample": 1}),
    "cart-0.0": ("cart", {"privacy": 0.0, "oversample": 4}),
    "cart-0.25": ("cart", {"privacy": 0.25, "oversample": 4}),
    "cart-0.5": ("cart", {"privacy": 0.5, "oversample": 4}),
    "cart-0.75": ("cart", {"privacy": 0.75, "oversample": 4}),
    "cart-1.0": ("cart", {"privacy": 1.0, "oversample": 4}),
    "arn": ("arn", {"oversample": 4}),
    "arn-bare": ("arn", {"oversample": 1}),
    "ddpm": ("ddpm", {"oversample": 4}),
    "ddpm-bare": ("ddpm", {"oversample": 1}),
    "tvae": ("tvae", {"oversample": 4}),
    "ctgan": ("ctgan", {"oversample": 4}),
}


def divided(place: Place, *, seed: int) -> tuple[Table, Table]:
    """Return the rows to learn from and the rows held out."""
    table = read_table(DATA / f"{place.file}.csv").modelled()
    order = np.random.default_rng([seed, place.train]).permutation(table.rows)
    return table.take(order[: place.train]).narrowed(), table.take(order[place.train : place.train + place.holdout])


def judge_point(train: Table, holdout: Table, synthetic: Table, *, seed: int) -> dict[str, object]:
    """Return the figures of one synthetic table: values, and standard errors under ``se``."""
    streams = Streams(seed).child("front")
    comparison = Comparison.of(train=train, holdout=holdout, synthetic=synthetic, streams=streams)
    rng = streams.rng("rows")

    def trees(real: Table) -> tuple[float, float]:
        size = min(real.rows, comparison.synthetic.rows, MOST_JUDGED)
        sides = [table.take(np.sort(rng.permutation(table.rows)[:size])) for table in (real, comparison.synthetic)]
        repeats = 1 if size >= STEADY_ROWS else FEW_ROWS_REPEATS
        return detect(*sides, streams=streams.child(real.rows), repeats=repeats, effort=FULL, threads=1)

    with threadpool_limits(limits=1):
        found = {"c2st": trees(comparison.holdout), "c2st_train": trees(comparison.train)}
        scene, sight = comparison.once(look_deep)
        cut = len(scene.challenge.members)
        for name in ("distance", "density"):
            scores = attack(name, sight)
            value, variance = delong_variance(scores[:cut], scores[cut:])
            found[name] = (value, variance**0.5)
        share = dcr_share(comparison)
        copies = score_copies([count_copies(comparison)], alpha=0.05)["copy_excess"]
    values: dict[str, object] = {name: round(value, 4) for name, (value, _) in found.items()}
    values |= {"dcr_share": share.value, "copy_excess": copies.value}
    errors = {name: round(error, 4) for name, (_, error) in found.items()} | {"dcr_share": share.detail.get("se")}
    return {**values, "se": errors}


def measure(table: str, point: str, seed: int) -> dict[str, object]:
    """Fit, draw and judge one point."""
    train, holdout = divided(PLACES[table], seed=seed)
    method, hyperparameters = POINTS[point]
    start = time.process_time()
    fitted = fit_and_sample(
        train, method=method, hyperparameters=hyperparameters, rows=train.rows, streams=Streams(seed).child(point)
    )
    cpu = time.process_time() - start
    figures = judge_point(train, holdout, fitted.synthetic, seed=seed)
    return {"cpu_seconds": round(cpu, 2), **figures}


def main() -> None:
    """Measure what is asked, then write the page."""
    collect("front", about=__doc__ or "", points=POINTS, measure=measure)
    write_front()


if __name__ == "__main__":
    main()

"""Count rows that break a constraint which the schema states."""

from __future__ import annotations

import numpy as np

from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.confidence import wilson_bounds
from synth_worker.metrics.floors import equal_draws, with_floor
from synth_worker.table import Bools, Table
from synth_worker.violations import broken_rows

NAME = "broken_constraints"
COUNT = "rows"
RULE = "rule:"


def _broken(table: Table, known: list[Table]) -> tuple[Bools, dict[str, float]]:
    """Return which rows break any constraint, shape (rows,), and the share of rows that break each."""
    rows = np.zeros(table.rows, dtype=np.bool_)
    shares: dict[str, float] = {}
    for constraint in known[0].schema.constraints:
        own = broken_rows(constraint, table, known=known)
        rows |= own
        shares[f"{RULE}{constraint.words}"] = float(own.mean())
    return rows, shares


def _compute(comparison: Comparison) -> Scores:
    synthetic = comparison.synthetic
    if not comparison.train.schema.constraints:
        return {NAME: Score.not_applicable("the schema states no constraint")}
    if synthetic.rows == 0:
        return {NAME: Score.unmeasured("the synthetic table has no rows")}
    # A combination is real wherever a real row holds it, learnt from or not.
    known = [comparison.train, comparison.holdout]
    known += [] if comparison.reference is None else [comparison.reference]
    rows, shares = _broken(synthetic, known)
    count = int(np.count_nonzero(rows))
    bounds = wilson_bounds(count, synthetic.rows, alpha=comparison.alpha)
    score = Score(
        count / synthetic.rows,
        bounds.low,
        bounds.high,
        bounds.upper,
        rows=synthetic.rows,
        detail={COUNT: float(count), **shares},
    )
    draws = equal_draws(comparison)
    if draws.size:
        real = _broken(comparison.holdout, known)[0]
        floor = float(np.mean([real[draw].mean() for draw in draws.holdout]))
        at_size = float(np.mean([rows[draw].mean() for draw in draws.synthetic]))
        score = with_floor(score, floor=floor, at_floor_size=at_size, size=draws.size)
    return {NAME: score}


FAMILY = Family(
    NAME,
    (Metric(NAME, Better.LOWER, "share of rows that break a constraint which the schema states"),),
    _compute,
)
FAMILIES = (FAMILY,)


def sentence(score: Score) -> str:
    """Return how many rows break which constraints, in words; empty where none does.

    >>> sentence(Score(0.02, rows=100, detail={"rows": 2.0, "rule:a <= b": 0.02}))
    '2 of 100 rows break a constraint (a <= b: 2)'
    """
    count = round(score.detail.get(COUNT, 0.0))
    if not count:
        return ""
    broken = {name: share for name, share in score.detail.items() if name.startswith(RULE) and share > 0}
    each = "; ".join(
        f"{name.removeprefix(RULE)}: {round(share * score.rows):,}"
        for name, share in sorted(broken.items(), key=lambda one: -one[1])
    )
    return f"{count:,} of {score.rows:,} rows break a constraint ({each})"

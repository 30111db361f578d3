"""Compare how columns hang together: the association matrices of real and synthetic rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr

from synth_worker.metrics.association import Design, Layout, pairs_of, weighted_gram
from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.confidence import deal_groups, jackknife_error, normal_bounds, sequential_p_value
from synth_worker.metrics.floors import Null, equal_draws, null_of, with_floor, worst_pairs
from synth_worker.table import Floats, Ints, Table

GROUPS = 20
NULL_COST = 4e10
"""Multiplications that the null may cost (half a second); a wide table gets fewer draws and a normal tail."""

FEWEST_DRAWS = 20
PLAIN_DRAWS = 400
"""From this many draws on their share is the p-value."""


@dataclass(frozen=True, eq=False)
class Dependence:
    """Hold the association of each pair of columns in real rows, and the means to get others."""

    layout: Layout
    real: Floats
    first: Ints
    second: Ints

    def gaps(self, associations: Floats) -> Floats:
        """Return the absolute difference of each pair, shape (pairs,)."""
        return np.abs(associations - self.real)[self.first, self.second]

    def delta(self, gram: Floats) -> float:
        """Return the mean absolute difference between the real rows and the rows of a Gram matrix."""
        return float(self.gaps(self.layout.associations(gram)).mean())


def shuffled(table: Table, rng: np.random.Generator) -> Table:
    """Return a table with each column shuffled on its own: the same margins, no dependence."""
    frame = {name: table.frame[name].array.take(rng.permutation(table.rows)) for name in table.schema.names}
    return Table(table.schema, pd.DataFrame(frame), table.units)


def _compute(comparison: Comparison) -> Scores:
    train, synthetic = comparison.train, comparison.synthetic
    if len(train.schema) < 2:
        one = Score.not_applicable("a table of one column has no pair of columns")
        return {"corr_delta": one, "corr_loss": one}
    if synthetic.rows == 0:
        none = Score.unmeasured("the synthetic table has no rows")
        return {"corr_delta": none, "corr_loss": none}
    layout = Layout.of(train)
    own, drawn = Design.of(layout, train), Design.of(layout, synthetic)
    grams = own.gram(), drawn.gram()
    first, second = pairs_of(len(layout.names))
    dependence = Dependence(layout, layout.associations(grams[0]), first, second)
    gaps = dependence.gaps(layout.associations(grams[1]))
    value = float(gaps.mean())
    error = _jackknife(comparison, dependence, (own, drawn), grams)
    bounds = normal_bounds(value, error, alpha=comparison.alpha, most=2.0)
    names = [f"pair:{layout.names[a]}|{layout.names[b]}" for a, b in zip(first, second, strict=True)]
    null = null_of(comparison)
    p_value = None if null is None else _null_p_value(comparison, layout, null=null, value=value)
    score = Score(
        value,
        bounds.low,
        bounds.high,
        bounds.upper,
        p_value,
        rows=train.rows,
        detail=worst_pairs(dict(zip(names, gaps.tolist(), strict=True))),
    )
    draws = equal_draws(comparison)
    if draws.size:
        held = Design.of(layout, comparison.holdout)
        floor = float(np.mean([dependence.delta(held.gram(rows)) for rows in draws.holdout]))
        at_size = float(np.mean([dependence.delta(drawn.gram(rows)) for rows in draws.synthetic]))
        score = with_floor(score, floor=floor, at_floor_size=at_size, size=draws.size)
    loose = dependence.delta(Design.of(layout, shuffled(train, comparison.streams.rng("shuffled"))).gram())
    return {"corr_delta": score, "corr_loss": loss_score(score, loose)}


def _jackknife(
    comparison: Comparison, dependence: Dependence, designs: tuple[Design, Design], grams: tuple[Floats, Floats]
) -> float:
    """Return the standard error from leaving out one group of the real and one of the synthetic rows at a time."""
    rng, layout = comparison.streams.rng("corr", "groups"), dependence.layout
    dealt = (
        deal_groups(comparison.train.rows, rng=rng, units=comparison.train.units, groups=GROUPS),
        deal_groups(comparison.synthetic.rows, rng=rng, groups=GROUPS),
    )
    left: list[float] = []
    for group in range(GROUPS):
        sides = [
            layout.associations(gram - design.gram(np.flatnonzero(own == group)))
            for design, gram, own in zip(designs, grams, dealt, strict=True)
        ]
        left.append(float(np.abs(sides[0] - sides[1])[dependence.first, dependence.second].mean()))
    return jackknife_error(np.array(left))


def _null_p_value(comparison: Comparison, layout: Layout, *, null: Null, value: float) -> float:
    """Return how often sampling noise alone gives such a value.

    Where the table is so wide that fewer than ``PLAIN_DRAWS`` draws are affordable, a normal tail through them takes
    the place of their share.
    """
    real, held, made = (layout.matrix(one) for one in (comparison.train, comparison.holdout, comparison.synthetic))
    pool = null.pooled(real, held, made).astype(np.float32)
    cost = 2.0 * len(pool) * pool.shape[1] ** 2
    draws = int(min(max(NULL_COST / cost, FEWEST_DRAWS), len(null.train)))
    first, second = pairs_of(len(layout.names))

    def figures(part: slice) -> Floats:
        found: list[float] = []
        for weights in zip(null.train[part], null.synthetic[part], strict=True):
            sides = [layout.associations(weighted_gram(pool, side)) for side in weights]
            found.append(float(np.abs(sides[0] - sides[1])[first, second].mean()))
        return np.array(found)

    if draws >= PLAIN_DRAWS:
        return sequential_p_value(value, figures, draws=draws)
    found = figures(slice(draws))
    spread = float(found.std(ddof=1))
    return float(ndtr((found.mean() - value) / spread)) if spread > 0 else float(value <= found.mean())


def loss_score(delta: Score, loose: float) -> Score:
    """Return the share of the dependence that is lost: 0 is none of it, 1 as much as independent columns lose."""
    if loose <= 0 or delta.value is None:
        return Score.not_applicable("the columns of the training table do not depend on each other at all")

    def part(figure: float | None) -> float | None:
        return None if figure is None else figure / loose

    at_size = delta.detail.get("at_floor_size")
    detail = {"shuffled": loose} | ({} if at_size is None else {"at_floor_size": at_size / loose})
    return Score(
        delta.value / loose,
        part(delta.low),
        part(delta.high),
        part(delta.upper),
        floor=part(delta.floor),
        rows=delta.rows,
        detail=detail,
    )


FAMILY = Family(
    "dependence",
    (
        Metric("corr_delta", Better.LOWER, "mean absolute difference of the pairwise associations"),
        Metric("corr_loss", Better.LOWER, "that difference as a share of what independent columns would lose"),
    ),
    _compute,
)
FAMILIES = (FAMILY,)

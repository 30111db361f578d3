"""Give every figure its real-data baseline: draws of equal size for the floor, and a bootstrap null for few rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import numpy as np

from synth_worker.metrics.base import Comparison, Score
from synth_worker.metrics.confidence import bootstrap_weights
from synth_worker.table import Floats, Ints

Values = TypeVar("Values", Floats, Ints)

DRAWS = 5
"""How often the synthetic table is subsampled to the held-out size."""

FEW_ROWS = 2_000
"""Below this many training rows a figure needs a test against sampling noise."""

NULL_DRAWS = 600
WORST_PAIRS = 20


@dataclass(frozen=True)
class EqualDraws:
    """Hold row positions at which held-out and synthetic rows are equally many (``size``)."""

    size: int
    holdout: tuple[Ints, ...]
    synthetic: tuple[Ints, ...]


def equal_draws(comparison: Comparison) -> EqualDraws:
    """Draw the larger of the two tables down to the smaller, ``DRAWS`` times; the smaller is taken whole, once."""
    size = min(comparison.holdout.rows, comparison.synthetic.rows)

    def draws(rows: int, label: str) -> tuple[Ints, ...]:
        if rows == size:
            return (np.arange(rows),)
        rngs = [comparison.streams.rng("floor", label, draw) for draw in range(DRAWS)]
        return tuple(np.sort(rng.choice(rows, size=size, replace=False)) for rng in rngs)

    return EqualDraws(size, draws(comparison.holdout.rows, "holdout"), draws(comparison.synthetic.rows, "synthetic"))


def with_floor(score: Score, *, floor: float, at_floor_size: float, size: int) -> Score:
    """Return the score beside its floor: the same figure for ``size`` real rows, and for as many synthetic rows."""
    own = {"at_floor_size": at_floor_size, "floor_size": float(size)}
    return replace(score, floor=floor, detail={**score.detail, **own})


@dataclass(frozen=True)
class Null:
    """Hold how often each pooled row stands in either table of each draw, shape (draws, pool) each.

    The pool is train and synthetic or, ``of_real``, train and holdout: ``pooled`` picks the right two of three.
    """

    train: Floats
    synthetic: Floats
    of_real: bool = False

    def pooled(self, train: Values, holdout: Values, synthetic: Values) -> Values:
        """Join what belongs to the pool's rows, along the rows."""
        return cast("Values", np.concatenate([train, holdout if self.of_real else synthetic]))


def null_of(comparison: Comparison) -> Null | None:
    """Draw what sampling noise alone does to two tables of these sizes; None where rows are many.

    Rows that are fresh may be exchanged with training rows, so the names are dealt anew: that is exact, whatever is
    rare. With units rows of one side belong together and those of the other do not; there both tables are drawn with
    replacement from the real rows, whole units on the training side.
    """
    train, holdout = comparison.train, comparison.holdout
    if train.rows >= FEW_ROWS:
        return None
    rng = comparison.streams.rng("null")
    units = pooled_units(comparison)
    if units is None:
        learnt = np.arange(train.rows + comparison.synthetic.rows) < train.rows
        dealt = rng.permuted(np.tile(learnt, (NULL_DRAWS, 1)), axis=1)
        return Null(dealt.astype(np.float64), (~dealt).astype(np.float64))
    pool = train.rows + holdout.rows
    synthetic = bootstrap_weights(pool, comparison.synthetic.rows, draws=NULL_DRAWS, rng=rng)
    names, own = np.unique(units, return_inverse=True)
    share = len(np.unique(train.units)) if train.units is not None else round(len(names) * train.rows / pool)
    drawn = bootstrap_weights(len(names), max(share, 1), draws=NULL_DRAWS, rng=rng)
    return Null(drawn[:, own], synthetic, of_real=True)


def pooled_units(comparison: Comparison) -> Ints | None:
    """Return the units of the pooled real rows, or None where each row is one."""
    if comparison.train.units is None or comparison.holdout.units is None:
        return None
    return np.concatenate([comparison.train.units, comparison.holdout.units])


def worst_pairs(pairs: Mapping[str, float]) -> dict[str, float]:
    """Keep the ``WORST_PAIRS`` largest figures, largest first, ties by name.

    >>> worst_pairs({"pair:a|b": 0.1, "pair:a|c": 0.3})
    {'pair:a|c': 0.3, 'pair:a|b': 0.1}
    """
    return dict(sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:WORST_PAIRS])

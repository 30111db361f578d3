"""Tell how the columns of a drawn table have gone astray: values piled up at the ends, few different ones, labels lost.

Distances say how far a column is off; this says in which of the ways that a broken training shows itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from synth_worker.metrics.base import Comparison
from synth_worker.metrics.marginals import Margin
from synth_worker.seeds import Streams
from synth_worker.table import Ints, Table

MOST_ROWS = 5_000
"""So many rows of either side are compared: more show the same and take longer."""

FEWEST_VALUES = 10
"""Columns of fewer different values have all of them in any sample."""

COMMON = 0.05
"""A label of at least this share of the real rows is lost by no sound method."""

PILED_UP = 0.25
"""Share of a column's values, beyond that of real ones, that stand at the ends of their range where it is saturated."""

COLLAPSED = 0.3
"""Different values, as a share of those in as many real rows, below which a column has collapsed."""


@dataclass(frozen=True)
class Stray:
    """Hold how one column differs.

    ``ends`` is the share of values at its smallest or largest drawn value, beyond that of real rows. ``variety`` is how
    many different values are drawn, as a share of those in as many real rows. ``lost`` is the share of the real rows
    that hold a common label which is never drawn. ``constant`` tells that real rows hold one value.
    """

    name: str
    ordered: bool
    ends: float = 0.0
    variety: float = 1.0
    lost: float = 0.0
    constant: bool = False

    @property
    def saturated(self) -> bool:
        """Tell whether values pile up at the ends."""
        return self.ordered and self.ends > PILED_UP

    @property
    def collapsed(self) -> bool:
        """Tell whether few different values, or not all common labels, are drawn."""
        return self.variety < COLLAPSED or self.lost >= COMMON


def strays(train: Table, synthetic: Table) -> tuple[Stray, ...]:
    """Look at every modelled column of a drawn table beside the rows that were learnt from.

    >>> from tests.tables import adult_like
    >>> table = adult_like(200)
    >>> any(one.saturated or one.collapsed for one in strays(table, table))
    False
    """
    real, drawn = (table.take(np.arange(min(table.rows, MOST_ROWS))) for table in (train, synthetic))
    pair = Comparison.of(train=real, holdout=real, synthetic=drawn, streams=Streams(0))
    return tuple(_stray(Margin.of(column, pair)) for column in pair.train.schema)


def _stray(margin: Margin) -> Stray:
    constant = different(margin.train) == 1 and bool(np.all(margin.train >= 0))
    if margin.ordered:
        return Stray(
            margin.name,
            ordered=True,
            ends=at_ends(margin.synthetic) - at_ends(margin.train),
            variety=variety(margin) if different(margin.train) >= FEWEST_VALUES else 1.0,
            constant=constant,
        )
    real = np.bincount(margin.train + 1, minlength=margin.levels + 1)[1:] / max(len(margin.train), 1)
    drawn = np.bincount(margin.synthetic + 1, minlength=margin.levels + 1)[1:]
    lost = real[(drawn == 0) & (real >= COMMON)]
    return Stray(margin.name, ordered=False, lost=float(lost.sum()), constant=constant)


def at_ends(codes: Ints) -> float:
    """Return the share of values that equal the smallest or the largest one; constant columns pile up nowhere."""
    seen = codes[codes >= 0]
    if not len(seen) or seen.min() == seen.max():
        return 0.0
    return float(np.mean((seen == seen.min()) | (seen == seen.max())))


def variety(margin: Margin) -> float:
    """Return how many different values are drawn, as a share of those in as many real rows, at most 1."""
    rows = min(len(margin.train), len(margin.synthetic))
    real = different(margin.train[:rows])
    return min(1.0, different(margin.synthetic[:rows]) / real) if real else 1.0


def different(codes: Ints) -> int:
    """Return how many different values there are, missing ones left out."""
    return len(np.unique(codes[codes >= 0]))


def named(columns: Iterable[Stray], *, most: int = 3) -> str:
    """Return the names of columns as a sentence lists them.

    >>> named([Stray("age", ordered=True), Stray("sex", ordered=False)])
    "'age', 'sex'"
    """
    own = [repr(one.name) for one in columns]
    return ", ".join(own[:most]) + (f" and {len(own) - most} more" if len(own) > most else "")

"""Look at a small sample of a half-trained method: how far it is from validation rows, and whether it has gone astray.

Two ways of going astray show themselves in a few hundred rows: values pile up at the ends of their range (a diverged
diffusion is clipped there), and few different values are left (a collapsed generator).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth_worker.metrics.association import Design, Layout, pairs_of
from synth_worker.metrics.base import Comparison
from synth_worker.metrics.marginals import Margin
from synth_worker.seeds import Streams
from synth_worker.straying import COLLAPSED, FEWEST_VALUES, PILED_UP, at_ends, different, variety
from synth_worker.table import Floats, Table

MOST_ROWS = 1_000
"""So many rows of either side are compared; more would show little more and take longer."""

FEWEST_ROWS = 20
"""Fewer rows than these show nothing."""


@dataclass(frozen=True)
class Glimpse:
    """Hold what a small sample shows.

    ``ks_mean``, ``tvd_mean`` and ``corr_delta`` are the gates' distances, None where the table has no such column.
    ``ends`` is the mean share of numbers at the smallest or largest value, beyond that of real rows; ``distinct`` the
    mean over columns of many values of how many different ones there are, as a share of that in as many real rows.
    """

    ks_mean: float | None
    tvd_mean: float | None
    corr_delta: float | None
    ends: float
    distinct: float

    @property
    def astray(self) -> str:
        """Return how the sample shows that the training has gone astray, or nothing."""
        if self.ends > PILED_UP:
            return f"{self.ends:.0%} more values than in real rows stand at the ends of their range"
        if self.distinct < COLLAPSED:
            return f"only {self.distinct:.0%} as many different values as in real rows are drawn"
        return ""


def glimpse_at(sample: Table, *, real: Table) -> Glimpse:
    """Compare a sample with real rows that were not learnt from; both should have at least ``FEWEST_ROWS`` rows."""
    real = real.take(np.arange(min(real.rows, MOST_ROWS)))
    pair = Comparison.of(train=real, holdout=real, synthetic=sample, streams=Streams(0))
    margins = [Margin.of(column, pair) for column in pair.train.schema]
    return Glimpse(
        ks_mean=_distance([one for one in margins if one.ordered]),
        tvd_mean=_distance([one for one in margins if not one.ordered]),
        corr_delta=_dependence(pair),
        ends=_mean([at_ends(one.synthetic) - at_ends(one.train) for one in margins if one.ordered], otherwise=0.0),
        distinct=_mean([variety(one) for one in margins if different(one.train) >= FEWEST_VALUES], otherwise=1.0),
    )


def _distance(margins: list[Margin]) -> float | None:
    known = [(one, shares) for one in margins if (shares := one.shares(one.train)) is not None]
    if not known:
        return None
    return float(np.mean([one.distance(shares, one.shares(one.synthetic)) for one, shares in known]))


def _dependence(pair: Comparison) -> float | None:
    if len(pair.train.schema) < 2:
        return None
    layout = Layout.of(pair.train)
    real, made = (layout.associations(Design.of(layout, table).gram()) for table in (pair.train, pair.synthetic))
    first, second = pairs_of(len(layout.names))
    return float(np.abs(real - made)[first, second].mean())


def _mean(values: list[float], *, otherwise: float) -> float:
    own: Floats = np.asarray(values, dtype=np.float64)
    return float(own.mean()) if len(own) else otherwise

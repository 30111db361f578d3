"""Round values to the grid of a column, and draw values between bounds without inventing a pile at either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth_worker.encoding.numbers import fit_numbers
from synth_worker.parsing import rounded
from synth_worker.schema import Column
from synth_worker.table import Floats

SLACK = 1e-6
"""Of a step: what floating-point division may be off."""


@dataclass(frozen=True)
class Grid:
    """Hold the step between the values of a column (0: none) and the places they round to.

    >>> Grid(5.0, 0).up(np.array([11.0, 15.0])), Grid(5.0, 0).nearest(np.array([11.0]))
    (array([15., 15.]), array([10.]))
    """

    step: float
    decimals: int | None

    @classmethod
    def of(cls, column: Column, values: Floats) -> Grid:
        """Learn the grid from a column's values, shape (rows,)."""
        codec = fit_numbers(values, column)
        step = codec.unit
        if step == 0 and codec.decimals is not None:
            step = 10.0**-codec.decimals
        return cls(step, codec.decimals)

    def up(self, values: Floats) -> Floats:
        """Return the next values on the grid that are not below."""
        return self._rounded(np.ceil(values / self.step - SLACK)) if self.step else values

    def down(self, values: Floats) -> Floats:
        """Return the next values on the grid that are not above."""
        return self._rounded(np.floor(values / self.step + SLACK)) if self.step else values

    def nearest(self, values: Floats) -> Floats:
        """Return the nearest values on the grid."""
        return self._rounded(np.rint(values / self.step)) if self.step else values

    def after(self, values: Floats) -> Floats:
        """Return the first values above."""
        return self._rounded(np.floor(values / self.step + SLACK) + 1) if self.step else np.nextafter(values, np.inf)

    def before(self, values: Floats) -> Floats:
        """Return the last values below."""
        return self._rounded(np.ceil(values / self.step - SLACK) - 1) if self.step else np.nextafter(values, -np.inf)

    def between(self, low: Floats, high: Floats, rng: np.random.Generator) -> Floats:
        """Draw one value on the grid from each interval, shape (rows,); NaN where it holds none."""
        first, last = self.up(low), self.down(high)
        share = rng.random(len(low))
        if self.step:
            count = np.rint((last - first) / self.step) + 1
            drawn = self._rounded(np.rint(first / self.step) + np.floor(share * np.maximum(count, 1)))
        else:
            drawn = first + share * (last - first)
        return np.where(first <= last, np.minimum(drawn, last), np.nan)

    def _rounded(self, steps: Floats) -> Floats:
        values = steps * self.step
        return (values if self.decimals is None else rounded(values, self.decimals)) + 0.0


def drawn_between(pool: Floats, low: Floats, high: Floats, rng: np.random.Generator) -> Floats:
    """Draw for each row one of the ``pool`` (any order, no NaN) that lies in [low, high]; NaN where none does."""
    ordered = np.sort(pool)
    first = np.searchsorted(ordered, low, side="left")
    last = np.searchsorted(ordered, high, side="right")
    share = rng.random(len(low))
    if not len(ordered):
        return np.full(len(low), np.nan)
    at = np.minimum(first + np.floor(share * (last - first)).astype(np.int64), len(ordered) - 1)
    return np.where(last > first, ordered[at], np.nan)

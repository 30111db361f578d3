"""Choose the borders of a histogram: round numbers or calendar days, the outermost bins open.

Open outer bins over trimmed quantiles keep one extreme value from squeezing the picture, and from being read off it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synth_worker.parsing import to_stamps
from synth_worker.report.parts import Said
from synth_worker.schema import Column, Kind
from synth_worker.table import Floats, Ints

MOST_BINS = 20
TRIM = 0.01
TAIL = 4.0
"""The drawn range reaches at most so many interquartile ranges beyond the quartiles."""

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_CALENDAR = ("1h", "6h", "1D", "7D", "MS", "QS", "YS", "2YS", "5YS", "10YS", "25YS", "50YS", "100YS")


@dataclass(frozen=True)
class Bins:
    """Hold the inner borders (one fewer than there are bins) and their texts; a value on a border belongs above it.

    ``labels`` names each bin by the one value it holds, for whole numbers in a narrow range; empty otherwise.
    """

    edges: tuple[float, ...]
    ticks: tuple[str, ...]
    labels: tuple[str, ...] = ()

    @property
    def shift(self) -> float:
        """Return how far right of its border the text of a bin that holds one value belongs: in its middle."""
        return (self.edges[1] - self.edges[0]) / 2 if self.labels and len(self.edges) > 1 else 0.0

    def places(self, values: Floats) -> Ints:
        """Return the bin of each value, -1 for NaN."""
        found = np.searchsorted(np.asarray(self.edges), values, side="right").astype(np.int64)
        return np.where(np.isnan(values), -1, found)

    def count(self, values: Floats) -> Ints:
        """Return how many of the values (NaN left out) fall into each bin."""
        places = self.places(values)
        return np.bincount(places[places >= 0], minlength=len(self.edges) + 1).astype(np.int64)

    def cells(self, start: int, stop: int) -> Said:
        """Return the words for the bins ``start`` to ``stop - 1`` taken together."""
        last = len(self.edges)
        if start == 0 and stop > last:
            return Said("cell.all")
        if self.labels and stop - start == 1 and 0 < start < last:
            return Said("value.plain", {"value": self.labels[start]})
        if start == 0:
            if self.labels:
                return Said("cell.up_to", {"low": self.labels[stop - 1]})
            return Said("cell.below", {"high": self.ticks[stop - 1]})
        low = self.labels[start] if self.labels else self.ticks[start - 1]
        if stop > last:
            return Said("cell.above", {"low": low})
        high = self.labels[stop - 1] if self.labels else self.ticks[stop - 1]
        return Said("cell.between", {"low": low, "high": high})


def choose(column: Column, values: Floats) -> Bins:
    """Return bins that suit the bulk of ``values``; no border lies at a minimum or maximum but by chance.

    >>> choose(Column("age", Kind.NUMERIC, dtype="int64", decimals=0), np.arange(18.0, 91.0)).ticks[:3]
    ('20', '25', '30')
    """
    present = values[~np.isnan(values)]
    if len(present) == 0:
        return Bins((), ())
    low, quarter, upper_quarter, high = (float(one) for one in np.quantile(present, [TRIM, 0.25, 0.75, 1 - TRIM]))
    reach = TAIL * (upper_quarter - quarter)
    if reach > 0:
        low, high = max(low, quarter - reach), min(high, upper_quarter + reach)
    if column.kind is Kind.DATETIME:
        return _calendar(low, high)
    return _round_numbers(low, high, None if column.decimals is None else 10.0**-column.decimals)


def _round_numbers(low: float, high: float, grain: float | None) -> Bins:
    """Place borders at multiples of a round step, or between whole values where there are few of them."""
    wide = high - low
    if not math.isfinite(wide):  # from -1e308 to 1e308 is farther than a float reaches
        scaled = _round_numbers(low / 4, high / 4, None)
        edges = tuple(4 * edge for edge in scaled.edges)
        return Bins(edges, tuple(number(edge) for edge in edges))
    if grain is not None and wide / grain < MOST_BINS:
        return _single_values(low, high, grain)
    if wide <= 0:
        return Bins((low,), (number(low),))
    rough = wide / MOST_BINS
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(one for one in _STEPS if one * power >= rough * (1 - 1e-9))
    if grain is not None and step / grain < 10:
        # A step that is no multiple of the grain would give bins that hold unequally many possible values.
        step = math.ceil(step / grain - 1e-9) * grain
    first = math.floor(low / step) + 1
    last = math.ceil(high / step) - 1
    edges = _distinct(place * step for place in range(first, max(last, first) + 1))
    return Bins(edges, tuple(number(edge) for edge in edges))


def _single_values(low: float, high: float, grain: float) -> Bins:
    """Give each value of the trimmed range a bin of its own."""
    first, last = round(low / grain), round(high / grain)
    labels = tuple(number(place * grain) for place in range(first, last + 1))
    edges = _distinct((place + 0.5) * grain for place in range(first, last))
    return Bins(edges, tuple(number(edge) for edge in edges), labels)


def _distinct(borders: Iterable[float]) -> tuple[float, ...]:
    """Return borders without the dust of binary fractions, each once."""
    return tuple(dict.fromkeys(float(f"{border:.12g}") + 0.0 for border in borders))


def _calendar(low: float, high: float) -> Bins:
    """Place borders at hours, days, months or years."""
    start, stop = to_stamps(np.array([low, high]))
    inner = pd.DatetimeIndex([])
    for step in _CALENDAR:
        if not step.endswith("S") and (high - low) / pd.Timedelta(step).total_seconds() > MOST_BINS + 1:
            continue
        found = pd.date_range(start.floor("1h"), stop, freq=step, normalize=not step.endswith("h"))
        inner = found[(found > start) & (found <= stop)]
        if len(inner) <= MOST_BINS:
            break
    if len(inner) == 0:
        inner = pd.DatetimeIndex([start.floor("1D")])
    pattern = _pattern(inner)
    return Bins(tuple(stamp.timestamp() for stamp in inner), tuple(stamp.strftime(pattern) for stamp in inner))


def _pattern(stamps: pd.DatetimeIndex) -> str:
    """Return the shortest form that tells these instants apart."""
    if any(stamp.hour for stamp in stamps):
        return "%Y-%m-%d %H:%M"
    if any(stamp.day > 1 for stamp in stamps):
        return "%Y-%m-%d"
    return "%Y-%m" if any(stamp.month > 1 for stamp in stamps) else "%Y"


def number(value: float) -> str:
    """Return a number as short as it can be written in six figures, thousands apart from 10,000 on.

    >>> number(0.1 + 0.2), number(1500000.0), number(-0.0)
    ('0.3', '1\u202f500\u202f000', '0')
    """
    if 10_000 <= abs(value) < 1e15:
        return f"{value:,.0f}".replace(",", "\u202f")
    return f"{value + 0.0:.6g}"

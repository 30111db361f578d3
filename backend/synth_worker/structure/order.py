"""Keep a column between others: as a difference from those below it, or as it is and drawn again where it breaks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from synth_worker.encoding.numbers import DAY, fit_numbers
from synth_worker.parsing import rounded
from synth_worker.schema import Column, Kind
from synth_worker.structure.grid import Grid, drawn_between
from synth_worker.structure.sheet import Added, Values, bounded, fresh_name
from synth_worker.table import Floats, Table

NARROWER = 0.8
"""A difference is learnt where its range is at most this share of the column's own."""

SPIKIER = 0.1
"""It is learnt in any case where so much more of it is in repeated values (both equal, say), and in none if less is."""

Bound = tuple[str, bool]
"""The name of another column, and whether it must differ."""


@dataclass(frozen=True)
class Order:
    """Rebuild ``column`` so that it is not below any of ``below`` and not above any of ``above``.

    ``difference`` names the learnt column that holds how far ``column`` is above the largest of ``below`` or, where
    nothing is below, under the smallest of ``above``, in units of ``scale`` (empty: the column is learnt as it is).
    ``kept`` tells that the column itself is learnt as well, for rows in which all of those are missing.
    """

    column: str
    below: tuple[Bound, ...]
    above: tuple[Bound, ...]
    low: float
    high: float
    grid: Grid
    difference: str = ""
    scale: float = 1.0
    kept: bool = True

    @property
    def dropped(self) -> tuple[str, ...]:
        """Return the columns that are not learnt."""
        return () if self.kept else (self.column,)

    @property
    def own(self) -> tuple[str, ...]:
        """Return the columns that this step may change."""
        return (self.column,)

    @property
    def sign(self) -> float:
        """Return 1 where the difference is above others, -1 where it is below."""
        return 1.0 if self.below else -1.0

    @property
    def others(self) -> tuple[str, ...]:
        """Return the columns that the difference is from."""
        return tuple(name for name, _ in self.below or self.above)

    def base(self, values: Values) -> Floats:
        """Return what the difference is from, shape (rows,); missing where all of the columns are."""
        join = np.fmax if self.below else np.fmin
        found = values[self.others[0]]
        for name in self.others[1:]:
            found = join(found, values[name])
        return found

    def added(self, table: Table, values: Values) -> tuple[Added, ...]:
        """Return the difference as a column to learn."""
        if not self.difference:
            return ()
        column = table.schema[self.column]
        found = (values[self.column] - self.base(values)) * self.sign / self.scale
        decimals = _decimals(table, (self.column, *self.others), self.scale)
        if decimals is not None:
            found = rounded(found, decimals) + 0.0
        bare = Column(self.difference, Kind.NUMERIC, dtype="int64" if decimals == 0 else "float64", decimals=decimals)
        return (Added(bounded(bare, found), found, column.name),)

    def rebuild(self, values: dict[str, Floats], rng: np.random.Generator, *, pinned: frozenset[str]) -> None:
        """Set the column in place; where it cannot lie between its bounds it is missing."""
        if self.column in pinned:
            return
        rows = len(next(iter(values.values())))
        low, high = _bounds(self, values, rows)
        if self.difference:
            base = self.base(values)
            apart = values[self.difference] * self.scale * self.sign
            alone = np.isnan(base)
            offset = np.where(alone, 0.0, base)
            drawn = np.where(alone, values.get(self.column, np.full(rows, np.nan)), self.grid.nearest(base + apart))
            pools = [(~alone, apart), (alone, drawn)]
        else:
            drawn, offset = values[self.column].copy(), np.zeros(rows)
            pools = [(np.ones(rows, dtype=np.bool_), drawn)]
        for mine, pool in pools:
            at = np.flatnonzero(mine & ((drawn < low) | (drawn > high)))
            spare = pool[mine & ~np.isnan(pool)]
            drawn[at] = self._between(low[at], high[at], offset=offset[at], spare=spare, rng=rng)
        values[self.column] = drawn

    def _between(self, low: Floats, high: Floats, *, offset: Floats, spare: Floats, rng: np.random.Generator) -> Floats:
        """Draw values between bounds: ``offset`` plus one of ``spare``, drawn elsewhere; else anywhere inside."""
        found = self.grid.nearest(offset + drawn_between(spare, low - offset, high - offset, rng))
        found = np.minimum(np.maximum(found, self.grid.up(low)), self.grid.down(high))
        lost = np.isnan(found) | (found < low)
        found[lost] = self.grid.between(low[lost], high[lost], rng)
        return found

    def state(self) -> dict[str, object]:
        """Return the step as JSON values."""
        return {"step": "order", **asdict(self)}


def fit_order(
    table: Table, values: Values, column: str, *, below: tuple[Bound, ...], above: tuple[Bound, ...]
) -> Order:
    """Learn how one column is kept in order, from real rows that are."""
    own = table.schema[column]
    found = values[column]
    seen = found[~np.isnan(found)]
    low = own.low if own.low is not None else float(seen.min(initial=0.0))
    high = own.high if own.high is not None else float(seen.max(initial=0.0))
    plain = Order(column, below, above, low, high, Grid.of(own, found))
    if (below and above) or not len(seen):
        return plain
    base = plain.base(values)
    apart = found - base
    both = ~np.isnan(apart)
    if not both.any():
        return plain
    names = plain.others
    days = all(table.schema[one].dtype == "date" for one in (column, *names))
    name = fresh_name(f"{column} from {' | '.join(names)}", table.schema.names)
    made = replace(plain, difference=name, scale=DAY if days else 1.0)
    learnt = made.added(table, values)[0]
    gained = _repeated(learnt.values, learnt.column) - _repeated(found, own)
    narrower = _range(apart[both]) <= NARROWER * _range(found[both])
    if gained < -SPIKIER or (gained < SPIKIER and not narrower):
        return plain
    return replace(made, kept=bool((np.isnan(base) & ~np.isnan(found)).any()))


def _bounds(step: Order, values: Values, rows: int) -> tuple[Floats, Floats]:
    """Return the lowest and highest that each row's value may be; a missing neighbour bounds nothing."""
    low, high = np.full(rows, step.low), np.full(rows, step.high)
    for name, strict in step.below:
        low = np.fmax(low, step.grid.after(values[name]) if strict else values[name])
    for name, strict in step.above:
        high = np.fmin(high, step.grid.before(values[name]) if strict else values[name])
    return low, high


def _decimals(table: Table, names: tuple[str, ...], scale: float) -> int | None:
    if scale != 1.0 or any(table.schema[name].kind is Kind.DATETIME for name in names):
        return 0
    own = [table.schema[name] for name in names]
    found = [0 if one.dtype == "int64" and one.decimals is None else one.decimals for one in own]
    return None if any(one is None for one in found) else max(one for one in found if one is not None)


def _range(values: Floats) -> float:
    return float(np.subtract(*np.quantile(values, [0.95, 0.05])))


def _repeated(values: Floats, column: Column) -> float:
    """Return the share of a column's values in point masses."""
    codec = fit_numbers(values, column)
    return float(codec.counts[codec.atom].sum() / max(codec.counts.sum(), 1))

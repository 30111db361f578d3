"""Move rows that repeat a unique value to free places nearby."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from dataclasses import asdict, dataclass

import numpy as np

from synth_worker.errors import BadInput
from synth_worker.schema import Kind
from synth_worker.structure.grid import Grid
from synth_worker.structure.sheet import Values
from synth_worker.table import Floats, Ints, Table
from synth_worker.violations import repeated_rows

ROUNDS = 60
FINE = 1e-6
MOST_CELLS = 2_000_000
"""Free places are listed one by one where there are no more in all."""


@dataclass(frozen=True)
class Mover:
    """Hold a column that may be moved: the grid of its values (codes, for labels) and their ends."""

    name: str
    grid: Grid
    low: float
    high: float

    @property
    def room(self) -> float:
        """Return how many different values there are."""
        return float(np.floor((self.high - self.low) / self.grid.step + FINE) + 1) if self.grid.step else float("inf")

    def places(self) -> Floats:
        """Return all values on the grid."""
        return self.grid.nearest(self.grid.up(np.array(self.low)) + self.grid.step * np.arange(int(self.room)))


@dataclass(frozen=True)
class Apart:
    """Keep ``columns`` unique together by moving ``movers`` among them, widest first; the others stay."""

    columns: tuple[str, ...]
    movers: tuple[Mover, ...]

    @property
    def room(self) -> float:
        """Return how many different rows there can be, as far as that is known: infinity where a column stays."""
        free = len(self.movers) == len(self.columns)
        return float(np.prod([one.room for one in self.movers])) if free else float("inf")

    def check_room(self, rows: int) -> None:
        """Refuse more rows than there are different values. Raises BadInput."""
        if self.room < rows:
            raise BadInput(
                f"{', '.join(self.columns)}: {self.room:,.0f} different values are known; {rows:,} rows cannot "
                "all differ",
                hint="ask for fewer rows, or state public bounds that leave room",
            )

    def move(self, values: dict[str, Floats], rng: np.random.Generator) -> None:
        """Move rows that repeat an earlier one, in place; some stay where no free place is found."""
        if not self.movers:
            return
        for one in self.movers:
            values[one.name] = values[one.name].copy()
        first, own = self.movers[0], values[self.movers[0].name]
        reach = 1.0
        for _ in range(ROUNDS):
            at = self._repeated(values)
            if not len(at):
                return
            jump = rng.uniform(-reach, reach, len(at)) * (first.grid.step or (first.high - first.low) * FINE)
            moved = first.grid.nearest(own[at] + jump)
            own[at] = np.where((moved < first.low) | (moved > first.high), own[at], moved)
            reach = min(reach * 1.3, first.room)
        if self.room <= MOST_CELLS:
            self._fill(values)

    def _repeated(self, values: Values) -> Ints:
        return np.flatnonzero(repeated_rows(np.stack([values[name] for name in self.columns], axis=1)))

    def _fill(self, values: dict[str, Floats]) -> None:
        """Give each row that still repeats another one the nearest cell that is free."""
        places = [one.places() for one in self.movers]
        shape = tuple(len(one) for one in places)
        numbers = [
            np.clip(np.searchsorted(own, values[one.name] - FINE), 0, len(own) - 1)
            for one, own in zip(self.movers, places, strict=True)
        ]
        cells = np.ravel_multi_index(numbers, shape)
        present = ~np.isnan(np.stack([values[one.name] for one in self.movers])).any(axis=0)
        free = np.setdiff1d(np.arange(int(np.prod(shape))), cells[present]).tolist()
        at = self._repeated(values)
        for row in at[np.argsort(cells[at], kind="stable")].tolist():
            if not free:
                return
            found = np.unravel_index(free.pop(min(bisect_left(free, int(cells[row])), len(free) - 1)), shape)
            for one, own, place in zip(self.movers, places, found, strict=True):
                values[one.name][row] = own[int(place)]

    def state(self) -> dict[str, object]:
        """Return the step as JSON values."""
        return asdict(self)


def fit_apart(table: Table, values: Values, columns: tuple[str, ...], *, busy: Collection[str]) -> Apart:
    """Learn which of the columns may be moved: those that no other constraint names."""
    movers: list[Mover] = []
    for name in columns:
        column = table.schema[name]
        if name in busy:
            continue
        if column.kind is Kind.CATEGORICAL:
            movers.append(Mover(name, Grid(1.0, 0), 0.0, len(column.categories) - 1.0))
        elif column.low is not None and column.high is not None:
            movers.append(Mover(name, Grid.of(column, values[name]), column.low, column.high))
    movers.sort(key=lambda one: -one.room)
    return Apart(columns, tuple(movers))

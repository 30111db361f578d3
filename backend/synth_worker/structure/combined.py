"""Keep fixed combinations: learn the column that the others follow from, or one joint label, or draw the rest anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from synth_worker.schema import Column, Kind
from synth_worker.structure.sheet import Added, Values, fresh_name
from synth_worker.table import Bools, Floats, Ints, Table
from synth_worker.violations import row_numbers

MOST_JOINT = 60
"""So many labels keep a state of their own when a column is learnt; with more combinations columns are mended."""


@dataclass(frozen=True, eq=False)
class Combined:
    """Rebuild ``columns`` so that each row holds one of the real ``combinations``.

    ``combinations``, shape (combinations, columns), holds floats, ``counts`` how many real rows hold each.
    ``key`` is the column that all others follow from; where there is none, ``joint`` names the learnt column of
    combinations; where both are empty, the columns are learnt as they are and what does not occur is drawn anew.
    """

    columns: tuple[str, ...]
    combinations: Floats
    counts: Ints
    key: str = ""
    joint: str = ""

    @property
    def dropped(self) -> tuple[str, ...]:
        """Return the columns that are not learnt."""
        if self.joint:
            return self.columns
        return tuple(one for one in self.columns if one != self.key) if self.key else ()

    @property
    def own(self) -> tuple[str, ...]:
        """Return the columns that this step may change."""
        return self.columns

    def added(self, table: Table, values: Values) -> tuple[Added, ...]:
        """Return the joint column; a combination that was not there when it was learnt is missing."""
        del table
        if not self.joint:
            return ()
        own = np.stack([values[name] for name in self.columns], axis=1)
        numbers = row_numbers(np.concatenate([self.combinations, own]))
        place = np.full(int(numbers.max()) + 1, np.nan)
        place[numbers[: len(self.combinations)]] = np.arange(len(self.combinations))
        found = place[numbers[len(self.combinations) :]]
        labels = tuple(str(one) for one in range(len(self.combinations)))
        column = Column(self.joint, Kind.CATEGORICAL, categories=labels, nullable=bool(np.isnan(found).any()))
        return (Added(column, found, self.columns[0]),)

    def rebuild(self, values: dict[str, Floats], rng: np.random.Generator, *, pinned: frozenset[str]) -> None:
        """Set the columns in place."""
        if self.joint:
            found = np.nan_to_num(values[self.joint]).astype(np.int64)
        elif self.key:
            found = self._nearest(values[self.key])
        else:
            found = self._mended(values, rng, pinned=pinned)
        for place, name in enumerate(self.columns):
            values[name] = self.combinations[found, place]

    def matching(self, fixed: dict[str, float]) -> Bools:
        """Return which combinations hold the fixed values, shape (combinations,)."""
        found = np.ones(len(self.combinations), dtype=np.bool_)
        for name, value in fixed.items():
            found &= self.combinations[:, self.columns.index(name)] == value
        return found

    def _nearest(self, drawn: Floats) -> Ints:
        """Return the combination of each key's value, a number between two real ones counting as the nearer."""
        keys = self.combinations[:, self.columns.index(self.key)]
        order = np.argsort(keys, kind="stable")  # an absent value comes last
        known = order[~np.isnan(keys[order])]
        if not len(known):
            return np.zeros(len(drawn), dtype=np.int64)
        ordered = keys[known]
        right = np.clip(np.searchsorted(ordered, drawn), 0, len(known) - 1)
        left = np.maximum(right - 1, 0)
        found = known[np.where(np.abs(drawn - ordered[left]) <= np.abs(ordered[right] - drawn), left, right)]
        return np.where(np.isnan(drawn), order[-1], found)

    def _mended(self, values: Values, rng: np.random.Generator, *, pinned: frozenset[str]) -> Ints:
        """Return a combination for each row that agrees with it in as many columns, from the left, as one does."""
        order = sorted(range(len(self.columns)), key=lambda at: self.columns[at] not in pinned)
        real = self.combinations[:, order]
        drawn = np.stack([values[self.columns[at]] for at in order], axis=1)
        found = np.full(len(drawn), -1, dtype=np.int64)
        for depth in range(len(order), -1, -1):
            left = np.flatnonzero(found < 0)
            if not len(left):
                break
            numbers = row_numbers(np.concatenate([real[:, :depth], drawn[left, :depth]]))
            found[left] = _drawn_alike(numbers[: len(real)], numbers[len(real) :], self.counts, rng)
        return found

    def state(self) -> dict[str, object]:
        """Return the step as JSON values."""
        rows = [[None if np.isnan(one) else one for one in row] for row in self.combinations.tolist()]
        return {
            "step": "combined",
            "columns": self.columns,
            "combinations": rows,
            "counts": self.counts.tolist(),
            "key": self.key,
            "joint": self.joint,
        }


def restore_combined(state: dict[str, object]) -> Combined:
    """Build the step from its JSON values."""
    rows = cast("list[list[float | None]]", state["combinations"])
    columns = tuple(cast("list[str]", state["columns"]))
    combinations = np.array([[np.nan if one is None else one for one in row] for row in rows], dtype=np.float64)
    return Combined(
        columns,
        combinations.reshape(len(rows), len(columns)),
        np.asarray(state["counts"], dtype=np.int64),
        str(state["key"]),
        str(state["joint"]),
    )


def fit_combined(table: Table, values: Values, columns: tuple[str, ...]) -> Combined:
    """Learn which combinations there are, and how they are kept."""
    own = np.stack([values[name] for name in columns], axis=1)
    numbers = row_numbers(own)
    _, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    made = Combined(columns, own[first], counts.astype(np.int64))
    keys = [
        name for at, name in enumerate(columns) if len(np.unique(made.combinations[:, at])) == len(made.combinations)
    ]
    # Of several, a number: its order helps to learn what goes with it.
    keys.sort(key=lambda name: not table.schema[name].continuous)
    if keys:
        return Combined(columns, made.combinations, made.counts, key=keys[0])
    if len(made.combinations) <= MOST_JOINT:
        return Combined(
            columns, made.combinations, made.counts, joint=fresh_name(" | ".join(columns), table.schema.names)
        )
    return made


def _drawn_alike(real: Ints, wanted: Ints, counts: Ints, rng: np.random.Generator) -> Ints:
    """Draw for each wanted number one of the places at which ``real`` holds it, by ``counts``; -1 where none does."""
    order = np.argsort(real, kind="stable")
    ordered = real[order]
    ends = np.cumsum(counts[order]).astype(np.float64)
    starts = np.concatenate([[0.0], ends])
    first = np.searchsorted(ordered, wanted, side="left")
    last = np.searchsorted(ordered, wanted, side="right")
    mark = starts[first] + rng.random(len(wanted)) * (starts[last] - starts[first])
    at = np.clip(np.searchsorted(ends, mark, side="right"), first, np.maximum(last - 1, first))
    return np.where(last > first, order[np.minimum(at, len(order) - 1)], -1)

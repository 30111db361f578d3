"""Keep a sum: the total is computed from its parts and, where nothing is ever missing, not learnt at all."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from synth_worker.parsing import rounded
from synth_worker.structure.sheet import Added, Values
from synth_worker.table import Floats, Table


@dataclass(frozen=True)
class Total:
    """Rebuild ``column`` as the sum of ``parts``, rounded to ``decimals``.

    ``kept`` tells that the total is learnt as well, because it or a part can be missing: it then says whether the
    total is missing, and what it is where a part is.
    """

    column: str
    parts: tuple[str, ...]
    decimals: int | None
    kept: bool

    @property
    def dropped(self) -> tuple[str, ...]:
        """Return the columns that are not learnt."""
        return () if self.kept else (self.column,)

    @property
    def own(self) -> tuple[str, ...]:
        """Return the columns that this step may change."""
        return (self.column,)

    def added(self, table: Table, values: Values) -> tuple[Added, ...]:
        """Return nothing: the parts say all."""
        del table, values
        return ()

    def rebuild(self, values: dict[str, Floats], rng: np.random.Generator, *, pinned: frozenset[str]) -> None:
        """Set the total in place."""
        del rng, pinned
        added = np.sum([values[name] for name in self.parts], axis=0)
        if self.decimals is not None:
            added = rounded(added, self.decimals) + 0.0
        if self.kept:
            drawn = values[self.column]
            added = np.where(np.isnan(added) | np.isnan(drawn), drawn, added)
        values[self.column] = added

    def state(self) -> dict[str, object]:
        """Return the step as JSON values."""
        return {"step": "total", **asdict(self)}


def fit_total(table: Table, values: Values, column: str, parts: tuple[str, ...]) -> Total:
    """Learn how one total is kept."""
    own = [table.schema[name] for name in (column, *parts)]
    places = [0 if one.dtype == "int64" and one.decimals is None else one.decimals for one in own]
    finest = None if any(one is None for one in places) else max(one for one in places if one is not None)
    kept = any(bool(np.isnan(values[name]).any()) for name in (column, *parts))
    return Total(column, parts, finest, kept)

"""Count the rows of a selection inside a database: one scan for all tables of counts, no row comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from synth_worker.database.connection import Snapshot, Statement
from synth_worker.database.selecting import Selection
from synth_worker.errors import UnknownName
from synth_worker.privacy.cells import Cells
from synth_worker.privacy.source import Clique, check_bound, check_cliques
from synth_worker.table import Ints

MOST_AT_ONCE = 200
"""Tables of counts in one statement: engines bound the length of a SELECT."""


@dataclass(frozen=True, eq=False)
class DatabaseSource:
    """Count what a selection keeps, within one snapshot; ``labelled`` are columns whose labels will be asked for.

    The sensitivity is the most rows of a person, 1 where the unit is a row.
    """

    snapshot: Snapshot
    selection: Selection
    labelled: tuple[str, ...] = ()
    _labels: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]], repr=False)

    def __post_init__(self) -> None:
        check_bound(self.selection.most)

    @property
    def sensitivity(self) -> int:
        """Return the most rows of a unit."""
        return self.selection.most if self.selection.unit else 1

    def thinned(self, share: float) -> DatabaseSource:
        """Return the source of about this share of the rows. See ``ThinSource``."""
        return replace(self, selection=replace(self.selection, share=share), _labels={})

    def counts(self, cells: Mapping[str, Cells], cliques: Sequence[Clique]) -> list[Ints]:
        """Return the exact counts of each clique. See ``MarginalSource.counts``."""
        shapes = check_cliques(cells, cliques)
        found: list[Ints] = []
        for start in range(0, len(cliques), MOST_AT_ONCE):
            part = slice(start, start + MOST_AT_ONCE)
            found += self._counts(cells, cliques[part], shapes[part])
        return found

    def label_counts(self, name: str) -> Mapping[str, int]:
        """Return the exact count of each label that occurs, all labelled columns' from one scan."""
        if name not in self._labels:
            self.selection.type_of(name)
            names = self.labelled if name in self.labelled else (name,)
            values = {f"v{at}": self.selection.text(one) for at, one in enumerate(names)}
            # The place before each label tells the columns apart; a NULL stays NULL, and is left out.
            tagged = [f"'{at}:' || v{at}" for at in range(len(names))]
            held: list[dict[str, int]] = [{} for _ in names]
            for key, count in self._grouped(values, tagged):
                place, _, label = str(key).partition(":")
                held[int(place)][label] = count
            self._labels.update(zip(names, held, strict=True))
        return self._labels[name]

    def _counts(
        self, cells: Mapping[str, Cells], cliques: Sequence[Clique], shapes: Sequence[tuple[int, ...]]
    ) -> list[Ints]:
        names = list(dict.fromkeys(name for one in cliques for name in one))
        place = {name: at for at, name in enumerate(names)}
        values = {f"v{at}": self._value(cells[name]) for name, at in place.items()}
        codes = {f"c{at}": cells[name].to_sql(f"v{at}", f"v{at}") for name, at in place.items()}
        sizes = [int(np.prod(shape)) for shape in shapes]
        starts = [sum(sizes[:at]) for at in range(len(sizes))]
        keys = [f"{start} + {_flat(clique, cells, place)}" for start, clique in zip(starts, cliques, strict=True)]
        found = np.zeros(sum(sizes), dtype=np.int64)
        for key, count in self._grouped(values, keys, codes=codes):
            found[int(str(key))] = count
        return [
            found[start : start + size].reshape(shape) for start, size, shape in zip(starts, sizes, shapes, strict=True)
        ]

    def _value(self, cells: Cells) -> str:
        if cells.name not in self.selection.declared:
            raise UnknownName.of("column", cells.name, self.selection.declared)
        return self.selection.number(cells.name) if cells.numeric else self.selection.text(cells.name)

    def _grouped(
        self, values: Mapping[str, str], keys: Sequence[str], *, codes: Mapping[str, str] | None = None
    ) -> list[tuple[object, int]]:
        """Return how many rows each value of each key has, NULL left out; no two keys share a value."""
        inner = self.selection.statement(", ".join(values), values)
        rows = f"({inner.sql}) AS r"
        if codes:
            named = ", ".join(f"{value} AS {name}" for name, value in codes.items())
            rows = f"(SELECT {named} FROM {rows}{self.selection.dialect.fence}) AS coded"  # noqa: S608 - our own names
        statement = Statement(self._counting(keys, rows), inner.parameters)
        return [(key, int(str(count))) for key, count in self.snapshot.rows(statement) if key is not None]

    def _counting(self, keys: Sequence[str], rows: str) -> str:
        """Return the SELECT of (value of a key, its count), one scan where the engine can."""
        dialect = self.selection.dialect
        if dialect.unnests:
            return (
                f"SELECT k, count(*) FROM (SELECT unnest(ARRAY[{', '.join(keys)}]) AS k "  # noqa: S608
                f"FROM {rows}) AS u GROUP BY k"
            )
        names = [f"k{at}" for at in range(len(keys))]
        named = ", ".join(f"{key} AS {name}" for key, name in zip(keys, names, strict=True))
        keyed = f"SELECT {named} FROM {rows}"  # noqa: S608
        if dialect.grouping_sets:
            # One key at a time is not NULL: which one, its value says.
            either = f"coalesce({', '.join(names)})" if len(names) > 1 else names[0]
            sets = ", ".join(f"({name})" for name in names)
            return f"SELECT {either}, count(*) FROM ({keyed}) AS keyed GROUP BY GROUPING SETS ({sets})"  # noqa: S608
        selects = " UNION ALL ".join(f"SELECT {name}, count(*) FROM keyed GROUP BY {name}" for name in names)  # noqa: S608
        return f"WITH keyed AS ({keyed}) {selects}"


def _flat(clique: Clique, cells: Mapping[str, Cells], place: Mapping[str, int]) -> str:
    """Return a clique's codes as one whole number, the last column fastest."""
    sql = ""
    for name in clique:
        sql = f"({sql}) * {cells[name].size} + c{place[name]}" if sql else f"c{place[name]}"
    return sql

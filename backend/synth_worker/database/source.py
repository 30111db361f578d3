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

    def thinned(self, fraction: float, *, key: str) -> DatabaseSource:
        """Return the source of a further draw of the rows, each with probability ``fraction``."""
        return replace(self, selection=self.selection.thinned(fraction, key), _labels={})

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
            # A letter before each label tells a label from the absence of this column in a set.
            tagged = {f"k{at}": f"'v' || v{at}" for at in range(len(names))}
            held: list[dict[str, int]] = [{} for _ in names]
            for at, key, count in self._grouped(values, tagged):
                held[at][str(key)[1:]] = count
            self._labels.update(zip(names, held, strict=True))
        return self._labels[name]

    def _counts(
        self, cells: Mapping[str, Cells], cliques: Sequence[Clique], shapes: Sequence[tuple[int, ...]]
    ) -> list[Ints]:
        names = list(dict.fromkeys(name for one in cliques for name in one))
        place = {name: at for at, name in enumerate(names)}
        values = {f"v{place[name]}": self._value(cells[name]) for name in names}
        codes = {f"c{at}": cells[name].to_sql(f"v{at}", f"v{at}") for name, at in place.items()}
        keys = {f"k{at}": _flat(clique, cells, place) for at, clique in enumerate(cliques)}
        found = [np.zeros(int(np.prod(shape)), dtype=np.int64) for shape in shapes]
        for at, key, count in self._grouped(values, keys, codes=codes):
            found[at][int(str(key))] = count
        return [one.reshape(shape) for one, shape in zip(found, shapes, strict=True)]

    def _value(self, cells: Cells) -> str:
        if cells.name not in self.selection.declared:
            raise UnknownName.of("column", cells.name, self.selection.declared)
        return self.selection.number(cells.name) if cells.numeric else self.selection.text(cells.name)

    def _grouped(
        self, values: Mapping[str, str], keys: Mapping[str, str], *, codes: Mapping[str, str] | None = None
    ) -> list[tuple[int, object, int]]:
        """Return (place of the key, its value, number of rows) for each key and each of its values but NULL.

        One key at a time is not NULL: a row of the answer belongs to the grouping set of that key.
        """
        inner = self.selection.statement(", ".join(values), values)
        rows = f"({inner.sql}) AS r"
        if codes:
            rows = f"(SELECT {_named(codes)} FROM {rows}) AS coded"  # noqa: S608 - names are our own
        rows = f"(SELECT {_named(keys)} FROM {rows}) AS keyed"  # noqa: S608
        names = list(keys)
        if self.selection.dialect.grouping_sets:
            sets = ", ".join(f"({name})" for name in names)
            sql = f"SELECT count(*), {', '.join(names)} FROM {rows} GROUP BY GROUPING SETS ({sets})"  # noqa: S608
            answer = self.snapshot.rows(Statement(sql, inner.parameters))
            return [(at, key, int(str(row[0]))) for row in answer for at, key in enumerate(row[1:]) if key is not None]
        selects = " UNION ALL ".join(
            f"SELECT {at} AS place, {name} AS label, count(*) AS n FROM keyed GROUP BY {name}"  # noqa: S608
            for at, name in enumerate(names)
        )
        sql = f"WITH keyed AS (SELECT {', '.join(names)} FROM {rows}) {selects}"  # noqa: S608
        answer = self.snapshot.rows(Statement(sql, inner.parameters))
        return [(int(str(at)), key, int(str(count))) for at, key, count in answer if key is not None]


def _named(values: Mapping[str, str]) -> str:
    return ", ".join(f"{value} AS {name}" for name, value in values.items())


def _flat(clique: Clique, cells: Mapping[str, Cells], place: Mapping[str, int]) -> str:
    """Return a clique's codes as one whole number, the last column fastest."""
    sql = ""
    for name in clique:
        sql = f"({sql}) * {cells[name].size} + c{place[name]}" if sql else f"c{place[name]}"
    return sql

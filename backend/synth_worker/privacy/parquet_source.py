"""Count a Parquet file of any length inside DuckDB: one scan for all cliques, no row in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from synth_worker.errors import UnknownName, UnreadableTable
from synth_worker.privacy.cells import Cells
from synth_worker.privacy.source import Clique, check_bound, check_cliques
from synth_worker.table import Ints

INSTANTS = ("TIMESTAMP", "DATE")


def quoted(name: str) -> str:
    """Return a name as SQL quotes it.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, eq=False)
class ParquetSource:
    """Count a Parquet file; ``unit`` names the column that tells persons apart (NULL: the row is dropped).

    Raises UnreadableTable for a file that is none, UnknownName for a unit column that is not there.
    """

    path: Path
    unit: str = ""
    max_rows_per_unit: int = 1
    key: str = ""

    def __post_init__(self) -> None:
        check_bound(self.max_rows_per_unit)
        if self.unit and self.unit not in self._types:
            raise UnknownName.of("column", self.unit, self._types)

    @property
    def sensitivity(self) -> int:
        """Return the most rows of a unit: 1 without a unit column."""
        return self.max_rows_per_unit if self.unit else 1

    @cached_property
    def _types(self) -> Mapping[str, str]:
        try:
            with duckdb.connect() as con:
                found = con.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(self.path)]).fetchall()
        except duckdb.Error as error:
            raise UnreadableTable(f"{self.path} cannot be read as Parquet") from error
        return {str(row[0]): str(row[1]) for row in found}

    def counts(self, cells: Mapping[str, Cells], cliques: Sequence[Clique]) -> list[Ints]:
        """Return the exact counts of each clique, from one pass over the file."""
        shapes = check_cliques(cells, cliques)
        names = list(dict.fromkeys(name for one in cliques for name in one))
        short = {name: f"c{at}" for at, name in enumerate(names)}
        values = ", ".join(f"{self._value(cells[name])} AS v{at}" for at, name in enumerate(names))
        codes = ", ".join(f"{cells[name].to_sql(f'v{at}', f'v{at}')} AS c{at}" for at, name in enumerate(names))
        sets = list(dict.fromkeys(frozenset(one) for one in cliques))
        grouping = ", ".join("(" + ", ".join(short[name] for name in names if name in one) + ")" for one in sets)
        every = ", ".join(short.values())
        coded = f"SELECT {codes} FROM (SELECT {values} FROM {self._rows})"  # noqa: S608 - names are quoted
        rows = self._run(
            f"SELECT {every}, GROUPING({every}), count(*) FROM ({coded}) GROUP BY GROUPING SETS ({grouping})"  # noqa: S608
        )
        found = [np.zeros(shape, dtype=np.int64) for shape in shapes]
        wanted: dict[int, list[int]] = {}
        for at, clique in enumerate(cliques):
            absent = sum(2 ** (len(names) - 1 - place) for place, name in enumerate(names) if name not in clique)
            wanted.setdefault(absent, []).append(at)
        place = {name: at for at, name in enumerate(names)}
        for row in rows:
            for at in wanted[int(row[-2])]:
                found[at][tuple(int(row[place[name]]) for name in cliques[at])] = int(row[-1])
        return found

    def label_counts(self, name: str) -> Mapping[str, int]:
        """Return the exact count of each label that occurs."""
        text = f"CAST({self._column(name)} AS VARCHAR)"
        rows = self._run(f"SELECT {text}, count(*) FROM {self._rows} WHERE {text} IS NOT NULL GROUP BY 1")  # noqa: S608
        return {str(label): int(count) for label, count in rows}

    @property
    def _rows(self) -> str:
        """Return the FROM clause: the file, cut to the rows that each unit contributes."""
        if not self.unit:
            return "read_parquet($path)"
        unit = quoted(self.unit)
        placed = (
            f"SELECT *, row_number() OVER (PARTITION BY {unit} ORDER BY file_row_number) - 1 AS gesalp_place "  # noqa: S608
            f"FROM read_parquet($path, file_row_number = true) WHERE {unit} IS NOT NULL"
        )
        hashed = f"md5($key || '|' || CAST({unit} AS VARCHAR) || '|' || CAST(gesalp_place AS VARCHAR))"
        return (
            f"(SELECT * FROM ({placed}) QUALIFY row_number() OVER (PARTITION BY {unit} ORDER BY {hashed}) "  # noqa: S608
            f"<= {int(self.max_rows_per_unit)})"
        )

    def _value(self, cells: Cells) -> str:
        """Return the value as text, or as a double that is NULL where it is missing, NaN or no number."""
        column = self._column(cells.name)
        if not cells.numeric:
            return f"CAST({column} AS VARCHAR)"
        instant = self._types[cells.name].startswith(INSTANTS)
        number = f"TRY_CAST({f'epoch({column})' if instant else column} AS DOUBLE)"
        return f"CASE WHEN isnan({number}) THEN NULL ELSE {number} END"

    def _column(self, name: str) -> str:
        if name not in self._types:
            raise UnknownName.of("column", name, self._types)
        return quoted(name)

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        given = {"path": str(self.path)} | ({"key": self.key} if self.unit else {})
        try:
            with duckdb.connect() as con:
                return con.execute(sql, given).fetchall()
        except duckdb.Error:
            # The message of the database may quote a value, so it goes nowhere.
            raise UnreadableTable(f"{self.path} could not be counted") from None

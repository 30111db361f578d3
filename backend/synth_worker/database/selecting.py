"""Spell the SELECT of the rows that count: those that a condition leaves, drawn, and bounded for each person.

Which rows are drawn, and which of a person's, follows from a hash, keyed with a secret, of the row's own content and
of its number among rows of equal content. So adding a row, or a person, changes nothing about any other; no physical
order is looked at, and every scan of one snapshot finds the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synth_worker.database.connection import Statement, TableName, Value
from synth_worker.database.dialect import Dialect
from synth_worker.database.filters import Condition
from synth_worker.errors import BadInput, UnknownName


@dataclass(frozen=True)
class Selection:
    """Hold which rows of a table are meant. ``declared`` are its columns with their types.

    ``fraction`` is the probability with which each row is drawn, ``unit`` the column of persons (rows where it is NULL
    are dropped), of whom at most ``most`` rows are kept. ``content`` are the columns that are hashed.
    ``share`` leaves out more rows, beforehand and by a cheaper hash: equal rows are taken or left together. Raises
    UnknownName, BadInput for names and figures that cannot be.
    """

    dialect: Dialect
    table: TableName
    declared: Mapping[str, str]
    key: str
    content: tuple[str, ...]
    condition: Condition | None = None
    fraction: float = 1.0
    unit: str = ""
    most: int = 1
    share: float = 1.0

    def __post_init__(self) -> None:
        for name in (*self.content, *([self.unit] if self.unit else [])):
            self.type_of(name)
        if not 0 < self.fraction <= 1 or not 0 < self.share <= 1 or self.most < 1:
            raise BadInput(f"{self.fraction:g} of the rows, at most {self.most} of a person, cannot be drawn")

    def type_of(self, name: str) -> str:
        """Return the declared type of a column. Raises UnknownName."""
        if name not in self.declared:
            raise UnknownName.of("column", name, self.declared, whole=f"table {str(self.table)!r}")
        return self.declared[name]

    def raw(self, name: str) -> str:
        """Return a column as it is."""
        self.type_of(name)
        return self.dialect.quoted(name)

    def text(self, name: str) -> str:
        """Return a column as canonical text, NULL where it is NULL."""
        return self.dialect.text(self.raw(name), self.type_of(name))

    def number(self, name: str) -> str:
        """Return a column as a double, NULL where it is missing, NaN or no number."""
        return self.dialect.number(self.raw(name), self.type_of(name))

    def statement(
        self,
        select: str,
        values: Mapping[str, str],
        *,
        after: str = "",
        ordered: bool = False,
        limit: int | None = None,
    ) -> Statement:
        """Return ``SELECT select FROM the rows``, of which ``values`` (name -> expression) can be used by name.

        ``after`` follows the rows (a GROUP BY); ``ordered`` puts them in the order of their hash, up to ``limit``.
        """
        rows, parameters = self._rows(values, hashed=ordered)
        order = f" ORDER BY {self._order}" if ordered else ""
        most = "" if limit is None else f" LIMIT {int(limit)}"
        return Statement(f"SELECT {select} FROM {rows} {after}{order}{most}", parameters)  # noqa: S608 - names are quoted

    @property
    def _drawn(self) -> bool:
        return self.fraction < 1

    @property
    def _order(self) -> str:
        return "gesalp_draw, gesalp_hash"

    def _rows(self, values: Mapping[str, str], *, hashed: bool) -> tuple[str, tuple[Value, ...]]:
        """Return the rows as a FROM clause, and its parameters in order."""
        named = ", ".join(f"{value} AS {name}" for name, value in values.items())
        names = ", ".join(values)
        where, parameters = self._where()
        plain = not (hashed or self._drawn or self.unit)
        if plain:
            return f"(SELECT {named} FROM {self.table.to_sql()}{where}) AS kept", parameters  # noqa: S608
        given: tuple[Value, ...] = (self.key, *parameters)
        person = f", {self.text(self.unit)} AS gesalp_unit" if self.unit else ""
        unit = ", gesalp_unit" if self.unit else ""
        hashes = f"{self.dialect.hashed(self._content, '?')} AS gesalp_hash"
        rows = f"(SELECT {named}, {hashes}{person} FROM {self.table.to_sql()}{where}) AS hashed"  # noqa: S608
        if self._drawn or hashed:
            number = self.dialect.row_number(["gesalp_hash"], ["gesalp_hash"])
            rows = f"(SELECT {names}, gesalp_hash{unit}, {number} AS gesalp_same FROM {rows}) AS numbered"  # noqa: S608
            own = f"gesalp_hash || '|' || {self.dialect.text('gesalp_same', 'BIGINT')}"
            draw = self.dialect.uniform(own, "?")
            given = (self.key, *given)
            rows = f"(SELECT {names}, gesalp_hash{unit}, {draw} AS gesalp_draw FROM {rows}) AS drawn"  # noqa: S608
            if self._drawn:
                below = f" WHERE gesalp_draw < {float(self.fraction)!r}"
                rows = f"(SELECT {names}, gesalp_hash{unit}, gesalp_draw FROM {rows}{below}) AS chosen"  # noqa: S608
        if self.unit:
            held = ", gesalp_hash, gesalp_draw" if self._drawn or hashed else ""
            order = ["gesalp_draw", "gesalp_hash"] if held else ["gesalp_hash"]
            place = self.dialect.row_number(["gesalp_unit"], order)
            rows = f"(SELECT {names}{held}, {place} AS gesalp_place FROM {rows}) AS placed"  # noqa: S608
            rows = f"(SELECT {names}{held} FROM {rows} WHERE gesalp_place <= {int(self.most)}) AS kept"  # noqa: S608
        return rows, given

    def _where(self) -> tuple[str, tuple[Value, ...]]:
        parts = [f"({self.condition.sql})"] if self.condition is not None else []
        if self.unit:
            parts.append(f"{self.raw(self.unit)} IS NOT NULL")
        given = self.condition.parameters if self.condition is not None else ()
        if self.share < 1:
            parts.append(f"{self.dialect.uniform(self._content, '?')} < {float(self.share)!r}")
            given = (*given, f"{self.key}|share")
        return (f" WHERE {' AND '.join(parts)}" if parts else ""), given

    @property
    def _content(self) -> str:
        """Return the content of a row as one text, different for different rows: bars within are escaped."""
        unit = (self.unit,) if self.unit and self.unit not in self.content else ()
        return spelled([self.text(name) for name in (*self.content, *unit)])


def spelled(texts: Sequence[str]) -> str:
    """Return the texts as one that is theirs alone, NULL told from every text.

    >>> spelled(["a", "b"])
    "coalesce(replace(a, '|', '|p'), '|n') || '|s' || coalesce(replace(b, '|', '|p'), '|n')"
    """
    return " || '|s' || ".join(f"coalesce(replace({one}, '|', '|p'), '|n')" for one in texts)

"""Say what each column of a table means: inferred by ``inference``, edited by the user, kept as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import cast

from synth_worker.constraints import Constraint, check, parse
from synth_worker.errors import BadSchema, UnknownName

SCHEMA_VERSION = 1


class Kind(StrEnum):
    """Tell how a column is treated."""

    NUMERIC = "numeric"  # ordered, arithmetic makes sense: modelled as a number
    CATEGORICAL = "categorical"  # a set of labels, booleans and integer codes included
    DATETIME = "datetime"  # an instant or a day: modelled as a number, written in its own format
    IDENTIFIER = "identifier"  # names a record: never modelled, replaced by fresh ones
    TEXT = "text"  # free text: never modelled, dropped or made up
    CONSTANT = "constant"  # one value (or none at all) in the whole table: copied through


PARTS = ("schema_version", "columns", "constraints", "suggested_constraints")

MODELLED = frozenset({Kind.NUMERIC, Kind.CATEGORICAL, Kind.DATETIME})

DTYPES = frozenset({"int64", "float64", "bool", "string", "datetime", "date"})


@dataclass(frozen=True)
class Column:
    """Describe one column.

    ``dtype`` says how values are written and what a data frame gets back: ``int64``, ``float64``, ``bool``,
    ``string``, ``date`` (days) or ``datetime``. ``source`` is the exact pandas dtype of a data frame that came in
    (empty for files). ``low`` and ``high`` bound numbers, and instants in seconds since 1970. ``categories`` are
    labels as written in the file, in a fixed order. ``decimals`` is the number of places that all values round to
    (None: as many as a float has); ``fixed_decimals`` says that trailing zeros are written. ``format`` is the
    strftime pattern of a date. ``missing_token`` is how an absent value is written. ``public`` says that bounds and
    categories were declared by the user and not read off the data. ``note`` says why the column got its kind.
    """

    name: str
    kind: Kind
    dtype: str = "string"
    source: str = ""
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] = ()
    decimals: int | None = None
    fixed_decimals: bool = False
    decimal_comma: bool = False
    format: str = ""
    missing_token: str = ""
    public: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise UnknownName.of("dtype", self.dtype, DTYPES, whole=f"column {self.name!r}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise BadSchema(f"column {self.name!r}: low {self.low:g} is above high {self.high:g}", hint="swap them")
        if len(set(self.categories)) != len(self.categories):
            raise BadSchema(f"column {self.name!r}: a category is listed twice", hint="list each once")
        if self.categories and self.kind in (Kind.NUMERIC, Kind.DATETIME):
            raise BadSchema(
                f"column {self.name!r} is {self.kind} and cannot have categories",
                hint="set kind to categorical",
            )

    @property
    def modelled(self) -> bool:
        """Tell whether a generator learns this column."""
        return self.kind in MODELLED

    @property
    def continuous(self) -> bool:
        """Tell whether the column is modelled as a number (numeric or datetime)."""
        return self.kind in (Kind.NUMERIC, Kind.DATETIME)


@dataclass(frozen=True)
class Schema:
    """Hold the columns of a table in order, and the constraints that its rows keep.

    Raises BadSchema, UnknownName where these contradict each other.

    >>> schema = Schema((Column("age", Kind.NUMERIC, dtype="int64", decimals=0),))
    >>> schema["age"].kind
    <Kind.NUMERIC: 'numeric'>
    >>> Schema.from_json(schema.to_json()) == schema
    True
    """

    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for column in self.columns:
            if column.name in seen:
                raise BadSchema(f"column {column.name!r} stands twice", hint="rename one of them")
            seen.add(column.name)
        check(self.constraints, {column.name: column.kind for column in self.columns})

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise UnknownName.of("column", name, self.names)

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def modelled(self) -> Schema:
        """Return the schema of the columns that a generator learns."""
        return self.having(column for column in self.columns if column.modelled)

    def having(self, columns: Iterable[Column]) -> Schema:
        """Return the schema of other columns that the same constraints hold for."""
        return Schema(tuple(columns), self.constraints)

    def only(self, *kinds: Kind) -> tuple[str, ...]:
        """Return the names of the columns of these kinds, in order."""
        return tuple(column.name for column in self.columns if column.kind in kinds)

    def with_column(self, column: Column) -> Schema:
        """Return a schema in which ``column`` takes the place of the one of the same name."""
        self[column.name]
        return self.having(column if one.name == column.name else one for one in self.columns)

    def to_json(self, *, suggested: Sequence[Constraint] | None = None) -> str:
        """Return the schema as indented JSON that a person can edit; defaults are left out.

        ``suggested`` constraints (also none) are written beside the stated ones; nothing reads them back.
        """
        plain = Column("", Kind.NUMERIC)
        columns: list[dict[str, object]] = []
        for column in self.columns:
            row = {key: value for key, value in asdict(column).items() if value != getattr(plain, key)}
            columns.append({"name": column.name, "kind": str(column.kind), **row})
        document: dict[str, object] = {"schema_version": SCHEMA_VERSION, "columns": columns}
        if self.constraints or suggested is not None:
            document["constraints"] = [one.row() for one in self.constraints]
        if suggested is not None:
            document["suggested_constraints"] = [one.row() for one in suggested]
        return json.dumps(document, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """Read a schema back; a key, a kind or a version that is not known is an error that names it."""
        try:
            document: object = json.loads(text)
        except json.JSONDecodeError as error:
            raise BadSchema(
                f"the schema is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
                hint="`gesalp schema TABLE > schema.json` writes a fresh one",
            ) from error
        if not isinstance(document, dict) or not isinstance(document.get("columns"), list):
            raise BadSchema("the schema has no list 'columns'", hint="see `gesalp schema TABLE`")
        if document.get("schema_version") != SCHEMA_VERSION:
            raise BadSchema(
                f"schema_version is {document.get('schema_version')!r}; this program reads {SCHEMA_VERSION}",
                hint="make it again with `gesalp schema TABLE`",
            )
        extra = set(document) - set(PARTS)
        if extra:
            raise UnknownName.of("key of the schema", min(extra), PARTS)
        columns = tuple(_column(cast("Mapping[str, object]", row)) for row in document["columns"])
        return cls(columns, parse(document.get("constraints", [])))


def _column(row: Mapping[str, object]) -> Column:
    known = {field.name for field in fields(Column)}
    if "name" not in row or "kind" not in row:
        raise BadSchema(f"a column lacks 'name' or 'kind': {dict(row)!r}", hint="each column needs both")
    extra = set(row) - known
    if extra:
        raise UnknownName.of("key", min(extra), known, whole=f"column {row['name']!r}")
    if row["kind"] not in {str(kind) for kind in Kind}:
        raise UnknownName.of("kind", row["kind"], list(Kind), whole=f"column {row['name']!r}")
    values: dict[str, object] = dict(row)
    values["kind"] = Kind(str(row["kind"]))
    values["categories"] = tuple(str(one) for one in cast("list[object]", row.get("categories", [])))
    return replace(Column("", Kind.NUMERIC), **values)  # pyright: ignore[reportArgumentType]

"""Say what is asked of a database, in public terms only: nothing here has looked at a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

from synth_worker.database.filters import All, AnyOf, Filter, Not
from synth_worker.errors import BadInput

FILTERS = (Filter, All, AnyOf, Not)

Bound = float | str
"""A number; of a column of dates or instants: ISO 8601 text."""


@dataclass(frozen=True)
class QueryConfig:
    """Hold a request: which columns of which table, of which rows, with which guarantee.

    ``where_clause`` is text of comparisons, ``filters`` the same as values; both must hold. ``sample_fraction`` is the
    probability with which each row that they leave is drawn. ``limit`` bounds the rows of the answer.

    ``dp_epsilon`` asks for a guarantee; ``mode`` says which: ``synthesis`` (the default with an epsilon), ``local``,
    ``attribute``, or ``raw``, which has none. ``sensitive_columns`` are those that ``attribute`` randomises.
    ``delta`` is for everything that one request does. ``privacy_unit`` names the column that tells persons apart, of
    whom each counts with at most ``max_rows_per_unit`` rows; without it the unit is a row.

    ``bounds`` (low and high of a number or a date) and ``categories`` are public knowledge and must not be read off
    the data; a ``synthesis`` estimates those that are missing, and pays for it. ``public_columns`` are columns whose
    values everybody may know, and that the owner has called public: only they may stand in the filter of a ``local``
    or ``attribute`` request.

    ``fresh`` asks anew what was answered before, and is charged anew; without it the same request has the same answer,
    however old.

    ``purpose`` says what the answer is for, ``principal`` who asks (the user of the operating system if empty).

    >>> QueryConfig("patient_records", ["age"], dp_epsilon=1.0).columns
    ('age',)
    """

    table_name: str
    columns: Sequence[str]
    where_clause: str | None = None
    limit: int | None = None
    sample_fraction: float = 1.0
    dp_epsilon: float | None = None
    sensitive_columns: Sequence[str] | None = None
    _: KW_ONLY
    filters: Sequence[Filter] = ()
    mode: str = ""
    privacy_unit: str | None = None
    max_rows_per_unit: int = 1
    bounds: Mapping[str, tuple[Bound, Bound]] = field(default_factory=dict[str, tuple[Bound, Bound]])
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    public_columns: Sequence[str] = ()
    delta: float = 1e-7
    fresh: bool = False
    purpose: str = ""
    principal: str = ""

    def __post_init__(self) -> None:
        for name in ("table_name", "where_clause", "mode", "privacy_unit", "purpose", "principal"):
            _check_text(name, getattr(self, name), optional=name in ("where_clause", "privacy_unit"))
        if not isinstance(self.bounds, Mapping) or not isinstance(self.categories, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadInput("bounds and categories are mappings of columns", hint='for example {"age": (0, 110)}')
        if not isinstance(self.filters, Sequence) or not all(isinstance(one, FILTERS) for one in self.filters):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadInput("filters are a list of Filter", hint='for example [Filter("age", ">=", 18)]')
        if not isinstance(self.fresh, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadInput(f"fresh is {self.fresh!r}; it is True or False")
        own: dict[str, object] = {
            "columns": _names("columns", self.columns),
            "sensitive_columns": _names("sensitive_columns", self.sensitive_columns or ()),
            "public_columns": _names("public_columns", self.public_columns),
            "filters": tuple(self.filters),
            "bounds": {name: _ends(name, ends) for name, ends in self.bounds.items()},
            "categories": {name: _names(f"categories of {name!r}", own) for name, own in self.categories.items()},
        }
        for name, value in own.items():
            object.__setattr__(self, name, value)

    @property
    def sensitive(self) -> tuple[str, ...]:
        """Return the columns named as sensitive."""
        return tuple(self.sensitive_columns or ())

    @property
    def unit(self) -> str:
        """Return the column of persons, empty where the unit is a row."""
        return self.privacy_unit or ""

    @property
    def filtered(self) -> bool:
        """Tell whether any condition is asked for."""
        return bool((self.where_clause or "").strip() or self.filters)

    def normal(self) -> dict[str, object]:
        """Return what makes two requests the same: all but the filter, who asks, what for, and how often."""
        return {
            "table": self.table_name,
            "columns": list(self.columns),
            "limit": self.limit,
            "sample_fraction": self.sample_fraction,
            "epsilon": self.dp_epsilon,
            "delta": self.delta,
            "mode": self.mode,
            "sensitive": list(self.sensitive),
            "unit": self.unit,
            "max_rows_per_unit": self.max_rows_per_unit,
            "bounds": {name: list(ends) for name, ends in self.bounds.items()},
            "categories": {name: list(own) for name, own in self.categories.items()},
            "public": list(self.public_columns),
        }


def _check_text(name: str, value: object, *, optional: bool) -> None:
    if value is None and optional:
        return
    if not isinstance(value, str) or not is_text(value):
        raise BadInput(f"{name} is no text, or holds a character that is none")


def is_text(value: str) -> bool:
    """Tell whether a text holds neither a NUL, at which some read no further, nor half of a surrogate pair."""
    return not any(one == "\x00" or "\ud800" <= one <= "\udfff" for one in value)


def _names(what: str, names: object) -> tuple[str, ...]:
    """Return names as a tuple. Raises BadInput for one text, for what is none, for a name that stands twice."""
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise BadInput(f"{what} is {names!r}; it is a list of names", hint='for example ["age", "diagnosis"]')
    own = tuple(str(one) for one in names)
    if not all(is_text(one) for one in own):
        raise BadInput(f"{what} holds a character that is none", hint="no NUL, no half of a surrogate pair")
    twice = [one for one in own if own.count(one) > 1] if len(own) <= 1_000 else []
    if twice:
        raise BadInput(f"{what} names {twice[0]!r} twice", hint="name each once")
    return own


def _ends(name: str, ends: object) -> tuple[Bound, Bound]:
    if isinstance(ends, str) or not isinstance(ends, Sequence) or len(ends) != 2:
        raise BadInput(f"the bounds of {name!r} are {ends!r}; they are a low and a high", hint="for example [0, 120]")
    return ends[0], ends[1]

"""Read a query file: YAML whose keys are QueryConfig's fields, beside where the database is; never a password."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from synth_worker.database.credentials import SECRET
from synth_worker.database.filters import Filter
from synth_worker.database.urls import Located, located, password_of
from synth_worker.errors import BadInput, UnknownName
from synth_worker.query.config import QueryConfig

if TYPE_CHECKING:
    import yaml

CONNECTION, POPULATION, NOTE = "connection", "population", "note"
URL, VARIABLE, ENGINE = "url", "password_variable", "db_type"
LARGEST = 1_000_000
"""Bytes of a query file; what is longer is none."""

Read = Callable[[str, object], object]


@dataclass(frozen=True)
class Asked:
    """Hold what a query file says; ``note`` is the caller's own, kept in the metadata."""

    place: Located
    config: QueryConfig
    population: str = ""
    note: Mapping[str, object] = field(default_factory=dict[str, object])


def read_query(path: Path) -> Asked:
    """Read a query file. Raises BadInput for a value that cannot be, UnknownName for a key that there is none of."""
    rows = _mapping(str(path), _parsed(path))
    _check_keys(rows, KEYS, whole=str(path))
    for key in (CONNECTION, "table_name", "columns"):
        if rows.get(key) is None:
            raise BadInput(f"{path} lacks {key!r}", hint="docs/database.md has a whole example")
    given = {key: READERS[key](key, value) for key, value in rows.items() if key in READERS and value is not None}
    build = cast("Callable[..., QueryConfig]", QueryConfig)
    return Asked(
        _place(rows[CONNECTION]),
        build(**given),
        str(_text(POPULATION, rows.get(POPULATION) or "")),
        _mapping(NOTE, rows.get(NOTE) or {}),
    )


def _parsed(path: Path) -> object:
    try:
        import yaml
    except ModuleNotFoundError:
        raise BadInput("query files need the package pyyaml", hint="pip install 'gesalp[database]'") from None
    try:
        text = path.read_text(encoding="utf-8") if path.stat().st_size <= LARGEST else None
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else (error.strerror or "").lower()
        raise BadInput(f"the query file {path} cannot be read: {why}") from error
    if text is None:
        raise BadInput(f"the query file {path} has more than {LARGEST:,} bytes")
    try:
        # The safe loader alone builds values; the node tree shows the keys that it would let the last one win.
        _check_twice(yaml.compose(text, Loader=yaml.SafeLoader), path)
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it is nested too deeply"
        raise BadInput(f"the query file {path} is not YAML{where}: {problem}") from None


def _check_twice(node: yaml.Node | None, path: Path) -> None:
    value = node.value if node is not None else None
    if not isinstance(value, list):
        return
    seen: set[str] = set()
    for one in value:
        if not isinstance(one, tuple):
            _check_twice(one, path)
            continue
        key = str(one[0].value)
        if key in seen:
            raise BadInput(f"{path} says {key!r} twice, line {one[0].start_mark.line + 1}", hint="say it once")
        seen.add(key)
        _check_twice(one[1], path)


def _check_keys(rows: Mapping[str, object], known: Iterable[str], *, whole: str) -> None:
    allowed = list(known)
    for key in rows:
        if key in allowed:
            continue
        near = difflib.get_close_matches(key, allowed, n=1)
        if near:
            raise UnknownName(f"unknown key {key!r} of {whole}", hint=f"did you mean {near[0]!r}?")
        raise UnknownName.of("key", key, allowed, whole=whole)


def _place(value: object) -> Located:
    if isinstance(value, str):
        value = {URL: value}
    rows = dict(_mapping(CONNECTION, value))
    for key in rows:
        if key in SECRET:
            raise BadInput(
                f"the query file holds a {key}, and such files are copied and kept",
                hint=f"name a variable of the environment in {VARIABLE}; PGPASSWORD and ~/.pgpass are read without",
            )
    variable = str(_text(VARIABLE, rows.pop(VARIABLE, "")))
    url = rows.pop(URL, None)
    if url is not None:
        found = located(str(_text(URL, url)))
        if found is None:
            raise BadInput(f"{url} is no url of a database", hint="as in postgresql://user@host/database")
        _check_keys(rows, (), whole=f"{CONNECTION} beside {URL}")
        held = password_of(found.db_type, variable=variable) if variable else {}
        return Located(found.db_type, {**found.credentials, **held})
    if ENGINE not in rows:
        raise BadInput(f"{CONNECTION} names neither {URL!r} nor {ENGINE!r}")
    db_type = str(_text(ENGINE, rows.pop(ENGINE)))
    return Located(db_type, {**rows, **password_of(db_type, variable=variable)})


# ---- values, by key


def _mapping(key: str, value: object) -> dict[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value):
        raise BadInput(f"{key} is no mapping of names to values")
    return {str(name): one for name, one in value.items()}


def _text(key: str, value: object) -> object:
    if not isinstance(value, str):
        raise BadInput(f"{key} is {value!r}; it is a text", hint="put it in quotes")
    return value


def _principal(key: str, _value: object) -> object:
    raise BadInput(
        f"a query file cannot say the {key}: it is the user of the operating system who runs the command",
        hint="leave it out; a service that knows who asks passes it from Python",
    )


def _whole(key: str, value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput(f"{key} is {value!r}; it is a whole number")
    return value


def _number(key: str, value: object) -> object:
    if isinstance(value, str):
        # YAML takes 1e-7 for a text, as it has no point.
        try:
            return float(value)
        except ValueError:
            pass
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{key} is {value!r}; it is a number")
    return float(value) if abs(value) < 1e300 else math.copysign(math.inf, value)


def _flag(key: str, value: object) -> object:
    if not isinstance(value, bool):
        raise BadInput(f"{key} is {value!r}; it is true or false")
    return value


def _names(key: str, value: object) -> object:
    if not isinstance(value, list):
        raise BadInput(f"{key} is {value!r}; it is a list of names", hint="for example [age, diagnosis]")
    for one in value:
        if not isinstance(one, str):
            raise BadInput(f"{key} holds {one!r}, which YAML takes for no text", hint="put it in quotes")
    return list(value)


def _categories(key: str, value: object) -> object:
    return {name: _names(f"{key} of {name!r}", own) for name, own in _mapping(key, value).items()}


def _bounds(key: str, value: object) -> object:
    found: dict[str, tuple[object, object]] = {}
    for name, ends in _mapping(key, value).items():
        if not isinstance(ends, list) or len(ends) != 2:
            raise BadInput(f"{key} of {name!r} are {ends!r}; they are a low and a high", hint="for example [0, 120]")
        low, high = (one.isoformat() if isinstance(one, date | datetime) else one for one in ends)
        found[name] = (low, high)
    return found


def _filters(key: str, value: object) -> object:
    if not isinstance(value, list):
        raise BadInput(f"{key} is no list", hint='for example [{column: age, op: ">=", value: 18}]')
    found: list[Filter] = []
    for one in value:
        row = _mapping(f"a filter of {key}", one)
        _check_keys(row, ("column", "op", "value"), whole="a filter")
        if "column" not in row or "op" not in row:
            raise BadInput("a filter names no column or no op", hint='for example {column: age, op: ">=", value: 18}')
        held = row.get("value")
        wrong = isinstance(held, Mapping)
        if wrong:
            raise BadInput(f"the value of a filter of {row['column']!r} is a mapping")
        found.append(Filter(str(_text("column", row["column"])), str(_text("op", row["op"])), held))  # type: ignore[arg-type]
    return found


READERS: Mapping[str, Read] = {
    "table_name": _text,
    "columns": _names,
    "where_clause": _text,
    "limit": _whole,
    "sample_fraction": _number,
    "dp_epsilon": _number,
    "sensitive_columns": _names,
    "filters": _filters,
    "mode": _text,
    "privacy_unit": _text,
    "max_rows_per_unit": _whole,
    "bounds": _bounds,
    "categories": _categories,
    "public_columns": _names,
    "fresh": _flag,
    "delta": _number,
    "purpose": _text,
    "principal": _principal,
}
"""How each field of a request is read; a test compares it with the fields that there are."""

FIELDS = tuple(one.name for one in fields(QueryConfig) if one.name != "_")
KEYS = (CONNECTION, *FIELDS, POPULATION, NOTE)

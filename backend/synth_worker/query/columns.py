"""Turn declared types into columns to learn, and values back into what the declared types hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synth_worker.database.dialect import Family, family_of
from synth_worker.errors import BadInput, UnknownName
from synth_worker.query.config import Bound, QueryConfig
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Floats, Table

TRUTH = ("false", "true")
"""What a column of truth values can hold: public, as it follows from the type."""

TRUE_OR_FALSE: Mapping[object, bool] = {"false": False, "true": True, 0: False, 1: True}

NUMBERS = (Family.WHOLE, Family.EXACT, Family.REAL)
DAYS = (Family.DATE, Family.TIMESTAMP, Family.INSTANT)

FARTHEST = 9e12
"""Seconds from 1970 that instants to the microsecond reach, nearly."""

FRAMES: Mapping[Family, str] = {
    Family.WHOLE: "Int64",
    Family.EXACT: "float64",
    Family.REAL: "float64",
    Family.BOOLEAN: "boolean",
    Family.DATE: "datetime64[us]",
    Family.TIMESTAMP: "datetime64[us]",
    Family.INSTANT: "datetime64[us, UTC]",
}
"""The dtype of a column in the data frame; everything else is text."""


def declared_of(columns: Mapping[str, str], names: Iterable[str], *, table: str) -> dict[str, str]:
    """Return the declared types of these columns. Raises UnknownName for one that the table does not have."""
    found: dict[str, str] = {}
    for name in names:
        if name not in columns:
            raise UnknownName.of("column", name, columns, whole=f"table {table!r}")
        found[name] = columns[name]
    return found


def schema_of(config: QueryConfig, columns: Mapping[str, str]) -> Schema:
    """Return the columns asked for, as their types and what is public about them say.

    Raises BadInput for bounds or categories of a column that cannot have them.

    >>> config = QueryConfig("t", ["age", "sex"], bounds={"age": (0, 120)})
    >>> schema = schema_of(config, {"age": "integer", "sex": "text"})
    >>> schema["age"].public, schema["age"].dtype, schema["sex"].public
    (True, 'int64', False)
    """
    found = declared_of(columns, config.columns, table=config.table_name)
    return Schema(tuple(_column(config, name, declared) for name, declared in found.items()))


def _column(config: QueryConfig, name: str, declared: str) -> Column:
    family = family_of(declared)
    if name in config.categories:
        return _labelled(name, declared, tuple(config.categories[name]))
    if family in (*NUMBERS, *DAYS):
        low, high = _bounds(name, family, config.bounds[name]) if name in config.bounds else (None, None)
        return Column(
            name,
            Kind.DATETIME if family in DAYS else Kind.NUMERIC,
            dtype=_dtype(family, declared),
            nullable=True,
            low=low,
            high=high,
            decimals=_decimals(family, declared),
            public=low is not None,
        )
    if name in config.bounds:
        raise BadInput(f"column {name!r} is {declared}: it has no bounds", hint="give its categories")
    if family is Family.BOOLEAN:
        return Column(name, Kind.CATEGORICAL, dtype="bool", nullable=True, categories=TRUTH, public=True)
    return Column(name, Kind.CATEGORICAL, nullable=True)


def _labelled(name: str, declared: str, labels: tuple[str, ...]) -> Column:
    family = family_of(declared)
    if family in (Family.REAL, Family.EXACT, *DAYS):
        raise BadInput(f"column {name!r} is {declared}: it has no categories", hint="give its bounds")
    if not labels:
        raise BadInput(f"the categories of {name!r} are empty", hint="leave them out to have them estimated")
    if family is Family.WHOLE and not all(re.fullmatch(r"-?[0-9]{1,18}", one) for one in labels):
        raise BadInput(f"column {name!r} is {declared}; a category of it is no whole number")
    if family is Family.BOOLEAN and not set(labels) <= set(TRUTH):
        raise BadInput(f"column {name!r} is {declared}; its categories are 'false' and 'true'")
    dtype = "bool" if family is Family.BOOLEAN else "string"
    return Column(name, Kind.CATEGORICAL, dtype=dtype, nullable=True, categories=labels, public=True)


def _dtype(family: Family, declared: str) -> str:
    if family is Family.DATE:
        return "date"
    if family in DAYS:
        return "datetime"
    return "int64" if family is Family.WHOLE or _decimals(family, declared) == 0 else "float64"


def _decimals(family: Family, declared: str) -> int | None:
    """Return the places of a declared scale; None where a column has none. A precision alone means whole numbers."""
    if family is Family.WHOLE:
        return 0
    found = re.search(r"\(\s*[0-9]+\s*(?:,\s*([0-9]+)\s*)?\)", declared)
    return int(found[1] or 0) if family is Family.EXACT and found else None


def _bounds(name: str, family: Family, ends: tuple[Bound, Bound]) -> tuple[float, float]:
    low, high = (_end(name, family, one) for one in ends)
    if not low < high:
        raise BadInput(f"the bounds of {name!r} are {ends[0]!r} and {ends[1]!r}; the low one is below the high one")
    return low, high


def _end(name: str, family: Family, end: object) -> float:
    """Return a bound as a number, of dates in seconds since 1970. Raises BadInput."""
    days = family in DAYS
    if days and isinstance(end, str):
        try:
            instant = datetime.fromisoformat(end)
        except ValueError:
            raise BadInput(f"the bound {end!r} of {name!r} is no date", hint='for example "2023-01-31"') from None
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
    if days and isinstance(end, datetime | date):
        return _end(name, family, end.isoformat())
    if not days and isinstance(end, int | float) and not isinstance(end, bool) and abs(end) < 1e300:
        return float(end)
    raise BadInput(f"the bound {end!r} of {name!r} cannot be used", hint="a date in text" if days else "a number")


def frame_of(table: Table, declared: Mapping[str, str]) -> pd.DataFrame:
    """Return a table as a data frame of the declared types."""
    frame: dict[str, object] = {}
    for column in table.schema:
        series = table.frame[column.name]
        if column.kind is Kind.DATETIME:
            series = pd.Series(_instants(series.to_numpy(dtype=np.float64)))
        elif column.kind is Kind.CATEGORICAL:
            series = series.astype(object).where(series.notna(), None)
        frame[column.name] = series
    return typed(pd.DataFrame(frame), declared)


def _instants(seconds: Floats) -> NDArray[np.datetime64]:
    """Return seconds since 1970 as instants to the microsecond; what is beyond their range is put at its end."""
    known = ~np.isnan(seconds)
    micros = np.full(len(seconds), np.iinfo(np.int64).min, dtype=np.int64)
    micros[known] = np.rint(np.clip(seconds[known], -FARTHEST, FARTHEST) * 1e6).astype(np.int64)
    return micros.astype("datetime64[us]")


def typed(frame: pd.DataFrame, declared: Mapping[str, str]) -> pd.DataFrame:
    """Return the frame with the dtype of each declared type, whatever its values happen to be.

    >>> typed(pd.DataFrame({"n": [1.0, None]}), {"n": "integer"}).dtypes.astype(str).tolist()
    ['Int64']
    """
    return pd.DataFrame({name: _as_declared(frame[name], kind) for name, kind in declared.items()})


def _as_declared(series: pd.Series, declared: str) -> pd.Series:
    """Return values in their declared type; real ones that no such type holds (year 0, 2^70) remain as text."""
    family = family_of(declared)
    try:
        return _cast(series, family, declared)
    except (TypeError, ValueError, OverflowError):
        return series.astype(object).where(series.notna(), None).map(str, na_action="ignore").astype("str")


def _cast(series: pd.Series, family: Family, declared: str) -> pd.Series:
    if family is Family.EXACT:
        decimals = _decimals(family, declared)
        series = series.astype("float64")
        series = series if decimals is None else series.round(decimals)
    elif family is Family.BOOLEAN and series.dtype == object:
        series = series.map(TRUE_OR_FALSE)
    elif family in DAYS:
        text = series.dtype == object or isinstance(series.dtype, pd.StringDtype)
        series = pd.to_datetime(series, utc=family is Family.INSTANT, format="ISO8601" if text else None)
    dtype = FRAMES.get(family, "str")
    return series.astype(dtype)  # pyright: ignore[reportCallIssue, reportArgumentType]

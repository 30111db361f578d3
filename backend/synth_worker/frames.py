"""Turn the columns of a data frame into texts, and texts and numbers back into columns of the same dtype.

A column's ``source`` is the name of its pandas dtype; what the name does not tell is added: ``object of int`` for
Python objects of one type, ``category of float64 ordered`` for what the categories are and whether they have an order.
Objects of several types come back as texts, and so do tuples that hold more than numbers, texts and their like.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal, cast

import numpy as np
import pandas as pd

from synth_worker.errors import UnreadableTable
from synth_worker.meaning import Raw
from synth_worker.parsing import to_stamps
from synth_worker.table import Floats

_TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "bool": (bool, np.bool_),
    "int": (int, np.integer),
    "float": (float, int, np.floating, np.integer),
    "Decimal": Decimal,
    "Timestamp": pd.Timestamp,
    "datetime": datetime,
    "date": date,
    "time": time,
    "Tuple": tuple,
}
_WRITTEN: dict[str, Callable[[str], object]] = {
    "Decimal": Decimal,
    "time": time.fromisoformat,
    "Tuple": ast.literal_eval,
}
"""What makes a Python object of the text that it was written as."""

Closed = Literal["left", "right", "both", "neither"]

INSTANTS = ("datetime64", "timestamp", "period[", "object of d", "object of t", "object of Timestamp")
"""How the source of a column begins whose cells are made from instants."""

_INTERVAL = re.compile(r"[\[(](.+), (.+)[\])]")


def raw_column(name: str, series: pd.Series, what: str) -> Raw:
    """Return a column of a data frame as texts. Raises UnreadableTable for cells that are no single values."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        used = series.cat.remove_unused_categories()
        codes, values = used.cat.codes.to_numpy(), pd.Series(used.cat.categories)
        kind = "" if pd.api.types.is_string_dtype(values) else f" of {values.dtype}"
        source = f"category{kind}{' ordered' if used.cat.ordered else ''}"
    else:
        try:
            codes, found = pd.factorize(series)
        except TypeError as error:
            raise UnreadableTable(
                f"{what}: column {name!r} holds lists or other things that are no single value",
                hint="drop the column or spread it over several",
            ) from error
        values = pd.Series(found)
        source = _source(values, str(series.dtype))
    if any(isinstance(one, bytes) for one in values):
        raise UnreadableTable(
            f"{what}: column {name!r} holds bytes, which are neither text nor number",
            hint="decode them to text, or drop the column",
        )
    texts = texts_of(values)
    place = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    lookup = np.array([*(place[text] for text in texts), -1], dtype=np.int64)
    return Raw(name, lookup[codes], tuple(place), source)


def _source(values: pd.Series, dtype: str) -> str:
    if dtype != "object" or not len(values):
        return dtype
    for name, kinds in _TYPES.items():
        if all(isinstance(one, kinds) for one in values) and (
            name == "bool" or not any(isinstance(one, bool) for one in values)
        ):
            if name == "Tuple" and not all(_literal(cell_text(one)) == one for one in values):
                return "object"
            return "object" if name == "str" else f"object of {name}{_zone(values)}"
    return "object"


def _literal(text: str) -> object:
    """Return the Python value that a text writes out, or None."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _zone(values: pd.Series) -> str:
    """Return the one time zone of all instants, as a part of the source's name; empty where its name means nothing."""
    zones = {str(one.tzinfo) if isinstance(one, datetime) else "None" for one in values}
    zone = zones.pop() if len(zones) == 1 else "None"
    if zone == "None":
        return ""
    try:
        pd.Timestamp(0, tz=zone)
    except (KeyError, ValueError):
        return ""
    return f", {zone}"


def texts_of(values: pd.Series) -> list[str]:
    """Return values, none of them missing, as texts; all instants of a column in one form."""
    if pd.api.types.is_timedelta64_dtype(values):
        values = values.dt.total_seconds()
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.to_timestamp()
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    if len(values) and all(isinstance(one, datetime) for one in values):
        return _instants(pd.Series(pd.to_datetime(values, utc=True)) if _zone(values) else values)
    if pd.api.types.is_float_dtype(values):
        # A float32 of 0.1 is 0.1 and not the 0.10000000149011612 that it is as a float64.
        return [_float(str(one)) for one in values.to_numpy(dtype=_width(values))]
    return [cell_text(one) for one in values]


def _width(values: pd.Series) -> np.dtype:
    size = getattr(values.dtype, "itemsize", 8)
    return np.dtype(f"float{8 * size}") if size in (2, 4) else np.dtype(np.float64)


def _float(text: str) -> str:
    return repr(float(text))


def _instants(values: pd.Series) -> list[str]:
    plain = [one.replace(tzinfo=None) for one in values]
    if all(one == datetime(one.year, one.month, one.day) for one in plain):
        return [one.isoformat()[:10] for one in plain]
    fraction = any(one.microsecond for one in plain)
    # Not strftime: it writes the year 850 with three digits on some systems.
    return [one.isoformat(" ", timespec="microseconds" if fraction else "seconds") for one in plain]


def cell_text(cell: object) -> str:
    """Return one cell as text; None is empty."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(" ").removesuffix(" 00:00:00")
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell)


def from_texts(texts: np.ndarray, source: str) -> pd.Series:
    """Return texts (missing: None), shape (rows,), as a column of the dtype ``source``; as texts where they do not fit.

    >>> from_texts(np.array(["1", "2"], dtype=object), "int8").dtype
    dtype('int8')
    """
    if source.startswith("category"):
        return _category(texts, tuple(dict.fromkeys(one for one in texts if one is not None)), source)
    codes, distinct = pd.factorize(texts)
    own = [str(one) for one in distinct]
    missing = bool((codes < 0).any())
    try:
        values = _values(own, source)
    except (ValueError, TypeError, OverflowError, ArithmeticError, SyntaxError):
        values, source = own, "object"
    spread = np.array([*values, None], dtype=object)[codes]
    return cast_to(pd.Series(spread, dtype=object), source, missing=missing)


def from_codes(codes: np.ndarray, labels: Sequence[str], source: str) -> pd.Series:
    """Return labels by their codes (-1: missing), shape (rows,), as a column of the dtype ``source``."""
    texts = np.array([*labels, None], dtype=object)[codes]
    return _category(texts, labels, source) if source.startswith("category") else from_texts(texts, source)


def _category(texts: np.ndarray, labels: Sequence[str], source: str) -> pd.Series:
    inner = source.removeprefix("category").removesuffix("ordered").strip().removeprefix("of ")
    place = {label: number for number, label in enumerate(labels)}
    codes = np.array([-1 if one is None else place[one] for one in texts], dtype=np.int64)
    categories = from_texts(np.array(labels, dtype=object), inner or "str")
    dtype = pd.CategoricalDtype(pd.Index(categories), ordered=source.endswith("ordered"))
    return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype))


def from_seconds(seconds: Floats, source: str) -> pd.Series:
    """Return instants (missing: NaN), shape (rows,), as a column of the dtype ``source`` or as instants."""
    stamps = pd.Series(to_stamps(seconds))
    if source.startswith("period["):
        return stamps.dt.to_period(source[7:-1])
    if source.startswith("object of"):
        make = _maker(source)
        return pd.Series([None if pd.isna(one) else make(one) for one in stamps], dtype=object)
    if "," in source or "tz=" in source:  # datetime64[ns, Europe/Berlin], timestamp[us, tz=UTC][pyarrow]
        stamps = stamps.dt.tz_localize("UTC")
    return cast_to(stamps, source or "datetime64[us]", missing=False)


def from_numbers(values: Floats, source: str) -> pd.Series:
    """Return numbers (missing: NaN), shape (rows,), as a column of the dtype ``source``."""
    missing = np.isnan(values)
    if source.startswith("timedelta64"):
        return pd.Series(pd.to_timedelta(values, unit="s")).astype(pd.Series([], dtype=source).dtype)
    if source in ("object of int", "object of float"):
        make = int if source.endswith("int") and (values[~missing] == np.round(values[~missing])).all() else float
        return pd.Series([None if gone else make(one) for one, gone in zip(values, missing, strict=True)], dtype=object)
    return cast_to(pd.Series(values), source, missing=bool(missing.any()))


def cast_to(series: pd.Series, source: str, *, missing: bool) -> pd.Series:
    """Return the series in the dtype of this name, or in the next that can hold its values.

    Whole numbers become ``Int64`` and truths ``boolean`` where the table that came in had none missing.
    """
    if source.startswith("object"):
        return series.astype(object)
    if missing and source.startswith(("int", "uint")) and "[" not in source:
        source = source.capitalize().replace("Uint", "UInt")
    if missing and source == "bool":
        source = "boolean"
    for dtype in (source, "Int64" if "int" in source.lower() else "object"):
        try:
            found = series.astype(dtype)  # pyright: ignore[reportCallIssue, reportArgumentType]
        except (ValueError, TypeError, OverflowError):
            continue
        if "int" not in dtype.lower() or bool((found == series).fillna(value=True).all()):
            return found
    return series


def _values(texts: list[str], source: str) -> Sequence[object]:
    """Return distinct texts as the Python values that ``source`` is made of."""
    name = source.removeprefix("object of ")
    if name.startswith(("period[", "interval[", "timedelta64[")):
        return _spans(texts, name)
    if name.lower().startswith("bool"):
        return [one.lower() in ("true", "1", "1.0") for one in texts]
    if name.lower().startswith(("int", "uint")):
        return [int(one) if one.lstrip("+-").isdigit() else _whole(one) for one in texts]
    if name.lower().startswith(("float", "double")):
        return [float(one) for one in texts]
    if name in _WRITTEN:
        return [_WRITTEN[name](one) for one in texts]
    if name.startswith(("date", "Timestamp", "timestamp")):
        stamps = pd.to_datetime(pd.Series(texts), format="ISO8601")
        zoned = ("," in name or "tz=" in name) and not source.startswith("object")
        return [_maker(source)(one.tz_localize("UTC") if zoned else one) for one in stamps]
    return texts


def _spans(texts: list[str], name: str) -> Sequence[object]:
    """Return texts as durations, periods or intervals of numbers. Raises ValueError for an interval of others."""
    kind, _, inner = name.removesuffix("]").partition("[")
    if kind == "timedelta64":
        return list(pd.to_timedelta([float(one) for one in texts], unit="s"))
    if kind == "period":
        return [pd.Period(one, freq=inner) for one in texts]
    ends = [_INTERVAL.fullmatch(one) for one in texts]
    closed = cast("Closed", inner.rpartition(", ")[2])
    return [pd.Interval(float(one[1]), float(one[2]), closed=closed) for one in ends if one]


def _whole(text: str) -> int:
    value = float(text)
    if value != int(value):
        raise ValueError("not a whole number")
    return int(value)


def _maker(source: str) -> Callable[[pd.Timestamp], object]:
    """Return what makes a Python object of an instant, which is in UTC where the source has a time zone."""
    kind, _, zone = source.removeprefix("object of ").partition(", ")
    if kind == "date":
        return pd.Timestamp.date
    if kind == "time":
        return pd.Timestamp.time
    if not source.startswith("object of"):
        return lambda one: one
    plain = (lambda one: one) if kind == "Timestamp" else pd.Timestamp.to_pydatetime
    return lambda one: plain(one.tz_localize("UTC").tz_convert(zone) if zone else one)

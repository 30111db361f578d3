"""Find out how dates are written, read them as seconds since 1970, and write them the same way.

A format is a strftime pattern; ``%-d`` and the like stand for parts without leading zero, and an offset such as
``+01:00`` or ``Z`` that all values share is part of the pattern as it stands. A pattern counts as found only if every
value fits it. Where day and month cannot be told apart (no value above 12), the part that varies more is the day;
where they vary alike, the month comes first after ``/`` and the day elsewhere; and the note says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from synth_worker.inference.texts import array, matches, replaced
from synth_worker.schema import Column, Kind
from synth_worker.table import Floats

_D = "[0-9]{1,2}"
_DATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (f"[0-9]{{4}}-{_D}-{_D}", ("%Y-%m-%d",)),
    (rf"{_D}\.{_D}\.[0-9]{{4}}", ("%d.%m.%Y", "%m.%d.%Y")),
    (f"{_D}/{_D}/[0-9]{{4}}", ("%m/%d/%Y", "%d/%m/%Y")),
    (f"{_D}-{_D}-[0-9]{{4}}", ("%d-%m-%Y", "%m-%d-%Y")),
    (f"[0-9]{{4}}/{_D}/{_D}", ("%Y/%m/%d",)),
    (rf"[0-9]{{4}}\.{_D}\.{_D}", ("%Y.%m.%d",)),
    (rf"{_D}\.{_D}\.[0-9]{{2}}", ("%d.%m.%y", "%m.%d.%y")),
    (f"{_D}/{_D}/[0-9]{{2}}", ("%m/%d/%y", "%d/%m/%y")),
    (f"{_D}-[A-Za-z]{{3}}-[0-9]{{4}}", ("%d-%b-%Y",)),
    (f"{_D}-[A-Za-z]{{3}}-[0-9]{{2}}", ("%d-%b-%y",)),
    (f"{_D} [A-Za-z]{{3}} [0-9]{{4}}", ("%d %b %Y",)),
    (f"{_D} [A-Za-z]{{3,9}} [0-9]{{4}}", ("%d %B %Y",)),
    (f"[A-Za-z]{{3}} {_D}, [0-9]{{4}}", ("%b %d, %Y",)),
    (f"[A-Za-z]{{3,9}} {_D}, [0-9]{{4}}", ("%B %d, %Y",)),
    (f"{_D}[A-Za-z]{{3}}[0-9]{{4}}", ("%d%b%Y",)),
    ("(19|20)[0-9]{6}", ("%Y%m%d",)),
    ("[0-9]{4}-[0-9]{2}", ("%Y-%m",)),
)
_TIMES: tuple[tuple[str, str], ...] = (
    ("", ""),
    (f"{_D}:[0-9]{{2}}", "%H:%M"),
    (f"{_D}:[0-9]{{2}}:[0-9]{{2}}", "%H:%M:%S"),
    (f"{_D}:[0-9]{{2}}:[0-9]{{2}}\\.[0-9]{{1,9}}", "%H:%M:%S.%f"),
    (f"{_D}:[0-9]{{2}} [APap][Mm]", "%I:%M %p"),
    (f"{_D}:[0-9]{{2}}:[0-9]{{2}} [APap][Mm]", "%I:%M:%S %p"),
)
_OFFSET = re.compile(r"(?<=[0-9])( ?)(Z|[+-][0-9]{2}:?[0-9]{2}|UTC)$")
_UNITS = {0: "s", 3: "ms", 6: "us"}


@dataclass(frozen=True, eq=False)
class Found:
    """Hold a format, the places of the seconds, the values in seconds since 1970, shape (texts,), and a remark."""

    format: str
    decimals: int
    seconds: Floats
    remark: str = ""


def find(texts: pa.Array) -> Found | None:
    """Return the format that all texts fit, with their values, or None.

    >>> found = find(array(["31.01.2020", "01.02.2020"]))
    >>> found.format, found.seconds[0] / 86400
    ('%d.%m.%Y', np.float64(18292.0))
    """
    if len(texts) == 0:
        return None
    first = str(texts[0].as_py())
    offset = _OFFSET.search(first) if ":" in first else None
    suffix = offset.group(0) if offset else ""
    fitting = [found for form in _shapes(texts, first, suffix) if (found := _fit(texts, form + suffix)) is not None]
    if not fitting:
        return None
    if len(fitting) == 1:
        return fitting[0]
    return _more_likely(fitting[0], fitting[1])


def parse(texts: pa.Array, form: str) -> Floats:
    """Return the texts in seconds since 1970, shape (texts,); NaN where a text does not fit the format."""
    plain = form.replace("%-", "%")
    instants = pd.to_datetime(pd.Series(texts.to_pylist(), dtype=object), format=plain, errors="coerce")
    if isinstance(instants.dtype, pd.DatetimeTZDtype):
        instants = instants.dt.tz_convert(None)
    micros = instants.to_numpy().astype("datetime64[us]")
    seconds = micros.astype(np.int64) / 1e6
    return np.where(np.isnat(micros), np.nan, seconds)


def write(seconds: Floats, column: Column) -> pa.Array:
    """Write instants (no NaN) as this column does, shape (values,); days are rounded to whole days.

    >>> from synth_worker.schema import Kind
    >>> day = Column("day", Kind.DATETIME, dtype="date", format="%d.%m.%Y")
    >>> write(np.array([0.0, 86400.0]), day).to_pylist()
    ['01.01.1970', '02.01.1970']
    """
    form = column.format or ("%Y-%m-%d" if column.dtype == "date" else "%Y-%m-%d %H:%M:%S")
    places = column.decimals or 0
    unit = "us" if places > 3 else "ms" if places else "s"
    scale = {"s": 1.0, "ms": 1e3, "us": 1e6}[unit]
    step = float(coarseness(form))
    whole = np.round(seconds / step) * step if step > 1 else seconds
    instants = np.rint(whole * scale).astype(np.int64)
    if "%-" in form or ("%f" not in form and unit != "s"):
        times = pd.DatetimeIndex(instants.astype(f"datetime64[{unit}]"))
        return array(times.strftime(form))
    fractional = "%S.%f" in form
    values = pa.array(instants, pa.timestamp(unit if fractional else "s"))
    text = pc.strftime(values, pc.StrftimeOptions(form.replace("%S.%f", "%S")))  # pyright: ignore
    if fractional and unit == "s":
        text = pc.strftime(values, pc.StrftimeOptions(form.replace("%S.%f", "%S.0")))  # pyright: ignore
    return text.cast(pa.large_string())


def coarseness(form: str) -> int:
    """Return the number of seconds between two values that the format can tell apart.

    >>> coarseness("%d.%m.%Y"), coarseness("%H:%M"), coarseness("%H:%M:%S")
    (86400, 60, 1)
    """
    if "%S" in form or "%-S" in form:
        return 1
    return 60 if "%M" in form else 86_400


def _shapes(texts: pa.Array, first: str, suffix: str) -> Iterator[str]:
    body = first.removesuffix(suffix)
    tail = re.escape(suffix)
    for date_shape, dates in _DATES:
        for time_shape, time in _TIMES:
            for gap in ("",) if not time else (" ", "T"):
                shape = f"^{date_shape}{gap}{time_shape}"
                if re.fullmatch(shape[1:], body) and matches(texts, shape + tail + "$").all():
                    yield from (day + gap + time for day in dates)


def _fit(texts: pa.Array, form: str) -> Found | None:
    """Parse all texts and find the variant of the format that writes them just as they stand."""
    few = texts.slice(0, 50)
    if np.isnan(parse(few, form)).any():
        return None
    seconds = parse(texts, form)
    if np.isnan(seconds).any():
        return None
    decimals = 0
    if "%f" in form:
        tails = replaced(texts, r"^.*:[0-9]{2}\.([0-9]+).*$", r"\1")
        longest = max(len(str(one)) for one in tails.to_pylist())
        decimals = 3 if longest <= 3 else 6
    for variant in dict.fromkeys(_variants(form)):
        from_here = Column("", kind=Kind.DATETIME, dtype="datetime", format=variant, decimals=decimals)
        if write(seconds, from_here).equals(texts):
            return Found(variant, decimals, seconds)
    return Found(form, decimals, seconds, "Not all values are written alike; new ones are written in one form.")


def _variants(form: str) -> Iterator[str]:
    days = re.sub(r"%([dm])", r"%-\1", form)
    yield form
    yield days
    yield re.sub(r"%([HI])", r"%-\1", form)
    yield re.sub(r"%([HI])", r"%-\1", days)


def _more_likely(first: Found, second: Found) -> Found:
    """Choose between month first and day first where both fit."""
    varied = [len(np.unique(pd.to_datetime(one.seconds, unit="s").day)) for one in (first, second)]
    chosen, other = (second, first) if varied[1] > varied[0] else (first, second)
    remark = f"Day and month could be the other way round: set format to {other.format} if they are."
    return Found(chosen.format, chosen.decimals, chosen.seconds, remark)

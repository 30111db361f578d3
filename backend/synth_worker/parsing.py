"""Turn texts into numbers and instants, and back; nothing here knows about tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synth_worker.table import Bools, Floats, Ints

MISSING = frozenset(
    {"", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NaT", "NULL", "null", "<NA>"}
    | {"#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!"}
)
"""Texts that always mean an absent value; the last are what a spreadsheet shows for a failed formula."""

INFINITE = frozenset(
    sign + word for sign in ("", "+", "-") for word in ("inf", "Inf", "INF", "infinity", "Infinity", "INFINITY")
)
MISSING_BESIDE_NUMBERS = INFINITE | {"-", "--", ".", "None", "none", "missing", "unknown", "*"}
"""Texts that mean an absent value only where all the others are numbers or dates."""

EXACT_INTEGER = 2**53
WHOLE_FROM = 2.0**53
"""Floats from here on have no fraction."""

MOST_DECIMALS = 9
FEW_FINER = 0.01
FEW_FINER_TEXTS = 0.1
"""Values finer than the others describe no form: at most so large a share of the rows, and of the different values."""

SHORT = "g"
"""The ``format`` of numbers whose whole values are written without a point: 2 beside 1.5."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LABEL = re.compile(r"[+-]?0[0-9].*|\+[0-9]{7,}", re.DOTALL)  # leading zeros; telephone numbers

DATE_FORMATS = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%-d.%-m.%Y",
    "%d.%m.%y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%-d/%-m/%Y",
    "%-m/%-d/%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%-m/%-d/%Y %-H:%M",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%H:%M",
    "%H:%M:%S",
)
"""How dates may be written; ``%-d`` has no leading zero. Day before month where both fit."""

_PARTS = {
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
    "%b": "[A-Z][a-z]{2}",
    "%f": "[0-9]{6}",
    **dict.fromkeys(("%m", "%d", "%H", "%M", "%S"), "[0-9]{2}"),
    **dict.fromkeys(("%-m", "%-d", "%-H"), "[1-9]?[0-9]"),
}
_YEAR = re.compile("\x01([0-9]*)\x02")
_SHAPES = {
    pattern: re.compile(
        "".join(_PARTS.get(part, re.escape(part)) for part in re.split("(%-?[a-zA-Z])", pattern) if part)
    )
    for pattern in DATE_FORMATS
}


def is_number(text: str, *, decimal_comma: bool = False) -> bool:
    """Tell whether a text is a plain number; a leading zero (``007``) or a dialling code makes it a label.

    >>> is_number("-1.5e3"), is_number("007"), is_number("0.7"), is_number("1,5", decimal_comma=True)
    (True, False, True, True)
    """
    if decimal_comma:
        if "." in text:
            return False
        text = text.replace(",", ".")
    return _NUMBER.fullmatch(text) is not None and _LABEL.fullmatch(text) is None


def to_number(text: str, *, decimal_comma: bool = False) -> float | None:
    """Return the finite number that a text is, or None.

    >>> to_number("1,50", decimal_comma=True), to_number("1e999"), to_number("one")
    (1.5, None, None)
    """
    if not is_number(text, decimal_comma=decimal_comma):
        return None
    value = float(text.replace(",", ".") if decimal_comma else text)
    return value if np.isfinite(value) else None


@dataclass(frozen=True)
class Numbers:
    """Hold parsed texts: values (NaN where a text is no number) and how they are written.

    ``short`` says that whole values stand without a point beside others that have one.
    """

    values: Floats
    good: Bools
    decimals: int | None
    fixed_decimals: bool
    integers: bool
    short: bool


def parse_numbers(texts: Sequence[str], *, decimal_comma: bool = False) -> Numbers:
    """Parse texts as numbers, shape (len(texts),).

    >>> parse_numbers(["1.50", "2.25", "x"]).values
    array([1.5 , 2.25,  nan])
    """
    parsed = [to_number(text, decimal_comma=decimal_comma) for text in texts]
    values = np.array([np.nan if one is None else one for one in parsed], dtype=np.float64)
    good = ~np.isnan(values)
    own = [text for text, value in zip(texts, parsed, strict=True) if value is not None]
    mark = "," if decimal_comma else "."
    shown = [text.partition(mark) for text in own if "e" not in text.lower()]
    places = {len(part[2]) for part in shown}
    plain = bool(own) and len(shown) == len(own)
    integers = plain and not any(part[1] for part in shown)
    # Zeros at the end are kept where all numbers have equally many places. 63.0 stays a whole number: nobody
    # measured its tenths.
    fixed = plain and len(places) == 1 and any(part[2].endswith("0") for part in shown)
    fixed = fixed and (max(places) > 1 or any(part[2] != "0" for part in shown)) and max(places) <= MOST_DECIMALS
    needed = max((len(part[2].rstrip("0")) for part in shown), default=0)
    decimals = None if not plain or needed > MOST_DECIMALS else max(places) if fixed else needed
    short = plain and not integers and 0 in places and all(part[2].strip("0") for part in shown if part[1])
    return Numbers(values, good, decimals, fixed, integers, short)


def decimals_of(values: Floats) -> int | None:
    """Return the fewest places to which all values round without change, None where nine do not suffice.

    >>> decimals_of(np.array([1.0, 2.5, np.nan]))
    1
    """
    seen = values[~np.isnan(values)]
    # Beside numbers too large for a fraction, places would tell nothing of how the others are written.
    most = 0 if (np.abs(seen) >= WHOLE_FROM).any() else MOST_DECIMALS
    for places in range(most + 1):
        if np.array_equal(rounded(seen, places), seen):
            return places
    return None


def rounded(values: Floats, places: int) -> Floats:
    """Return values rounded to so many decimals; floats beyond 2^53 are whole, and ``np.round`` may overflow on them.

    >>> rounded(np.array([0.126, 1.7e308]), 2).tolist()
    [0.13, 1.7e+308]
    """
    small = np.abs(values) < WHOLE_FROM
    return np.where(small, np.round(np.where(small, values, 0.0), places), values)


def usual_places(values: Floats, counts: Ints, *, odd: Bools) -> int | None:
    """Return the fewest places to which all but a few values round, None where none differs or nine do not suffice.

    ``values`` are the distinct ones, ``counts`` their rows, ``odd`` says which are written in a way that has no places
    (``1e-05``); all of shape (values,). The few must be few rows and few different values: a column of zeros and some
    doses is about the doses.

    >>> values = np.append(np.arange(1, 300) / 100, 0.92248062015503)
    >>> usual_places(values, np.ones(300, dtype=np.int64), odd=np.zeros(300, dtype=np.bool_))
    2
    """
    for places in range(MOST_DECIMALS + 1):
        finer = odd | (rounded(values, places) != values)
        if not finer.any():
            return None
        if counts[finer].sum() <= FEW_FINER * counts.sum() and finer.mean() <= FEW_FINER_TEXTS:
            return places
    return None


def parse_dates(texts: Sequence[str], *, pattern: str) -> Floats:
    """Parse texts in one strftime pattern as seconds since 1970, NaN where one does not fit.

    >>> parse_dates(["1970-01-02", "x"], pattern="%Y-%m-%d")
    array([86400.,    nan])
    """
    if not len(texts):
        return np.empty(0)
    try:
        stamps = pd.to_datetime(
            pd.Series(list(texts), dtype=object), format=pattern.replace("%-", "%"), errors="coerce"
        )
    except ValueError:  # the pattern itself is none: nothing fits it
        return np.full(len(texts), np.nan)
    if stamps.dt.tz is not None:
        stamps = stamps.dt.tz_localize(None)
    instants = stamps.to_numpy(dtype="datetime64[us]")
    return np.where(np.isnat(instants), np.nan, instants.astype(np.int64) / 1e6)


def to_stamps(seconds: Floats) -> pd.DatetimeIndex:
    """Return seconds since 1970 (NaN allowed) as instants, exact to the microsecond.

    >>> str(to_stamps(np.array([253402214400.0]))[0].date())
    '9999-12-31'
    """
    absent = np.isnan(seconds)
    whole = np.floor(np.where(absent, 0.0, seconds))
    micros = np.round((np.where(absent, 0.0, seconds) - whole) * 1e6).astype(np.int64)
    total = whole.astype(np.int64) * 1_000_000 + micros
    total[absent] = np.iinfo(np.int64).min
    return pd.DatetimeIndex(total.view("datetime64[us]"))


def format_dates(seconds: Floats, *, pattern: str) -> list[str]:
    """Write seconds since 1970 (no NaN) in a strftime pattern.

    >>> format_dates(np.array([0.0]), pattern="%-d/%-m/%Y")
    ['1/1/1970']
    """
    written = to_stamps(seconds).strftime(pattern.replace("%-", "\x00%").replace("%Y", "\x01%Y\x02"))
    # Systems differ: not every strftime knows %-d, nor do all write the year 850 with four digits.
    return [re.sub("\x000?", "", _YEAR.sub(lambda year: year[1].zfill(4), str(one))) for one in written]


def find_date_format(texts: Sequence[str]) -> tuple[str, str] | None:
    """Return the pattern in which all texts are written, and a remark where another one would fit as well.

    >>> find_date_format(["31.01.2024", "01.02.2024"])
    ('%d.%m.%Y', '')
    """
    fitting: list[str] = []
    for pattern, shape in _SHAPES.items():
        if not texts or not all(shape.fullmatch(text) for text in texts):
            continue
        seconds = parse_dates(texts, pattern=pattern)
        if not np.isnan(seconds).any() and format_dates(seconds, pattern=pattern) == list(texts):
            fitting.append(pattern)
    if not fitting:
        return None
    remark = ""
    if len(fitting) > 1:
        remark = f"dates fit {fitting[0]} and {fitting[1]} alike; the first is taken: set format to change it"
    return fitting[0], remark

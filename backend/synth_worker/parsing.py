"""Turn texts into numbers and instants, and tell what texts look like; nothing here knows about tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synth_worker.table import Bools, Floats

MISSING = frozenset({"", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>"})
"""Texts that always mean an absent value."""

MISSING_BESIDE_NUMBERS = frozenset({"-", "--", ".", "None", "none", "missing", "unknown", "*", "inf", "-inf"})
"""Texts that mean an absent value only where all the others are numbers or dates."""

EXACT_INTEGER = 2**53
MOST_DECIMALS = 9

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LEADING_ZERO = re.compile(r"[+-]?0\d")

DATE_FORMATS = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
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
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
)


def is_number(text: str, *, decimal_comma: bool = False) -> bool:
    """Tell whether a text is a plain number; a leading zero (``007``) makes it a label.

    >>> is_number("-1.5e3"), is_number("007"), is_number("0.7"), is_number("1,5", decimal_comma=True)
    (True, False, True, True)
    """
    if decimal_comma:
        if "." in text:
            return False
        text = text.replace(",", ".")
    return _NUMBER.fullmatch(text) is not None and _LEADING_ZERO.match(text) is None


@dataclass(frozen=True)
class Numbers:
    """Hold parsed texts: values (NaN where a text is no number) and how they are written."""

    values: Floats
    good: Bools
    decimals: int | None
    fixed_decimals: bool
    integers: bool


def parse_numbers(texts: Sequence[str], *, decimal_comma: bool = False) -> Numbers:
    """Parse texts as numbers, shape (len(texts),).

    >>> parse_numbers(["1.50", "2.25", "x"]).values
    array([1.5 , 2.25,  nan])
    """
    good = np.fromiter((is_number(text, decimal_comma=decimal_comma) for text in texts), np.bool_, len(texts))
    plain = [text.replace(",", ".") for text in texts] if decimal_comma else list(texts)
    values = np.full(len(texts), np.nan)
    own = [text for text, is_good in zip(plain, good, strict=True) if is_good]
    values[good] = np.array(own, dtype=np.float64) if own else np.empty(0)
    # A number too large for a float is an infinity, and that is no number to compute with.
    good &= np.isfinite(values)
    values[~good] = np.nan
    shown = [text.partition(".")[2] for text in own if "e" not in text.lower()]
    exponent = len(shown) < len(own)
    written = {len(part) for part in shown}
    needed = max((len(part.rstrip("0")) for part in shown), default=0)
    decimals = None if exponent or needed > MOST_DECIMALS else needed
    fixed = not exponent and len(written) == 1 and 0 < needed <= MOST_DECIMALS and written == {needed}
    fixed = (fixed and any(part.endswith("0") for part in shown)) or _padded(written, needed, exponent=exponent)
    return Numbers(values, good, decimals, fixed, integers=bool(own) and written == {0} and not exponent)


def _padded(written: set[int], needed: int, *, exponent: bool) -> bool:
    """Tell whether all numbers are written with one number of places, of which some only ever hold zeros."""
    return not exponent and len(written) == 1 and 0 < needed < max(written, default=0) <= MOST_DECIMALS


def decimals_of(values: Floats) -> int | None:
    """Return the fewest places to which all values round without change, None where nine do not suffice.

    >>> decimals_of(np.array([1.0, 2.5, np.nan]))
    1
    """
    seen = values[~np.isnan(values)]
    for places in range(MOST_DECIMALS + 1):
        if np.array_equal(np.round(seen, places), seen):
            return places
    return None


def parse_dates(texts: Sequence[str], *, pattern: str) -> Floats:
    """Parse texts in one strftime pattern as seconds since 1970, NaN where one does not fit.

    >>> parse_dates(["1970-01-02", "x"], pattern="%Y-%m-%d")
    array([86400.,    nan])
    """
    stamps = pd.to_datetime(pd.Series(list(texts), dtype=object), format=pattern, errors="coerce")
    if stamps.dt.tz is not None:
        stamps = stamps.dt.tz_localize(None)
    seconds = (stamps - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
    return np.asarray(seconds, dtype=np.float64)


def format_dates(seconds: Floats, *, pattern: str) -> list[str]:
    """Write seconds since 1970 in a strftime pattern."""
    stamps = pd.to_datetime(np.round(seconds, 6), unit="s")
    return [str(one) for one in stamps.strftime(pattern)]


def find_date_format(texts: Sequence[str]) -> tuple[str, str] | None:
    """Return the pattern in which all texts are written, and a remark where another one would fit as well."""
    if not texts or not all(6 <= len(text) <= 27 and text[0].isdigit() for text in texts[:50]):
        return None
    fitting: list[str] = []
    for pattern in DATE_FORMATS:
        # A few texts rule most patterns out before all are parsed.
        if np.isnan(parse_dates(texts[:20], pattern=pattern)).any():
            continue
        seconds = parse_dates(texts, pattern=pattern)
        if not np.isnan(seconds).any() and _same(format_dates(seconds, pattern=pattern), texts):
            fitting.append(pattern)
    if not fitting:
        return None
    remark = ""
    if len(fitting) > 1:
        remark = f"dates fit {fitting[0]} and {fitting[1]} alike; the first is taken: set format to change it"
    return fitting[0], remark


def _same(written: Sequence[str], texts: Sequence[str]) -> bool:
    return all(one == two or one.rstrip("0") == two.rstrip("0") for one, two in zip(written, texts, strict=True))

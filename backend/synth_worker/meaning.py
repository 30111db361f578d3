"""Find out what the columns of a table mean, by rules that are written down here and shown in each column's note.

Typing rules, in this order; a column's distinct values are looked at, not its cells:

1. no value, or one value in every row: constant.
2. numbers with few distinct whole values are codes: at most 2, or at most 6 with 20 rows for each; else numeric.
   Whole numbers that are all different are an identifier where their name says so or they count up without a gap;
   so are whole numbers beyond 2^53, which a float cannot hold.
3. a leading zero anywhere makes labels: zip codes and record numbers keep their zeros.
4. true/false: boolean; dates and date-times in one known pattern: datetime.
5. texts that are nearly all different: identifier (one word, name-like, e-mail, UUID) or free text (longer).
6. nearly all numbers and a few words beside them (at most 5, such as ``neg``): numeric, the words become missing.
7. everything else: categorical.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from synth_worker.parsing import (
    EXACT_INTEGER,
    MISSING,
    MISSING_BESIDE_NUMBERS,
    Numbers,
    decimals_of,
    find_date_format,
    is_number,
    parse_dates,
    parse_numbers,
)
from synth_worker.schema import Column, Kind
from synth_worker.table import Floats, Ints

FEW_CODES = 6
ROWS_PER_CODE = 20
NEARLY_ALL = 0.9
LEAST_UNIQUE = 20
WORDS_OF_TEXT = 4
FEW_STRAYS = 5
STRAY_SHARE = 0.05

_ID_NAME = re.compile(r"(^|[_\W])(id|ids|mrn|nr|no|number|key|uuid|guid|ssn|pid|index|identifier|code)$", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True)
class Raw:
    """Hold a column as it was read: distinct texts and, per row, which one (-1: absent).

    ``source`` is the pandas dtype of a data frame's column. ``missing_token`` is the commonest text of an absent value.
    """

    name: str
    codes: Ints
    texts: tuple[str, ...]
    source: str = ""
    missing_token: str = ""

    @property
    def present(self) -> int:
        """Return how many rows hold a value."""
        return int((self.codes >= 0).sum())

    def without(self, tokens: frozenset[str] | set[str]) -> Raw:
        """Return the column with these texts read as absent."""
        gone = [place for place, text in enumerate(self.texts) if text.strip() in tokens]
        if not gone:
            return self
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))
        token = self.texts[max(gone, key=lambda place: counts[place])]
        kept = [place for place in range(len(self.texts)) if place not in set(gone)]
        lookup = np.full(len(self.texts) + 1, -1, dtype=np.int64)
        lookup[kept] = np.arange(len(kept))
        return replace(
            self,
            codes=lookup[self.codes],
            texts=tuple(self.texts[place] for place in kept),
            missing_token=self.missing_token or token,
        )


def infer(raw: Raw, *, decimal_comma: bool = False) -> Column:
    """Return what a column means, without bounds and categories (``fill`` adds those)."""
    raw = raw.without(MISSING)
    rows = len(raw.codes)
    base = Column(
        raw.name,
        Kind.CATEGORICAL,
        source=raw.source,
        nullable=raw.present < rows,
        missing_token=raw.missing_token,
        decimal_comma=decimal_comma,
    )
    if raw.present == 0:
        return replace(base, kind=Kind.CONSTANT, note="every value is missing")
    if len(raw.texts) == 1 and not base.nullable:
        return replace(base, kind=Kind.CONSTANT, dtype=_plain_dtype(raw.texts), note="one value in every row")
    if {text.lower() for text in raw.texts} <= {"true", "false"}:
        return replace(base, dtype="bool", note="true or false")
    beside = raw.without(MISSING_BESIDE_NUMBERS)
    if beside.present:
        base = replace(base, nullable=beside.present < rows, missing_token=beside.missing_token)
        numbers = parse_numbers(beside.texts, decimal_comma=decimal_comma)
        if numbers.good.all():
            return _number(beside, numbers, base)
        found = find_date_format(beside.texts)
        if found is not None:
            return _date(beside, found, base)
        mixed = _mixed(beside, numbers, base)
        if mixed is not None:
            return mixed
    return _text(raw, replace(base, nullable=raw.present < rows, missing_token=raw.missing_token))


def _number(raw: Raw, numbers: Numbers, base: Column) -> Column:
    values = numbers.values
    distinct = len(np.unique(values))
    dtype = "int64" if numbers.integers else "float64"
    whole = bool((values == np.round(values)).all())
    if whole and np.abs(values).max() >= EXACT_INTEGER:
        return replace(
            base, kind=Kind.IDENTIFIER, note="whole numbers beyond 2^53: taken for record numbers, not quantities"
        )
    if numbers.integers and distinct == raw.present == len(raw.codes) and distinct >= LEAST_UNIQUE:
        counts_up = float(values.max() - values.min()) == distinct - 1
        if counts_up or _ID_NAME.search(raw.name):
            why = "count up without a gap" if counts_up else "are all different and the name says so"
            return replace(
                base, kind=Kind.IDENTIFIER, dtype=dtype, decimals=0, note=f"an identifier: its numbers {why}"
            )
    codes = distinct <= 2 or (whole and distinct <= FEW_CODES and len(raw.codes) >= ROWS_PER_CODE * distinct)
    if codes:
        return replace(
            base, dtype=dtype, note=f"{distinct} different numbers: taken for codes; set kind to numeric to change that"
        )
    decimals = numbers.decimals if not raw.source else decimals_of(values)
    return replace(
        base,
        kind=Kind.NUMERIC,
        dtype=dtype,
        decimals=decimals,
        fixed_decimals=numbers.fixed_decimals and not raw.source,
        note="whole numbers" if decimals == 0 else "numbers",
    )


def _date(raw: Raw, found: tuple[str, str], base: Column) -> Column:
    pattern, remark = found
    dtype = "datetime" if "%H" in pattern else "date"
    return replace(base, kind=Kind.DATETIME, dtype=dtype, format=pattern, note=remark or f"written as {pattern}")


def _mixed(raw: Raw, numbers: Numbers, base: Column) -> Column | None:
    """Return a numeric column where all but a few words are numbers."""
    strays = [text for text, good in zip(raw.texts, numbers.good, strict=True) if not good]
    counts = np.bincount(raw.codes[raw.codes >= 0], minlength=len(raw.texts))
    share = counts[~numbers.good].sum() / max(raw.present, 1)
    zeros = any(text.lstrip("+-").startswith("0") and text.isdigit() for text in strays)
    if len(strays) > FEW_STRAYS or share > STRAY_SHARE or numbers.good.sum() < LEAST_UNIQUE or zeros:
        return None
    own = parse_numbers([text for text in raw.texts if text not in strays], decimal_comma=base.decimal_comma)
    shown = ", ".join(repr(text) for text in strays)
    return replace(
        base,
        kind=Kind.NUMERIC,
        dtype="int64" if own.integers else "float64",
        decimals=own.decimals,
        fixed_decimals=own.fixed_decimals,
        nullable=True,
        note=f"numbers, but for {shown}, read as missing; set kind to categorical to keep every text",
    )


def _text(raw: Raw, base: Column) -> Column:
    texts = raw.texts
    share = len(texts) / raw.present
    words = float(np.mean([len(text.split()) for text in texts[:2000]]))
    if len(texts) >= LEAST_UNIQUE and (all(map(_UUID.fullmatch, texts)) or all(map(_EMAIL.fullmatch, texts))):
        return replace(base, kind=Kind.IDENTIFIER, note="e-mail addresses or UUIDs name persons or records")
    if words >= WORDS_OF_TEXT and share > 0.5 and len(texts) >= LEAST_UNIQUE:
        return replace(base, kind=Kind.TEXT, note=f"free text: {words:.0f} words on average, mostly different")
    if share > NEARLY_ALL and len(texts) >= LEAST_UNIQUE:
        return replace(base, kind=Kind.IDENTIFIER, note=f"{share:.0%} of the texts are different: names a record")
    note = f"{len(texts)} labels"
    if any(is_number(text) for text in texts) or any(text.isdigit() for text in texts):
        kept = all(text.isdigit() for text in texts)
        note += ", leading zeros kept" if kept else ", numbers and words mixed"
    return replace(base, note=note)


def _plain_dtype(texts: Sequence[str]) -> str:
    numbers = parse_numbers(texts)
    if not numbers.good.all():
        return "string"
    return "int64" if numbers.integers else "float64"


@dataclass(frozen=True)
class Filled:
    """Hold a column with its domain, its canonical values, and which texts did not fit its kind."""

    column: Column
    values: pd.Series | Floats
    misfits: tuple[str, ...] = ()


def fill(raw: Raw, column: Column, *, keep_domain: bool = False) -> Filled:
    """Read a raw column as ``column`` says, and add bounds and categories from the values (unless public or kept).

    Texts that do not fit become missing and are listed.
    """
    tokens = (MISSING | {column.missing_token}) - set(column.categories)
    raw = raw.without(tokens)
    if column.continuous:
        return _fill_numbers(raw.without(MISSING_BESIDE_NUMBERS), column, keep_domain=keep_domain)
    if column.kind is Kind.CATEGORICAL:
        return _fill_labels(raw, column, keep_domain=keep_domain)
    texts = np.array([*raw.texts, None], dtype=object)
    return Filled(replace(column, nullable=bool((raw.codes < 0).any())), pd.Series(texts[raw.codes], dtype=object))


def _fill_numbers(raw: Raw, column: Column, *, keep_domain: bool) -> Filled:
    if column.kind is Kind.NUMERIC:
        distinct = parse_numbers(raw.texts, decimal_comma=column.decimal_comma).values
    else:
        distinct = parse_dates(raw.texts, pattern=column.format or "%Y-%m-%d")
    misfits = tuple(text for text, value in zip(raw.texts, distinct, strict=True) if np.isnan(value))
    values = np.append(distinct, np.nan)[raw.codes]
    seen = values[~np.isnan(values)]
    low, high = column.low, column.high
    if not (column.public or keep_domain):
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (None, None)
    nullable = bool(np.isnan(values).any())
    return Filled(replace(column, low=low, high=high, nullable=nullable), values, misfits)


def _fill_labels(raw: Raw, column: Column, *, keep_domain: bool) -> Filled:
    known = dict.fromkeys(column.categories)
    matched = [_match(text, known) for text in raw.texts]
    if column.public or keep_domain:
        categories = list(column.categories)
    elif known:
        present = dict.fromkeys(matched)
        categories = [label for label in known if label in present] + sorted(one for one in present if one not in known)
    else:
        categories = sorted(dict.fromkeys(matched), key=_label_order)
    place = {label: number for number, label in enumerate(categories)}
    lookup = np.array([*(place.get(label, -1) for label in matched), -1], dtype=np.int64)
    codes = lookup[raw.codes]
    misfits = tuple(text for text, label in zip(raw.texts, matched, strict=True) if label not in place)
    values = pd.Series(pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories)))
    return Filled(replace(column, categories=tuple(categories), nullable=bool((codes < 0).any())), values, misfits)


def _match(text: str, known: dict[str, None]) -> str:
    """Return the known label that a text stands for: itself, without its formula guard, or the same number."""
    if not known or text in known:
        return text
    if text.startswith("'") and text[1:] in known:
        return text[1:]
    if is_number(text):
        value = float(text)
        for label in known:
            if is_number(label) and float(label) == value:
                return label
    lowered = text.lower()
    if lowered in ("true", "false"):
        return next((label for label in known if label.lower() == lowered), text)
    return text


def _label_order(label: str) -> tuple[int, float, str]:
    return (0, float(label), label) if is_number(label) else (1, 0.0, label)

"""Read raw columns as a schema says: canonical values, bounds and categories, and the texts that did not fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from synth_worker.meaning import Raw, announced
from synth_worker.parsing import (
    MISSING,
    MISSING_BESIDE_NUMBERS,
    decimals_of,
    find_date_format,
    is_number,
    parse_dates,
    parse_numbers,
    to_number,
)
from synth_worker.schema import Column, Kind
from synth_worker.table import Floats

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes a cell that begins like this for a formula (OWASP, CSV injection)."""

GUARD = "'"


def guarded(text: str, *, decimal_comma: bool = False) -> str:
    """Return a text that no spreadsheet runs; numbers and single signs stay as they are.

    A text that looks guarded already gets one more sign, so that ``unguarded`` is exact.

    >>> guarded("=1+1"), guarded("-5"), guarded("-"), guarded("'=1")
    ("'=1+1", '-5', '-', "''=1")
    """
    bare = text.lstrip(GUARD)
    if len(bare) < 2 or not bare.startswith(FORMULA):
        return text
    if bare == text and is_number(text, decimal_comma=decimal_comma):
        return text
    return GUARD + text


def unguarded(text: str, *, decimal_comma: bool = False) -> str:
    """Return the text that ``guarded`` made this one from."""
    if text.startswith(GUARD) and guarded(text[1:], decimal_comma=decimal_comma) == text:
        return text[1:]
    return text


@dataclass(frozen=True)
class Filled:
    """Hold a column with its domain, its canonical values, and which texts did not fit its kind."""

    column: Column
    values: pd.Series | Floats
    misfits: tuple[str, ...] = ()


def fill(raw: Raw, column: Column, *, keep_guard: bool = True) -> Filled:
    """Read a raw column as ``column`` says, and add bounds and categories from the values (unless they are public).

    Texts that do not fit become missing and are listed. ``keep_guard`` False takes a spreadsheet guard off first.
    """
    tokens = {*MISSING, column.missing_token, *announced(column)}
    if column.continuous or column.dtype in ("int64", "float64"):
        tokens |= MISSING_BESIDE_NUMBERS
    if not keep_guard:
        tokens |= {guarded(token) for token in tokens}
    tokens -= set(column.categories)
    raw = raw.without(tokens)
    if column.missing_token in column.categories:
        token = next((one for one in ("", "NA", "?") if one not in column.categories), column.missing_token)
        column = replace(column, missing_token=token)
    if column.kind is Kind.NUMERIC:
        return _fill_numbers(raw.stripped(), column)
    if column.kind is Kind.DATETIME:
        return _fill_dates(raw.stripped(), column)
    column = replace(column, low=None, high=None, nullable=bool((raw.codes < 0).any()))
    if column.kind is Kind.CATEGORICAL:
        return _fill_labels(raw, column, keep_guard=keep_guard)
    texts = np.array([*raw.texts, None], dtype=object)
    return Filled(replace(column, categories=()), pd.Series(texts[raw.codes], dtype=object))


def _fill_numbers(raw: Raw, column: Column) -> Filled:
    numbers = parse_numbers(raw.texts, decimal_comma=column.decimal_comma)
    if column.dtype not in ("int64", "float64"):
        # The user made labels into numbers; how they are written has not been looked at yet.
        column = replace(column, dtype="int64" if numbers.integers else "float64", decimals=decimals_of(numbers.values))
    bad = ~numbers.good
    if column.dtype == "int64":
        bad |= numbers.values != np.round(numbers.values)
    return _fill_continuous(raw, column, numbers.values, bad)


def _fill_dates(raw: Raw, column: Column) -> Filled:
    if not column.format:
        found = find_date_format(raw.texts)
        column = replace(column, format=found[0] if found else "%Y-%m-%d")
    values = parse_dates(raw.texts, pattern=column.format)
    if column.dtype not in ("date", "datetime"):
        column = replace(column, dtype="datetime" if "H" in column.format else "date")
    return _fill_continuous(raw, column, values, np.isnan(values))


def _fill_continuous(raw: Raw, column: Column, distinct: Floats, bad: np.ndarray) -> Filled:
    if column.public:
        low = -np.inf if column.low is None else column.low
        high = np.inf if column.high is None else column.high
        bad = bad | ~((distinct >= low) & (distinct <= high))
    misfits = tuple(text for text, is_bad in zip(raw.texts, bad, strict=True) if is_bad)
    values = np.append(np.where(np.isnan(distinct) | (bad if column.public else False), np.nan, distinct), np.nan)
    values = values[raw.codes]
    seen = values[~np.isnan(values)]
    low, high = column.low, column.high
    if not column.public:
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (None, None)
    return Filled(replace(column, low=low, high=high, nullable=bool(np.isnan(values).any())), values, misfits)


def _fill_labels(raw: Raw, column: Column, *, keep_guard: bool) -> Filled:
    known = _Known(column, keep_guard=keep_guard)
    matched = [known.match(text) for text in raw.texts]
    present = dict.fromkeys(matched)
    if column.public:
        categories = list(column.categories)
    elif column.categories:
        new = sorted(one for one in present if one not in known)
        categories = [label for label in column.categories if label in present] + new
    elif column.source.startswith("category"):
        categories = list(present)  # the data frame's own order
    else:
        categories = sorted(present, key=lambda label: _order(label, decimal_comma=column.decimal_comma))
    place = {label: number for number, label in enumerate(categories)}
    lookup = np.array([*(place.get(label, -1) for label in matched), -1], dtype=np.int64)
    codes = lookup[raw.codes]
    misfits = tuple(text for text, label in zip(raw.texts, matched, strict=True) if label not in place)
    values = pd.Series(pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories)))
    return Filled(replace(column, categories=tuple(categories), nullable=bool((codes < 0).any())), values, misfits)


class _Known:
    """Find the label of a schema that a text stands for: itself, without guard or space, the same number or truth."""

    def __init__(self, column: Column, *, keep_guard: bool) -> None:
        self.labels = set(column.categories)
        self.comma = column.decimal_comma
        self.keep_guard = keep_guard
        self.numbers: dict[float, str] = {}
        self.truths: dict[str, str] = {}
        for label in column.categories:
            value = to_number(label, decimal_comma=self.comma)
            if value is not None:
                self.numbers.setdefault(value, label)
            if label.lower() in ("true", "false"):
                self.truths.setdefault(label.lower(), label)

    def __contains__(self, label: object) -> bool:
        return label in self.labels

    def match(self, text: str) -> str:
        """Return the label, or the text itself where there is none."""
        bare = text if self.keep_guard else unguarded(text, decimal_comma=self.comma)
        for one in (bare, text, bare.strip(), unguarded(text.strip(), decimal_comma=self.comma)):
            if one in self.labels:
                return one
        value = to_number(bare.strip(), decimal_comma=self.comma)
        if value is None:
            value = to_number(bare.strip())
        if value is not None and value in self.numbers:
            return self.numbers[value]
        return self.truths.get(bare.strip().lower(), bare.strip() if self.labels else bare)


def _order(label: str, *, decimal_comma: bool) -> tuple[int, float, str]:
    value = to_number(label, decimal_comma=decimal_comma)
    return (1, 0.0, label) if value is None else (0, value, label)

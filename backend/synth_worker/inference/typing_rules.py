"""Type a column by its values: a number, a date, a set of labels, the name of a record, free text or a constant.

The tests are tried in this order, and all values that are not absent (see ``missing``) must pass: numbers with a
decimal point, numbers with a decimal comma, dates (see ``dates``), true and false. What is left are strings. Numbers
with leading zeros, a thousands separator, 2**53 or more, or an international telephone prefix are strings: as numbers they would
lose what they say. ``kinds`` holds the rules for codes, identifiers and text. One value that is never absent makes a
constant; one value that is absent at times is a category.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from synth_worker.inference import canonical, dates, kinds, numbers
from synth_worker.inference.booleans import pair
from synth_worker.inference.missing import label_tokens, most_frequent, tokens
from synth_worker.inference.raw import Raw
from synth_worker.inference.texts import example, matches
from synth_worker.schema import Column, Kind
from synth_worker.table import Bools, Floats, Ints


class Typed(NamedTuple):
    """Pair what a column means with its canonical values."""

    column: Column
    values: pd.Series


def infer(raw: Raw) -> Typed:
    """Find out what a column means, and return its values in canonical form.

    >>> infer(Raw.of("age", array(["39", "50", "?", "41"]))).column
    Column(name='age', kind=<Kind.NUMERIC: 'numeric'>, dtype='int64', source='', nullable=True, low=39.0, \
high=50.0, categories=(), decimals=0, fixed_decimals=False, decimal_comma=False, format='', missing_token='?', \
public=False, note='Whole numbers, all different: a measure. If they name the record, set kind to identifier.')
    """
    if not raw.source:
        raw = raw.trimmed()
    if raw.native == "category":
        return _labels(raw, [])
    dropped = tokens(raw.texts)
    if dropped.all():
        return _all_missing(raw, dropped)
    present = raw.without(dropped)
    if raw.native == "boolean":
        return _labels(raw, [])
    if raw.native in ("date", "datetime") or _named_date(present):
        found = dates.find(present.texts)
        if found is not None:
            return _dates(raw, dropped, found)
    infinite = matches(present.texts, numbers.INFINITE)
    if infinite.any() and not infinite.all():
        note = "Infinite values count as absent."
        dropped = dropped | matches(raw.texts, numbers.INFINITE)
        finite = present.without(infinite)
        if _plain_numbers(finite.texts):
            return _numbers(raw, dropped, comma=False, notes=[note])
    if _plain_numbers(present.texts):
        return _numbers(raw, dropped, comma=False, notes=[])
    if numbers.comma_fits(present.texts, expected=raw.comma) and _plain_commas(present.texts):
        return _numbers(raw, dropped, comma=True, notes=["Written with a decimal comma."])
    found = dates.find(present.texts)
    if found is not None and not matches(present.texts, numbers.INTEGER).any():
        return _dates(raw, dropped, found)
    return _labels(raw, [])


def infer_identifier(raw: Raw, note: str) -> Typed:
    """Treat a column as the name of a record or of a person, whatever it looks like."""
    if not raw.source:
        raw = raw.trimmed()
    dropped = tokens(raw.texts)
    present = raw.without(dropped)
    whole = len(present.texts) > 0 and _plain_numbers(present.texts) and matches(present.texts, numbers.INTEGER).all()
    return _strings(raw, dropped, kinds.Ruling(Kind.IDENTIFIER, note), "int64" if whole else "string", [])


def _numbers(raw: Raw, dropped: Bools, *, comma: bool, notes: list[str]) -> Typed:
    present = raw.without(dropped)
    by_text, _ = numbers.parse(present.texts, comma=comma)
    look = numbers.look(present.texts, by_text, comma=comma)
    values, place = np.unique(by_text, return_inverse=True)
    counts = np.bincount(place, weights=present.counts, minlength=len(values)).astype(np.int64)
    missing = bool((present.codes < 0).any())
    if len(values) == 1:
        kind, note = (
            (Kind.CATEGORICAL, "One value, absent at times.") if missing else (Kind.CONSTANT, "One value only.")
        )
    elif look.decimals == 0 and raw.native != "duration":
        in_order = by_text[present.codes] if len(values) == present.rows else np.zeros(0)
        kind, note = kinds.of_integers(raw.name, values, counts, in_row_order=in_order)
    elif len(values) == 2:
        kind, note = Kind.CATEGORICAL, "Two different numbers: a category."
    else:
        kind, note = Kind.NUMERIC, f"{len(values)} different numbers."
    if kind in (Kind.IDENTIFIER, Kind.CONSTANT):
        return _strings(raw, dropped, kinds.Ruling(kind, note), look.dtype, notes)
    token, others = most_frequent(raw, dropped)
    column = Column(
        raw.name,
        kind,
        dtype=look.dtype,
        source=raw.source,
        nullable=missing,
        decimals=look.decimals,
        fixed_decimals=look.fixed_decimals,
        decimal_comma=look.decimal_comma,
        format=look.format,
        missing_token=token,
        note=_note(note, notes, others),
    )
    if kind is Kind.NUMERIC:
        low, high = float(values[0]), float(values[-1])
        return Typed(replace(column, low=low, high=high), canonical.numbers(by_text, present.codes))
    labels = _usual_texts(present.texts, place, present.counts, len(values))
    column = replace(column, categories=labels)
    return Typed(column, canonical.labels(np.asarray(place, dtype=np.int64), present.codes, labels))


def _dates(raw: Raw, dropped: Bools, found: dates.Found) -> Typed:
    present = raw.without(dropped)
    missing = bool((present.codes < 0).any())
    distinct = len(np.unique(found.seconds))
    if distinct == 1:
        ruling = kinds.Ruling(Kind.CATEGORICAL if missing else Kind.CONSTANT, "One date only.")
        return _strings(raw, dropped, ruling, "string", [])
    token, others = most_frequent(raw, dropped)
    days = dates.coarseness(found.format) == 86_400
    low, high = canonical.bounds(found.seconds)
    column = Column(
        raw.name,
        Kind.DATETIME,
        dtype="date" if days and raw.native != "datetime" else "datetime",
        source=raw.source,
        nullable=missing,
        low=low,
        high=high,
        decimals=found.decimals,
        format=found.format,
        missing_token=token,
        note=_note(f"{distinct} different {'days' if days else 'instants'}.", [found.remark], others),
    )
    return Typed(column, canonical.numbers(found.seconds, present.codes))


def _labels(raw: Raw, notes: list[str]) -> Typed:
    dropped = label_tokens(raw.texts, native_missing=bool((raw.codes < 0).any()))
    present = raw.without(dropped)
    missing = bool((present.codes < 0).any())
    counts = present.counts
    if int((counts > 0).sum()) == 0:
        return _all_missing(raw, dropped)
    words = pair(present.texts.to_pylist()) if len(present.texts) <= 2 else ()
    if len(present.texts) == 1 and not missing:
        dtype = "bool" if words else "string"
        return _strings(raw, dropped, kinds.Ruling(Kind.CONSTANT, "One value only."), dtype, notes)
    if words and raw.native != "category":
        ruling = kinds.Ruling(Kind.CATEGORICAL, "True or false.")
        return _strings(raw, dropped, ruling, "bool", notes, labels=words)
    if raw.native == "category":
        ruling = kinds.Ruling(Kind.CATEGORICAL, f"{len(present.texts)} labels, declared by the data frame.")
        dtype = _dtype_of_labels(present.texts)
        return _strings(raw, dropped, ruling, dtype, notes, labels=tuple(present.texts.to_pylist()))
    numeric = _number_like(present)
    if numeric is not None:
        return _strings(raw, dropped, numeric, "string", notes)
    return _strings(raw, dropped, kinds.of_strings(raw.name, present.texts, counts), "string", notes)


def _number_like(present: Raw) -> kinds.Ruling | None:
    """Rule on strings that are nearly numbers, so that they are not mistaken for names and say why they are labels."""
    texts, counts = present.texts, present.counts
    rows = int(counts.sum())
    many = len(texts) > 50 and len(texts) > 0.5 * rows
    kind = Kind.TEXT if many else Kind.CATEGORICAL
    fate = "free text, which is not modelled" if many else "labels"
    thousands = matches(texts, numbers.THOUSANDS)
    numeric = matches(texts, numbers.POINT) | thousands
    if numeric.all() and thousands.any() and not matches(texts, numbers.POINT).all():
        return kinds.Ruling(
            kind,
            f"Numbers with a thousands separator, such as {example(texts, thousands)!r}, are kept as {fate}; "
            "take the separators out to have them modelled as numbers.",
        )
    share = float(counts[numeric].sum()) / rows
    if not numeric.all() and share >= 0.9 and numeric.sum() >= 10:
        count = int(counts[~numeric].sum())
        return kinds.Ruling(
            kind,
            f"Numbers but for {count} of {rows} values, such as {example(texts, ~numeric)!r}; kept as {fate}. "
            "Correct those values to have the column modelled as a number.",
        )
    return None


def _strings(
    raw: Raw,
    dropped: Bools,
    ruling: kinds.Ruling,
    dtype: str,
    notes: list[str],
    *,
    labels: tuple[str, ...] = (),
) -> Typed:
    """Build a column whose values are kept as they are written; identifiers and text know no tokens as labels."""
    if ruling.kind in (Kind.IDENTIFIER, Kind.TEXT):
        dropped = dropped | tokens(raw.texts)
    present = raw.without(dropped)
    token, others = most_frequent(raw, dropped)
    if ruling.kind is Kind.CATEGORICAL or ruling.kind is Kind.CONSTANT:
        labels = labels or tuple(sorted(str(one) for one in present.texts.to_pylist()))
    column = Column(
        raw.name,
        ruling.kind,
        dtype=dtype,
        source=raw.source,
        nullable=bool((present.codes < 0).any()),
        categories=labels,
        missing_token=token,
        note=_note(ruling.note, [*notes, *_written_so(present.texts)], others),
    )
    if ruling.kind is not Kind.CATEGORICAL:
        return Typed(column, canonical.strings(present))
    place = {label: at for at, label in enumerate(labels)}
    placed = np.fromiter((place[str(one)] for one in present.texts.to_pylist()), dtype=np.int64)
    return Typed(column, canonical.labels(placed, present.codes, labels))


def _written_so(texts: pa.Array) -> list[str]:
    if len(texts) == 0 or not matches(texts, numbers.INTEGER).all():
        return []
    if matches(texts, numbers.LEADING_ZERO).any():
        return ["Leading zeros are kept."]
    if matches(texts, r"^[+-]?[0-9]{16,}$").any():
        return ["Whole numbers too long to calculate with exactly; they are kept as they are written."]
    return []


def _all_missing(raw: Raw, dropped: Bools) -> Typed:
    token, others = most_frequent(raw, dropped)
    present = raw.without(np.ones(len(raw.texts), dtype=np.bool_))
    note = _note("No value at all.", [], others)
    column = Column(raw.name, Kind.CONSTANT, source=raw.source, nullable=True, missing_token=token, note=note)
    return Typed(column, canonical.strings(present))


def _plain_numbers(texts: pa.Array) -> bool:
    if not matches(texts, numbers.POINT).all() or _loses_something(texts):
        return False
    values, ok = numbers.parse(texts, comma=False)
    whole = matches(texts, numbers.INTEGER)
    return bool(ok.all()) and not (whole.all() and (np.abs(values) >= numbers.EXACT).any())


def _plain_commas(texts: pa.Array) -> bool:
    _, ok = numbers.parse(texts, comma=True)
    return bool(ok.all()) and not _loses_something(texts)


def _loses_something(texts: pa.Array) -> bool:
    return bool(matches(texts, numbers.LEADING_ZERO).any() or matches(texts, r"^\+[0-9]{7,}$").any())


def _named_date(present: Raw) -> bool:
    words = kinds.words_of(present.name)
    named = words & {"date", "dt", "day", "dob", "birth", "birthdate", "datum", "dat"}
    return bool(named) and bool(matches(present.texts, r"^(19|20)[0-9]{6}$").all())


def _dtype_of_labels(texts: pa.Array) -> str:
    if pair(texts.to_pylist()) and {str(one) for one in texts.to_pylist()} <= {"True", "False"}:
        return "bool"
    if not _plain_numbers(texts):
        return "string"
    return "int64" if matches(texts, numbers.INTEGER).all() else "float64"


def _usual_texts(texts: pa.Array, place: Ints, counts: Ints, distinct: int) -> tuple[str, ...]:
    """Return for each distinct number the text by which it is written most often."""
    usual = [""] * distinct
    best = [-1] * distinct
    for text, at, count in zip(texts.to_pylist(), place.tolist(), counts.tolist(), strict=True):
        if count > best[at] or (count == best[at] and str(text) < usual[at]):
            usual[at], best[at] = str(text), count
    return tuple(usual)


def _note(first: str, more: list[str], tokens_too: list[str]) -> str:
    said = [first, *(one for one in more if one)]
    if tokens_too:
        listed = ", ".join(repr(one) if one else "nothing" for one in tokens_too)
        said.append(f"Also read as absent: {listed}.")
    return re.sub(r"\s+", " ", " ".join(said))


def number_values(texts: pa.Array) -> Floats:
    """Return the texts as numbers with a decimal point, shape (texts,); NaN where a text is none."""
    return numbers.parse(texts, comma=False)[0]

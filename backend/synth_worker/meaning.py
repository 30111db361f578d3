"""Find out what the columns of a table mean, by rules that are written down here and shown in each column's note.

Typing rules, in this order; a column's distinct values are looked at, not its cells:

1. no value, or one value in every row: constant. A pandas category stays a category.
2. true/false: boolean.
3. numbers. At most 2 different ones, or at most 6 whole ones with 20 rows for each, are codes; else numeric.
   Whole numbers are an identifier if they are all different and the name says so or they count up without a gap; if
   they repeat, but the name says so plainly (``patient_id``); and beyond 2^53, which a float cannot hold. Eight digits
   that are all dates (20240131) are dates. A leading zero or a dialling code (+49...) anywhere makes labels.
   Decimals are as many as all values need, a few finer ones (1 % of the rows) left aside; the note says so.
4. dates, date-times and times of day (14:30) in one known pattern: datetime.
5. nearly all numbers, beside them at most 5 words in at most 5% of rows (``neg``), or limits of detection (``<0.5``) in
   at most half of them: numeric; those texts are read as missing, and the note lists them. If nothing else is missing,
   they are written for the missing values again.
6. numbers with a unit, two numbers in one (45%, 120/80, 5 mg, 1,234.5): labels; split or strip them to do better.
7. texts that are nearly all different: identifier (short, e-mail, UUID) or free text (four words and more).
8. everything else: categorical.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np

from synth_worker.parsing import (
    EXACT_INTEGER,
    INFINITE,
    MISSING,
    MISSING_BESIDE_NUMBERS,
    SHORT,
    Numbers,
    decimals_of,
    find_date_format,
    is_number,
    parse_dates,
    parse_numbers,
    rounded,
    usual_places,
)
from synth_worker.schema import Column, Kind
from synth_worker.table import Ints

FEW_CODES = 6
ROWS_PER_CODE = 20
NEARLY_ALL = 0.9
LEAST_UNIQUE = 20
ROWS_PER_PERSON = 10
WORDS_OF_TEXT = 4
FEW_STRAYS = 5
STRAY_SHARE = 0.05
LIMIT_SHARE = 0.5

ANNOUNCED = "read as missing: "
"""What stands in a note before the JSON list of words that are no numbers and count as absent values."""

_STRONG_NAMES = frozenset(
    {"id", "ids", "mrn", "uuid", "guid", "ssn", "pid", "email", "mail", "iban"}
    | {"phone", "telephone", "telefon", "tel", "mobile", "handy", "fax"}
)
_WEAK_NAMES = frozenset({"nr", "no", "number", "nummer", "key", "index", "identifier", "code"})
_OF_A_PERSON = re.compile(
    r"(patient|person|subject|case|record|visit|encounter|customer|user|account|order|study)(id|nr|no|number|nummer)"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LIMIT = re.compile(r"[<>≤≥]=?\s*[0-9]+([.,][0-9]+)?")
_MEASURE = re.compile(
    r"[<>~]?\s*[+-]?[0-9]+([.,][0-9]+)?\s*"
    r"(%|‰|€|\$|£|EUR|USD|°C|(mg|g|kg|µg|ug|ng|mmol|IU|IE|U)(/[dm]?[lL])?|ml|mL|cm|mm|m|mmHg|bpm|/min)"
    r"|[0-9]{2,3}\s*/\s*[0-9]{2,3}"
    r"|[+-]?[1-9][0-9]{0,2}([.,' ][0-9]{3})+([.,][0-9]+)?"
)


@dataclass(frozen=True)
class Raw:
    """Hold a column as it was read: distinct texts and, per row, which one (-1: absent).

    ``source`` is the dtype of a data frame's column (see ``frames``). ``missing_token`` is the commonest text of an
    absent value.
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

    @cached_property
    def counts(self) -> Ints:
        """Return how many rows hold each text, shape (texts,)."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts)).astype(np.int64)

    def stripped(self) -> Raw:
        """Return the column without white space around its texts."""
        own = [text.strip() for text in self.texts]
        place = {text: number for number, text in enumerate(dict.fromkeys(own))}
        lookup = np.array([*(place[text] for text in own), -1], dtype=np.int64)
        return replace(self, codes=lookup[self.codes], texts=tuple(place))

    def without(self, tokens: frozenset[str] | set[str]) -> Raw:
        """Return the column with these texts read as absent."""
        gone = {place for place, text in enumerate(self.texts) if text.strip() in tokens}
        if not gone:
            return self
        # Nobody writes "inf" for a value that was not measured.
        usual = [place for place in gone if self.texts[place].strip() not in INFINITE]
        token = self.texts[max(usual, key=lambda place: (self.counts[place], -place))].strip() if usual else ""
        kept = [place for place in range(len(self.texts)) if place not in gone]
        lookup = np.full(len(self.texts) + 1, -1, dtype=np.int64)
        lookup[kept] = np.arange(len(kept))
        return replace(
            self,
            codes=lookup[self.codes],
            texts=tuple(self.texts[place] for place in kept),
            missing_token=self.missing_token or token,
        )


def infer(raw: Raw, *, comma_expected: bool = False) -> Column:
    """Return what a column means, without bounds and categories (``fill`` in ``filling`` adds those).

    ``comma_expected`` says that 1,234 is a number with three decimals and not a thousand.
    """
    whole = raw
    raw = whole.without(MISSING)
    base = Column(
        raw.name,
        Kind.CATEGORICAL,
        source=raw.source,
        nullable=raw.present < len(raw.codes),
        missing_token=raw.missing_token,
    )
    if raw.present == 0:
        return replace(base, kind=Kind.CONSTANT, note="every value is missing")
    if len(raw.texts) == 1 and not base.nullable:
        return replace(base, kind=Kind.CONSTANT, dtype=_plain_dtype(raw.texts), note="one value in every row")
    if raw.source.startswith("category"):
        return _labels(raw, base)
    if {text.lower() for text in raw.texts} <= {"true", "false"}:
        return replace(base, dtype="bool", note="true or false")
    beside = whole.without(MISSING | MISSING_BESIDE_NUMBERS)
    if not beside.present and _native(raw) and set(raw.texts) <= INFINITE:
        note = f"every value is missing or infinite; {ANNOUNCED}{json.dumps(sorted(raw.texts))}"
        return replace(base, kind=Kind.CONSTANT, nullable=True, missing_token="", note=note)
    found = _number_or_date(beside, base, comma_expected=comma_expected) if beside.present else None
    if found is None:
        return _labels(raw, base)
    words = sorted(set(raw.texts) - set(beside.texts))
    return _announce(found, words) if words else found


def announced(column: Column) -> frozenset[str]:
    """Return the words beside numbers that the column's note lists as absent values.

    >>> column = Column("crp", Kind.NUMERIC, note='numbers; read as missing: ["<0.5"]')
    >>> sorted(announced(column))
    ['<0.5']
    """
    if ANNOUNCED not in column.note:
        return frozenset()
    try:
        words: object = json.loads(column.note.partition(ANNOUNCED)[2])
    except json.JSONDecodeError:  # a note is the user's to rewrite: then it announces nothing
        return frozenset()
    return frozenset(str(one) for one in cast("list[object]", words)) if isinstance(words, list) else frozenset()


def _announce(column: Column, words: Sequence[str]) -> Column:
    every = sorted({*announced(column), *words})
    note = column.note.partition(f"; {ANNOUNCED}")[0]
    return replace(column, note=f"{note}; {ANNOUNCED}{json.dumps(every, ensure_ascii=False)}")


def _number_or_date(raw: Raw, base: Column, *, comma_expected: bool) -> Column | None:
    comma = not _native(raw) and _writes_comma(raw.texts, expected=comma_expected)
    base = replace(base, nullable=raw.present < len(raw.codes), missing_token=raw.missing_token, decimal_comma=comma)
    numbers = parse_numbers(raw.texts, decimal_comma=comma)
    if numbers.good.all():
        return _number(raw, numbers, base)
    found = find_date_format(raw.texts)
    if found is not None:
        return _date(found, base)
    return _mixed(raw, numbers, base)


def _native(raw: Raw) -> bool:
    """Tell whether the column came as numbers of a data frame and not as texts."""
    return bool(raw.source) and raw.source not in ("object", "str", "string")


def _writes_comma(texts: Sequence[str], *, expected: bool) -> bool:
    commas = [text for text in texts if "," in text]
    if not commas or sum(is_number(text, decimal_comma=True) for text in texts) < NEARLY_ALL * len(texts):
        return False
    good = [text for text in commas if is_number(text, decimal_comma=True)]
    return expected or any(len(text.partition(",")[2]) != 3 or text.lstrip("+-")[:2] == "0," for text in good)


def _number(raw: Raw, numbers: Numbers, base: Column) -> Column:
    values = numbers.values
    distinct = len(np.unique(values))
    dtype = "int64" if numbers.integers else "float64"
    if numbers.integers and np.abs(values).max() >= EXACT_INTEGER:
        fits = all(-(2**63) <= int(text) < 2**63 for text in raw.texts)
        return replace(
            base,
            kind=Kind.IDENTIFIER,
            dtype="int64" if fits else "string",
            note="whole numbers beyond 2^53: taken for record numbers, not quantities",
        )
    # 1e300 is whole, but as a quantity: no record has such a number.
    whole = bool((values == np.round(values)).all()) and float(np.abs(values).max()) < EXACT_INTEGER
    why = _identifies(raw, values, distinct) if whole else ""
    if why:
        return replace(base, kind=Kind.IDENTIFIER, dtype=dtype, decimals=0, note=f"an identifier: its numbers {why}")
    if numbers.integers and distinct >= LEAST_UNIQUE and all(len(text) == 8 for text in raw.texts):
        years = parse_dates(raw.texts, pattern="%Y%m%d") / 31_556_952 + 1970
        if ((years > 1900) & (years < 2100)).all():
            return _date(("%Y%m%d", ""), base)
    if distinct <= 2 or (whole and distinct <= FEW_CODES and len(raw.codes) >= ROWS_PER_CODE * distinct):
        return replace(
            base, dtype=dtype, note=f"{distinct} different numbers: taken for codes; set kind to numeric to change that"
        )
    column = replace(base, kind=Kind.NUMERIC, dtype=dtype, note="whole numbers" if whole else "numbers")
    return _form(raw, numbers, column)


def _form(raw: Raw, numbers: Numbers, column: Column) -> Column:
    """Add how numbers are written; a few values that are finer than all others do not count, and the note says so."""
    native = _native(raw)
    odd = np.array([not native and "e" in text.lower() for text in raw.texts], dtype=np.bool_)
    places = usual_places(numbers.values, raw.counts, odd=odd)
    if places is None:
        return replace(
            column,
            decimals=decimals_of(numbers.values) if native else numbers.decimals,
            fixed_decimals=numbers.fixed_decimals and not native,
            format=SHORT if numbers.short else "",
        )
    others = odd | (rounded(numbers.values, places) != numbers.values)
    own = [text for text, other in zip(raw.texts, others, strict=True) if not other]
    usual = parse_numbers(own, decimal_comma=column.decimal_comma)
    rows = int(raw.counts[others].sum())
    return replace(
        column,
        decimals=places,
        fixed_decimals=usual.fixed_decimals and not native,
        format=SHORT if (usual.short or usual.integers) and not native else "",
        note=f"{column.note}; not written with at most {places} decimals: {rows} of {raw.present} rows; synthetic "
        f"values get {places}, set decimals to change that",
    )


def _identifies(raw: Raw, values: np.ndarray, distinct: int) -> str:
    """Say why whole numbers name records, or nothing."""
    strong, weak = _names_a_record(raw.name)
    if distinct < LEAST_UNIQUE:
        return ""
    if distinct == raw.present == len(raw.codes):
        # Values that a float column of a data frame holds are not counted: measurements are floats.
        if float(values.max() - values.min()) == distinct - 1 and not raw.source.lower().startswith("float"):
            return "count up without a gap"
        if strong or weak:
            return "are all different and the name says so"
    if strong and raw.present < ROWS_PER_PERSON * distinct:
        return "name somebody or something, as the column's name says; if it is a person, use it as the group key"
    return ""


def _names_a_record(name: str) -> tuple[bool, bool]:
    """Tell whether a column's name says plainly, or at least hints, that it names records.

    ``PatientID`` and ``patient_id`` do; ``covid`` and ``paid`` do not.
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    words = [word for word in re.split(r"[\W_]+", parted) if word]
    last = words[-1] if words else ""
    strong = last in _STRONG_NAMES or _OF_A_PERSON.fullmatch("".join(words[-2:])) is not None
    strong = strong or _OF_A_PERSON.fullmatch(last) is not None
    return strong, last in _WEAK_NAMES or last.endswith("nummer")


def _date(found: tuple[str, str], base: Column) -> Column:
    pattern, remark = found
    dtype = "datetime" if "H" in pattern else "date"
    return replace(
        base,
        kind=Kind.DATETIME,
        dtype=dtype,
        format=pattern,
        decimal_comma=False,
        note=remark or f"written as {pattern}",
    )


def _mixed(raw: Raw, numbers: Numbers, base: Column) -> Column | None:
    """Return a numeric column where all but a few words are numbers."""
    strays = [text for text, good in zip(raw.texts, numbers.good, strict=True) if not good]
    share = raw.counts[~numbers.good].sum() / raw.present
    limits = all(_LIMIT.fullmatch(text) for text in strays)
    few = share <= LIMIT_SHARE if limits else len(strays) <= FEW_STRAYS and share <= STRAY_SHARE
    labels = any(text.lstrip("+-").isdigit() for text in strays)  # leading zeros, dialling codes
    if not few or labels or numbers.good.sum() < LEAST_UNIQUE:
        return None
    own = [text for text, good in zip(raw.texts, numbers.good, strict=True) if good]
    parsed = parse_numbers(own, decimal_comma=base.decimal_comma)
    token = strays[0] if len(strays) == 1 and not base.nullable else base.missing_token
    column = replace(
        base,
        kind=Kind.NUMERIC,
        dtype="int64" if parsed.integers else "float64",
        nullable=True,
        missing_token=token,
        note="numbers; set kind to categorical to keep every text",
    )
    return _announce(_form(raw.without(set(strays)), parsed, column), strays)


def _labels(raw: Raw, base: Column) -> Column:
    texts = [text.strip() for text in raw.texts]
    share = len(texts) / raw.present
    many = len(texts) >= LEAST_UNIQUE
    words = sum(len(text.split()) for text in texts[:2000]) / len(texts[:2000])
    if many and (all(map(_UUID.fullmatch, texts)) or all(map(_EMAIL.fullmatch, texts))):
        return replace(base, kind=Kind.IDENTIFIER, note="e-mail addresses or UUIDs name persons or records")
    if many and sum(_MEASURE.fullmatch(text) is not None for text in texts) >= NEARLY_ALL * len(texts):
        note = "numbers with a unit, or several in one: taken for labels; plain numbers, one to a column, do better"
        return replace(base, note=note)
    if words >= WORDS_OF_TEXT and share > 0.5 and many:
        return replace(base, kind=Kind.TEXT, note=f"free text: {words:.0f} words on average, mostly different")
    if share > NEARLY_ALL and many:
        return replace(base, kind=Kind.IDENTIFIER, note=f"{share:.0%} of the texts are different: names a record")
    if _names_a_record(raw.name)[0] and many and raw.present < ROWS_PER_PERSON * len(texts):
        note = "names somebody or something, as the column's name says; if it is a person, use it as the group key"
        return replace(base, kind=Kind.IDENTIFIER, note=note)
    note = f"{len(texts)} label{'s' if len(texts) > 1 else ''}"
    if all(text.isdigit() for text in texts) and any(text.startswith("0") for text in texts):
        note += ", leading zeros kept"
    elif any(is_number(text) for text in texts):
        note += ", numbers among them"
    return replace(base, dtype=_plain_dtype(texts) if raw.source.startswith("category of") else "string", note=note)


def _plain_dtype(texts: Sequence[str]) -> str:
    if {text.lower() for text in texts} <= {"true", "false"}:
        return "bool"
    numbers = parse_numbers(texts)
    if not numbers.good.all() or (numbers.integers and np.abs(numbers.values).max() >= EXACT_INTEGER):
        return "string"
    return "int64" if numbers.integers else "float64"

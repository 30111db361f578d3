"""Decide whether whole numbers are codes and whether strings are labels, names of records or free text.

Whole numbers. Two different values are a category. More are *codes* (categorical) if there are at most ten different
ones, each seen five times on average, unless something shows that they count or measure:

* they are calendar years (1800 to 2100);
* they start at 0 or 1, take at least seven values without a gap, and get rarer from the mode on (a count);
* the name says so (``age``, ``count``, ``n_visits``, ``hours``, ``score``).

The name can also say the opposite (``grp``, ``code``, ``class``, ``type``, ``cluster``): then up to thirty
different values are codes. Everything else is a number. Values that are all different name the record if the column
is called so (``id``, ``mrn``) or if they are the whole numbers of an interval without a gap.

Numbers with a fraction are always numbers, save that two different ones are a category.

Strings. All different (at least ten rows): the name of a record, or free text if they are long. Nearly all different
(nine in ten, and more than fifty): the same. UUIDs and e-mail addresses always name a record or a person. Everything
else is a set of labels, however many.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from synth_worker.inference.texts import lengths, matches, word_counts
from synth_worker.schema import Kind
from synth_worker.table import Floats, Ints

MOST_CODES = 10
MOST_NAMED_CODES = 30
ROWS_PER_CODE = 5

_NAMES_A_RECORD = frozenset(
    [
        "id",
        "ids",
        "uid",
        "uuid",
        "guid",
        "mrn",
        "ssn",
        "key",
        "identifier",
        "pid",
        "eid",
        "pk",
        "rowid",
        "index",
        "caseno",
        "patientid",
        "recordid",
        "userid",
        "customerid",
        "iban",
        "insee",
        "ahv",
        "nhs",
        "vin",
        "imei",
        "email",
        "mail",
        "phone",
        "telephone",
        "mobile",
        "fax",
        "barcode",
        "accession",
    ]
)
_COUNTS = frozenset(
    [
        "age",
        "count",
        "counts",
        "hours",
        "days",
        "weeks",
        "months",
        "years",
        "minutes",
        "seconds",
        "score",
        "visits",
        "year",
        "yr",
        "number",
        "amount",
        "quantity",
        "qty",
        "price",
        "weight",
        "height",
        "children",
        "siblings",
        "dose",
    ]
)
_CODES = frozenset(
    [
        "grp",
        "group",
        "code",
        "class",
        "cls",
        "type",
        "cat",
        "category",
        "cluster",
        "fold",
        "stratum",
        "arm",
        "label",
        "region",
        "district",
        "site",
        "center",
        "centre",
        "ward",
        "status",
        "flag",
        "month",
        "weekday",
    ]
)
UUID = r"(?i)^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$"
EMAIL = r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$"
PHONE = r"^(\+|00)?[0-9][0-9 ()/.-]{5,}[0-9]$"


class Ruling(NamedTuple):
    """Pair a kind with the sentence that says why."""

    kind: Kind
    note: str


def of_integers(name: str, values: Floats, counts: Ints, *, in_row_order: Floats) -> Ruling:
    """Rule on whole numbers: sorted distinct ``values`` (at least two), their ``counts``, and the column as it stands.

    >>> of_integers("ca", np.arange(4.0), np.array([176, 65, 38, 20]), in_row_order=np.zeros(0)).kind
    <Kind.CATEGORICAL: 'categorical'>
    """
    distinct, rows = len(values), int(counts.sum())
    words = words_of(name)
    if distinct == 2 and not (rows == 2 and words & _NAMES_A_RECORD):
        return Ruling(Kind.CATEGORICAL, "Two different whole numbers: a category.")
    if distinct == rows:
        return _all_different(words, values, in_row_order)
    if words & _CODES and distinct <= MOST_NAMED_CODES:
        return Ruling(Kind.CATEGORICAL, f"{distinct} different whole numbers under a name for codes: a category.")
    measure = _measure(name, values, counts)
    if measure:
        return Ruling(Kind.NUMERIC, f"{distinct} different {measure}")
    return Ruling(
        Kind.CATEGORICAL,
        f"Only {distinct} different whole numbers: codes. If they count or measure, set kind to numeric.",
    )


def of_strings(name: str, texts: pa.Array, counts: Ints) -> Ruling:
    """Rule on strings: the distinct ``texts`` (at least one) and their ``counts``."""
    distinct, rows = len(texts), int(counts.sum())
    words = words_of(name)
    share = distinct / rows
    if rows > 1 and matches(texts, UUID).all():
        return Ruling(Kind.IDENTIFIER, f"UUIDs: they name a record.{_repeats(distinct, rows)}")
    if matches(texts, EMAIL).mean() >= 0.9:
        return Ruling(Kind.IDENTIFIER, f"E-mail addresses: they name a person.{_repeats(distinct, rows)}")
    if distinct == rows and rows >= 2 and words & _NAMES_A_RECORD:
        return Ruling(Kind.IDENTIFIER, "All values differ, and the name says that they name a record.")
    if distinct >= 10 and share > 0.5 and _prose(texts):
        return Ruling(Kind.TEXT, "Long texts of several words, hardly one like another: free text.")
    if distinct > 10 and share > 0.5 and matches(texts, PHONE).mean() >= 0.9 and not matches(texts, r"^[0-9.]+$").any():
        return Ruling(Kind.IDENTIFIER, f"Telephone numbers: they name a person.{_repeats(distinct, rows)}")
    if distinct == rows and rows >= 10:
        return Ruling(Kind.IDENTIFIER, "All values differ: they name a record.")
    if share > 0.9 and distinct > 50:
        return Ruling(
            Kind.IDENTIFIER,
            f"{distinct} different values in {rows} rows, nearly all seen once: taken for names of records. "
            "If they are labels, set kind to categorical.",
        )
    return Ruling(Kind.CATEGORICAL, f"{distinct} different labels.")


def words_of(name: str) -> frozenset[str]:
    """Return the words of a column name in lower case.

    >>> sorted(words_of("patientID"))
    ['id', 'patient']
    """
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return frozenset(re.findall(r"[a-z]+", split.lower()))


def _all_different(words: frozenset[str], values: Floats, in_row_order: Floats) -> Ruling:
    if words & _NAMES_A_RECORD:
        return Ruling(Kind.IDENTIFIER, "Whole numbers, all different, and the name says that they name a record.")
    gapless = values[-1] - values[0] + 1 == len(values)
    ordered = gapless and bool((np.diff(in_row_order) == 1).all())
    if (ordered and len(values) >= 10) or (gapless and len(values) >= 100):
        return Ruling(Kind.IDENTIFIER, "Whole numbers without a gap, each once: they number the records.")
    return Ruling(
        Kind.NUMERIC,
        "Whole numbers, all different: a measure. If they name the record, set kind to identifier.",
    )


def _measure(name: str, values: Floats, counts: Ints) -> str:
    if words_of(name) & _COUNTS or re.match(r"(?i)^(n|no|nr|num|nb)[_. ]\w", name):
        return "whole numbers under a name for a count or a measure: a number."
    if values[0] >= 1800 and values[-1] <= 2100:
        return "calendar years: a number."
    if len(values) > MOST_CODES or int(counts.sum()) < ROWS_PER_CODE * len(values):
        return "whole numbers: a count or a measure."
    if _falls_like_a_count(values, counts):
        return "whole numbers that get rarer as they grow: a count."
    return ""


def _falls_like_a_count(values: Floats, counts: Ints) -> bool:
    if len(values) < 7 or values[0] not in (0.0, 1.0) or values[-1] - values[0] + 1 != len(values):
        return False
    mode = int(np.argmax(counts))
    return mode <= 2 and bool((np.diff(counts[mode:]) <= 0).mean() >= 0.8)


def _prose(texts: pa.Array) -> bool:
    words = word_counts(texts)
    return float(words.mean()) >= 4 or (float(lengths(texts).mean()) >= 30 and float(words.mean()) >= 2.5)


def _repeats(distinct: int, rows: int) -> str:
    if distinct == rows:
        return ""
    return " Some stand in several rows: if rows of one person belong together, give this column as the group key."

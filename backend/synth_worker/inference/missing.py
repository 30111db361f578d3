"""Tell the tokens for an absent value from labels that only look like one.

``ALWAYS`` tokens mean an absent value wherever they stand. ``MAYBE`` tokens do so too, save where the other values of
the column say that they are labels:

* ``NA`` among two-letter codes (Namibia among countries), of which there are at least five;
* ``None`` in a column of words that also has another token for absent values (the bare cell is the absent one);
* ``-`` in a column of signs such as ``+``, ``++``, ``+/-`` (the result of a laboratory test).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from synth_worker.inference.raw import Raw
from synth_worker.inference.texts import lower, matches, trimmed
from synth_worker.table import Bools

ALWAYS = frozenset(
    [
        "",
        *[
            "?",
            "nan",
            "-nan",
            "n/a",
            "#n/a",
            "#na",
            "null",
            "<na>",
            "nat",
            "<null>",
            "(null)",
            "#div/0!",
            "#value!",
            "#ref!",
            "#name?",
            "#num!",
            "#null!",
        ],
    ]
)
MAYBE = frozenset(["na", "none", "-", "--", ".", "nil", "n.a."])

_NUMBER = r"^\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*$"


def tokens(texts: pa.Array) -> Bools:
    """Return which texts stand for an absent value in a column of numbers, dates or free text, shape (texts,)."""
    return _among(texts, ALWAYS | MAYBE)


def label_tokens(texts: pa.Array, *, native_missing: bool = False) -> Bools:
    """Return which texts stand for an absent value in a column of labels, shape (texts,).

    >>> from synth_worker.inference.texts import array
    >>> label_tokens(array(["NA", "DE", "FR", "US", "CH", "IT"])).any()
    np.False_
    >>> label_tokens(array(["NA", "yes", "no"])).tolist()
    [True, False, False]
    """
    surely, perhaps = _among(texts, ALWAYS), _among(texts, MAYBE)
    if not perhaps.any():
        return surely
    clean = trimmed(texts)
    others = texts.filter(pa.array(~(surely | perhaps)))
    missing = surely | perhaps
    if len(others) == 0 or matches(others, _NUMBER).all():
        return missing
    if matches(others, r"^[A-Z]{2}$").all() and len(others) >= 5:
        missing &= ~matches(clean, r"^NA$")
    if native_missing or surely.any():
        missing &= ~matches(clean, r"^(None|none|NONE)$")
    if matches(others, r"^[-+±/()0-9]{1,4}$").all() and matches(others, r"^\++$").any():
        missing &= ~matches(clean, r"^--?$")
    return missing


def most_frequent(raw: Raw, dropped: Bools) -> tuple[str, list[str]]:
    """Return the token that stands most often among the dropped texts ("" for natively absent), and the others."""
    counts = raw.counts
    found = {str(raw.texts[int(one)].as_py()): int(counts[one]) for one in np.flatnonzero(dropped)}
    native = int((raw.codes < 0).sum())
    if native:
        found[""] = found.get("", 0) + native
    by_count = sorted(found, key=lambda token: (-found[token], token))
    return (by_count[0], by_count[1:]) if by_count else ("", [])


def _among(texts: pa.Array, known: frozenset[str]) -> Bools:
    if len(texts) == 0:
        return np.zeros(0, dtype=np.bool_)
    found = lower(trimmed(texts)).is_in(pa.array(sorted(known), pa.large_string()))  # pyright: ignore
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)

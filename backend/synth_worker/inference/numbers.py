"""Read numbers from texts, find out how they are written, and write numbers the same way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synth_worker.inference.texts import choose, matches, replaced
from synth_worker.schema import Column
from synth_worker.table import Bools, Floats

POINT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
COMMA = r"^[+-]?([0-9]+,?[0-9]*|,[0-9]+)([eE][+-]?[0-9]+)?$"
INTEGER = r"^[+-]?[0-9]+$"
INFINITE = r"(?i)^[+-]?inf(inity)?$"
LEADING_ZERO = r"^[+-]?0[0-9]+$"
THOUSANDS = r"^[+-]?[0-9]{1,3}(([,' ’][0-9]{3})+(\.[0-9]+)?|(\.[0-9]{3})+(,[0-9]+)?)$"
EXACT = 2**53
MOST_DECIMALS = 9


@dataclass(frozen=True)
class Look:
    """Say how numbers are written; the fields are those of ``schema.Column``.

    ``format`` is empty for the shortest form with a point (``63.0``), ``"g"`` where whole numbers stand without one
    (``63`` beside ``63.5``), and ``".2f"`` where two places are always written.
    """

    dtype: str
    decimals: int | None
    fixed_decimals: bool
    decimal_comma: bool
    format: str


def parse(texts: pa.Array, *, comma: bool) -> tuple[Floats, Bools]:
    """Return the texts as numbers, shape (texts,), and which of them are numbers; the others are NaN.

    >>> from synth_worker.inference.texts import array
    >>> parse(array(["1,5", "x"]), comma=True)
    (array([1.5, nan]), array([ True, False]))
    """
    ok = matches(texts, COMMA if comma else POINT)
    plain = replaced(texts, r"^\+", "")
    if comma:
        plain = replaced(plain, ",", ".")
    parsed = pc.cast(choose(ok, plain, pa.nulls(len(texts), pa.large_string())), pa.float64())
    values = np.asarray(parsed.to_numpy(zero_copy_only=False), dtype=np.float64) + 0.0
    ok &= np.isfinite(values)
    return np.where(ok, values, np.nan), ok


def comma_fits(texts: pa.Array, *, expected: bool) -> bool:
    """Tell whether all texts are numbers with a decimal comma.

    Where none is expected, three digits after every comma are taken for thousands.
    """
    if not matches(texts, COMMA).all() or not matches(texts, ",").any():
        return False
    return expected or not matches(texts, r"^[+-]?([0-9]+|[1-9][0-9]{0,2},[0-9]{3})$").all()


def look(texts: pa.Array, values: Floats, *, comma: bool) -> Look:
    """Find out how these numbers are written.

    >>> from synth_worker.inference.texts import array
    >>> look(array(["63.0", "41.0"]), np.array([63.0, 41.0]), comma=False)
    Look(dtype='float64', decimals=0, fixed_decimals=False, decimal_comma=False, format='')
    """
    whole = matches(texts, INTEGER)
    if whole.all():
        return Look("int64", 0, fixed_decimals=False, decimal_comma=False, format="")
    decimals = fewest_decimals(values)
    mark = "," if comma else r"\."
    places = _places(texts, mark)
    ends_in_zero = matches(texts, mark + r"[0-9]*0$")
    if places is not None and places > 1 and ends_in_zero.any() and decimals is not None:
        return Look("float64", decimals, fixed_decimals=True, decimal_comma=comma, format=f".{places}f")
    bare = whole.any() and not matches(texts, mark + r"0*$").any()
    return Look("float64", decimals, fixed_decimals=False, decimal_comma=comma, format="g" if bare else "")


def fewest_decimals(values: Floats) -> int | None:
    """Return the fewest places (at most 9) to which all values round without loss, or None.

    >>> fewest_decimals(np.array([1.25, 3.0])), fewest_decimals(np.array([1 / 3]))
    (2, None)
    """
    for places in range(MOST_DECIMALS + 1):
        if (np.round(values, places) == values).all():
            return places
    return None


def write(values: Floats, column: Column) -> pa.Array:
    """Write numbers (no NaN) as this column does, shape (values,).

    >>> from synth_worker.schema import Kind
    >>> write(np.array([1.5, 2.0]), Column("x", Kind.NUMERIC, dtype="float64", decimals=1)).to_pylist()
    ['1.5', '2.0']
    """
    if column.dtype == "int64":
        return pc.cast(pa.array(np.rint(values).astype(np.int64)), pa.large_string())
    if column.decimals is not None:
        values = np.round(values, column.decimals) + 0.0
    if column.fixed_decimals:
        pattern = column.format or f".{column.decimals or 0}f"
        texts = pa.array([format(float(one), pattern) for one in values], pa.large_string())
    else:
        texts = pc.cast(pa.array(values + 0.0), pa.large_string())
        if column.format != "g":
            texts = replaced(texts, r"^(-?[0-9]+)$", r"\1.0")
    return replaced(texts, r"\.", ",") if column.decimal_comma else texts


def _places(texts: pa.Array, mark: str) -> int | None:
    """Return the number of places that every text has, or None where they differ."""
    fraction = replaced(texts, f"^[^{mark}]*{mark}?", "")
    lengths = pc.call_function("utf8_length", [fraction])
    low, high = pc.call_function("min_max", [lengths]).as_py().values()
    return int(low) if low == high and matches(fraction, r"^[0-9]*$").all() else None

"""Put back what no generator learns: fresh identifiers, constants, and free text dropped or made up.

Nothing here copies a value: an identifier is built from the look of the real ones (which places are digits, letters
or fixed signs), a text from a fixed list of neutral words.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from synth_worker.schema import Column, Kind, Schema
from synth_worker.seeds import Streams
from synth_worker.table import Table

_PROSE = """
the record was made up for this table and describes nobody while a note of this length would stand here
review plan status visit follow later again first result team report page line day week month common usual
stable short long early open closed next last new given seen noted without change with care and rest
"""
WORDS = tuple(_PROSE.split())

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBERED = re.compile(r"([^0-9]*)([0-9]{1,18})((?:\.0)?)", re.ASCII)
_SIGNED = re.compile(r"[+-]?[0-9]+", re.ASCII)
_WIDTH = re.compile(r"(u?)int(8|16|32|64)", re.IGNORECASE)
_LOOKED_AT = 1_000
_SPARSE = 10
_LARGEST = 2**63


def complete(
    synthetic: Table,
    schema: Schema,
    *,
    streams: Streams,
    text: Literal["drop", "fake"] = "drop",
    real: Table | None = None,
) -> Table:
    """Return the synthetic table with all columns of ``schema`` in its order, free text dropped unless it is faked.

    Identifiers are unique and differ from every one in ``real``.
    """
    columns: list[Column] = []
    values: dict[str, object] = {}
    for column in schema:
        rng = streams.rng("surrogate", column.name)
        if column.modelled:
            columns.append(synthetic.schema[column.name])
            values[column.name] = synthetic.frame[column.name].array
            continue
        if column.kind is Kind.TEXT and text == "drop":
            continue
        known = [] if real is None else [str(one) for one in real.frame[column.name].dropna().unique()]
        if column.kind is Kind.CONSTANT:
            made: Sequence[object] = [known[0] if known else None] * synthetic.rows
        elif column.kind is Kind.TEXT:
            made = _texts(known, synthetic.rows, rng)
        else:
            made = _identifiers(known, synthetic.rows, rng, room=_room(column))
        columns.append(column)
        values[column.name] = pd.Series(list(made), dtype=object)
    own = Schema(tuple(columns))
    return Table(own, pd.DataFrame(values, columns=list(own.names), index=range(synthetic.rows)))


def notes(schema: Schema, text: str) -> list[str]:
    """Return a sentence for each column that was not modelled."""
    found: list[str] = []
    for column in schema:
        if column.kind is Kind.IDENTIFIER:
            found.append(f"{column.name}: an identifier; replaced by fresh ones of the same look, none of them real")
        elif column.kind is Kind.TEXT and text == "drop":
            found.append(f"{column.name}: free text; left out, since text can name persons")
        elif column.kind is Kind.TEXT:
            found.append(f"{column.name}: free text; made up from neutral words, nothing of the real text is in it")
        elif column.kind is Kind.CONSTANT:
            found.append(f"{column.name}: the same value (or none) in every row; kept as it is")
    return found


def _room(column: Column) -> range | None:
    """Return the whole numbers that the column's dtype holds, None where it holds others than whole numbers.

    >>> _room(Column("id", Kind.IDENTIFIER, dtype="int64", source="UInt8"))
    range(0, 256)
    """
    found = _WIDTH.match(column.source)
    if found is None:
        return range(-_LARGEST, _LARGEST) if column.dtype == "int64" and not column.source else None
    bits = int(found[2])
    return range(2**bits) if found[1] else range(-(2 ** (bits - 1)), 2 ** (bits - 1))


def _identifiers(known: Sequence[str], rows: int, rng: np.random.Generator, *, room: range | None = None) -> list[str]:
    taken = set(known)
    sample = known[:_LOOKED_AT]
    if sample and all(_UUID.fullmatch(one) for one in sample):
        fresh = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(rows)]
        return [one.upper() for one in fresh] if any(one != one.lower() for one in sample) else fresh
    if sample and all("@" in one for one in sample):
        made = (f"person{number:07d}@example.org" for number in rng.permutation(rows + len(taken)))
        return [one for one in made if one not in taken][:rows]
    made = _counted(known, rows) or _alike(sample, taken, rows, rng)
    if room is not None and not all(
        _SIGNED.fullmatch(one) and int(one) in room and (_plain(one) or not all(map(_plain, sample))) for one in made
    ):
        return _numbers(known, rows, rng, room=room) or made
    return made


def _plain(number: str) -> bool:
    """Tell whether a whole number is written as usual: -0123 is not, and no program would take it for a number."""
    return bool(_SIGNED.fullmatch(number)) and str(int(number)) == number


def _numbers(known: Sequence[str], rows: int, rng: np.random.Generator, *, room: range) -> list[str]:
    """Draw whole numbers that the column's dtype holds, none of them real; nothing where it has not enough of them.

    They come from between the least and the greatest real one where there is room, else from all that the dtype holds.
    """
    numbers = {int(one) for one in known if _SIGNED.fullmatch(one)}
    for span in (range(min(numbers, default=0), max(numbers, default=0) + 1), room):
        size = span.stop - span.start  # len() ends at 2^63
        free = size - sum(one in span for one in numbers)
        if free >= _SPARSE * rows:
            made: dict[int, None] = {}
            while len(made) < rows:
                # More bits than the span has: a float would not reach every one of 2^64 numbers.
                one = span.start + int.from_bytes(rng.bytes(16), "big") % size
                if one not in numbers:
                    made.setdefault(one)
            return [str(one) for one in made]
    if free < rows:
        return []
    left = np.array([one for one in room if one not in numbers], dtype=object)
    return [str(one) for one in rng.permutation(left)[:rows]]


def _counted(known: Sequence[str], rows: int) -> list[str]:
    """Go on counting where the real ones are counted, as in P0001, P0002; else return nothing."""
    parts = [_NUMBERED.fullmatch(one) for one in known]
    found = [one.groups() for one in parts if one is not None]
    if not found or len(found) < len(known) or len({(before, after) for before, _, after in found}) > 1:
        return []
    digits = [number for _, number, _ in found]
    widths = {len(one) for one in digits}
    padded = any(one.startswith("0") and one != "0" for one in digits)
    if padded and len(widths) > 1:
        return []
    numbers = [int(one) for one in digits]
    dense = max(numbers) - min(numbers) < _SPARSE * len(numbers)
    if len(widths) == 1 and not dense:
        return []
    before, _, after = found[0]
    first = max(numbers) + 1
    if first + rows > _LARGEST:
        return []
    return [
        f"{before}{str(number).zfill(max(widths) if padded else 0)}{after}" for number in range(first, first + rows)
    ]


def _alike(sample: Sequence[str], taken: set[str], rows: int, rng: np.random.Generator) -> list[str]:
    """Draw identifiers at random that look like the real ones, longer where these leave no room."""
    pattern = _pattern(sample)
    room = 1
    for signs in pattern:
        room *= len(signs)
    if room < 20 * (rows + len(taken)):
        pattern = [*pattern, *["0123456789"] * (len(str(rows + len(taken))) + 1)]
    made: dict[str, None] = {}
    while len(made) < rows:
        drawn = [rng.choice(list(signs), size=rows) for signs in pattern]
        for parts in zip(*drawn, strict=True):
            one = "".join(parts)
            if one not in taken and len(made) < rows:
                made.setdefault(one)
    return list(made)


def _pattern(sample: Sequence[str]) -> list[str]:
    """Return, place by place, the signs that an identifier may hold: a class of signs, or one fixed sign."""
    if not sample:
        return ["0123456789"] * 8
    lengths = [len(one) for one in sample]
    length = max(set(lengths), key=lengths.count)
    alike = [one for one in sample if len(one) == length]
    hexadecimal = all(re.fullmatch("[0-9a-f]+|[0-9A-F]+", one) and not one.isdigit() for one in alike)
    pattern: list[str] = []
    for place in range(length):
        signs = {one[place] for one in alike}
        if len(signs) == 1:
            pattern.append(signs.pop())
            continue
        kinds = [
            # A first digit of 0 would make a number shorter, or a label of it.
            ("0123456789" if place or "0" in signs else "123456789", any(_is_digit(sign) for sign in signs)),
            ("ABCDEF" if hexadecimal else "ABCDEFGHJKLMNPQRSTUVWXYZ", any(sign.isupper() for sign in signs)),
            ("abcdef" if hexadecimal else "abcdefghjkmnpqrstuvwxyz", any(sign.islower() for sign in signs)),
        ]
        pattern.append("".join(letters for letters, used in kinds if used) or "x")
    return pattern


def _is_digit(sign: str) -> bool:
    return sign.isascii() and sign.isdigit()


def _texts(known: Sequence[str], rows: int, rng: np.random.Generator) -> list[str]:
    lengths = [max(len(one.split()), 1) for one in known[:_LOOKED_AT]] or [8]
    middle = float(np.median(lengths))
    counts = np.clip(rng.poisson(middle, size=rows), 1, 200)
    drawn = rng.choice(np.array(WORDS, dtype=object), size=int(counts.sum()))
    ends = np.cumsum(counts)
    pairs = zip(ends - counts, ends, strict=True)
    return [" ".join(drawn[begin:end]).capitalize() + "." for begin, end in pairs]

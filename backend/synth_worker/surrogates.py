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
_LOOKED_AT = 1_000


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
            made = _identifiers(known, synthetic.rows, rng)
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


def _identifiers(known: Sequence[str], rows: int, rng: np.random.Generator) -> list[str]:
    taken = set(known)
    sample = known[:_LOOKED_AT]
    if sample and all(_UUID.fullmatch(one) for one in sample):
        return [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(rows)]
    if sample and all("@" in one for one in sample):
        return [f"person{number:07d}@example.org" for number in _fresh_numbers(rows, rng)]
    if sample and all(one.isdigit() for one in sample) and len({len(one) for one in sample}) > 1:
        # Counted numbers: go on counting above the real ones.
        start = max(int(one) for one in known) + 1
        return [str(start + number) for number in range(rows)]
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


def _fresh_numbers(rows: int, rng: np.random.Generator) -> list[int]:
    return [int(one) for one in rng.permutation(rows)]


def _pattern(sample: Sequence[str]) -> list[str]:
    """Return, place by place, the signs that an identifier may hold: a class of signs, or one fixed sign."""
    if not sample:
        return ["0123456789"] * 8
    lengths = [len(one) for one in sample]
    length = max(set(lengths), key=lengths.count)
    alike = [one for one in sample if len(one) == length]
    pattern: list[str] = []
    for place in range(length):
        signs = {one[place] for one in alike}
        if len(signs) == 1:
            pattern.append(signs.pop())
            continue
        kinds = [
            ("0123456789", any(sign.isdigit() for sign in signs)),
            ("ABCDEFGHJKLMNPQRSTUVWXYZ", any(sign.isupper() for sign in signs)),
            ("abcdefghjkmnpqrstuvwxyz", any(sign.islower() for sign in signs)),
        ]
        pattern.append("".join(letters for letters, used in kinds if used) or "x")
    return pattern


def _texts(known: Sequence[str], rows: int, rng: np.random.Generator) -> list[str]:
    lengths = [max(len(one.split()), 1) for one in known[:_LOOKED_AT]] or [8]
    middle = float(np.median(lengths))
    counts = np.clip(rng.poisson(middle, size=rows), 1, 200)
    return [" ".join(rng.choice(WORDS, size=count)).capitalize() + "." for count in counts]

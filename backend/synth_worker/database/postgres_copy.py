"""Turn what PostgreSQL's COPY writes into columns: a million rows by ten in seconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pyarrow as pa
from pyarrow import csv

TYPES: dict[int, pa.DataType] = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    700: pa.float32(),
    701: pa.float64(),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", tz="UTC"),
    1700: pa.float64(),
}
"""Arrow's type for each of PostgreSQL's numbered types; all others come as text. Decimals come as doubles."""

MOST_IN_A_BLOCK = 1 << 22


def parsed(chunks: Iterable[bytes | bytearray | memoryview], names: list[str], oids: list[int]) -> pa.Table:
    """Return rows that COPY wrote as CSV without a header; what a column's type cannot hold makes it text.

    >>> parsed([b'1,"",t\\n2,,f\\n'], ["n", "text", "truth"], [20, 25, 16]).to_pylist()
    [{'n': 1, 'text': '', 'truth': True}, {'n': 2, 'text': None, 'truth': False}]
    """
    kept = pa.BufferOutputStream()
    for chunk in chunks:
        kept.write(chunk)
    buffer = kept.getvalue()
    places = [str(place) for place in range(len(names))]
    types = [TYPES.get(oid, pa.string()) for oid in oids]
    if buffer.size == 0:
        empty = [pa.array([], type=one) for one in types]
        return pa.Table.from_arrays(empty, names=names)
    try:
        return _read(buffer, places, types).rename_columns(names)
    except pa.ArrowInvalid:
        # Infinite dates, years before Christ and beyond 9999 are in no type of Arrow.
        pass
    columns = [_alone(buffer, places, types, at) for at in range(len(names))]
    return pa.Table.from_arrays(columns, names=names)


def _alone(buffer: pa.Buffer, places: list[str], types: list[pa.DataType], at: int) -> pa.ChunkedArray:
    """Return one column, as text where its type cannot hold it."""
    try:
        return cast("pa.ChunkedArray", _read(buffer, places, types, only=[places[at]]).column(0))
    except pa.ArrowInvalid:
        text = [pa.string()] * len(types)
        return cast("pa.ChunkedArray", _read(buffer, places, text, only=[places[at]]).column(0))


def _read(buffer: pa.Buffer, places: list[str], types: list[pa.DataType], *, only: list[str] | None = None) -> pa.Table:
    return csv.read_csv(
        pa.BufferReader(buffer),
        read_options=csv.ReadOptions(column_names=places, block_size=MOST_IN_A_BLOCK),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=dict(zip(places, types, strict=True)),
            include_columns=only or [],
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )

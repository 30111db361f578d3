"""Read a Parquet file that is too long to hold: each column counted on its own, rows in batches, some rows by position.

What a column means is found on some rows and then held against every distinct value of the file, so that a batch is a
table of the same domain as all others. Values are understood by the same rules as those of a short file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as paparquet

from synth_worker.errors import BadSchema, UnreadableTable
from synth_worker.filling import fill
from synth_worker.in_turn import in_turn
from synth_worker.parsing import decimals_of
from synth_worker.reading import FEW_FINER, read_cells
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Floats, Ints, Table, unify

BATCH = 250_000
"""Rows of a batch."""

PART = 500_000
"""Rows of a part of a file, at least: parts are read side by side, and end where a row group of the file ends."""


@dataclass(frozen=True, eq=False)
class Counted:
    """Hold the distinct values of a column and how often each occurs.

    ``values``: ascending numbers, or the positions of the labels 0, 1, ...; ``counts`` beside them; ``absent``: how
    many rows hold none.
    """

    values: Floats
    counts: Ints
    absent: int

    @property
    def present(self) -> int:
        """Return how many rows hold a value."""
        return int(self.counts.sum())


@dataclass(frozen=True, eq=False)
class _Lookup:
    """Hold what each distinct value of the file means; ``texts`` is None where a number means itself.

    ``nothing`` is what an absent value means: NaN, or the label's position -1.
    """

    texts: pa.Array | None
    meaning: Floats
    nothing: float


@dataclass(frozen=True, eq=False)
class LongFile:
    """Hold a Parquet file with the schema of its modelled columns, their counts, and what broke their form.

    ``groups`` are the row groups of a part of the file, whose ``rows`` alone are read; None: all of them.
    """

    path: Path
    rows: int
    schema: Schema
    counted: Mapping[str, Counted]
    lookups: Mapping[str, _Lookup]
    broken: Mapping[str, str]
    groups: tuple[int, ...] | None = None

    def under(self, domain: Schema) -> LongFile:
        """Return the same file under a wider domain: more labels, wider bounds."""
        counted, lookups = dict(self.counted), dict(self.lookups)
        for column in self.schema:
            if column.continuous:
                continue
            place = {label: at for at, label in enumerate(domain[column.name].categories)}
            moved = np.array([*(place[label] for label in column.categories), -1], dtype=np.int64)
            own, look = counted[column.name], lookups[column.name]
            counts = np.zeros(len(place), dtype=np.int64)
            counts[moved[:-1]] = own.counts
            counted[column.name] = Counted(np.arange(len(place), dtype=np.float64), counts, own.absent)
            lookups[column.name] = replace(look, meaning=moved[look.meaning.astype(np.int64)].astype(np.float64))
        return replace(self, schema=domain, counted=counted, lookups=lookups)

    def parts(self, *, rows: int = PART) -> tuple[LongFile, ...]:
        """Return the file in parts of at least ``rows`` rows (the last may be shorter), in order."""
        return tuple(replace(self, groups=groups, rows=count) for groups, count in _runs(_opened(self.path), rows))

    def batches(self, *, rows: int = BATCH) -> Iterator[Table]:
        """Return the rows in order, as tables of the file's domain."""
        file = _opened(self.path)
        dtypes = {
            column.name: pd.CategoricalDtype(list(column.categories)) for column in self.schema if not column.continuous
        }
        groups = None if self.groups is None else list(self.groups)
        for batch in file.iter_batches(batch_size=rows, row_groups=groups, columns=list(self.schema.names)):
            frame: dict[str, object] = {}
            for column in self.schema:
                found = _meanings(batch.column(column.name), self.lookups[column.name])
                if column.continuous:
                    frame[column.name] = found
                else:
                    codes = found.astype(np.int64)
                    frame[column.name] = pd.Categorical.from_codes(codes, dtype=dtypes[column.name])
            yield Table(self.schema, pd.DataFrame(frame, columns=list(self.schema.names)))


def long_rows(path: Path) -> int:
    """Return how many rows a Parquet file holds, from its footer. Raises UnreadableTable."""
    return _opened(path).metadata.num_rows


def rows_at(path: Path, positions: Ints, *, threads: int = 1, rows: int = BATCH) -> pa.Table:
    """Return the rows at ascending positions."""
    plain, runs = paparquet.ParquetFile(path).schema_arrow, _runs(_opened(path), PART)
    starts = np.cumsum([0, *(count for _, count in runs)])

    def picked(place: int) -> pa.Table:
        parts = [plain.empty_table()]
        start = int(starts[place])
        for batch in _opened(path).iter_batches(batch_size=rows, row_groups=list(runs[place][0])):
            low, high = np.searchsorted(positions, [start, start + len(batch)])
            if high > low:
                # Only now are texts spelt out: as numbers of a dictionary they are read much faster.
                parts.append(pa.table(batch).take(pa.array(positions[low:high] - start)).cast(plain))
            start += len(batch)
        return pa.concat_tables(parts)

    return pa.concat_tables([plain.empty_table(), *in_turn(picked, range(len(runs)), threads=threads)])


def open_long(path: Path, schema: Schema, *, first: bool, declared: bool = False, threads: int = 1) -> LongFile:
    """Count the modelled columns of ``schema`` in a file, ``threads`` at a time, and hold every value against it.

    The ``first`` file, that of the training rows, says which labels there are; ``declared`` tells that the user gave
    the schema. Raises BadSchema for an absent column, UnreadableTable for training values that do not fit.
    """
    file = _opened(path)
    names = set(file.schema_arrow.names)
    absent = [column.name for column in schema.modelled if column.name not in names]
    if absent:
        raise BadSchema(f"{path.name} lacks the column {absent[0]!r}", hint="the tables need the same column names")
    columns: list[Column] = []
    counted: dict[str, Counted] = {}
    lookups: dict[str, _Lookup] = {}
    broken: dict[str, str] = {}

    def read(given: Column) -> _Read:
        column = given if first and given.public else replace(given, low=None, high=None, public=False)
        if first and not given.public and not declared:
            column = replace(column, categories=())
        # Opened anew: threads cannot share a reader.
        return _column(_opened(path), column, whole=declared or not first)

    for own, counts, look, misfits in in_turn(read, schema.modelled, threads=threads):
        if first and misfits:
            raise UnreadableTable(
                f"{path.name}: column {own.name!r} holds {len(misfits)} values that are not {own.kind}, such as "
                f"{misfits[0]!r}",
                hint="say in a schema what the column is",
            )
        column = _refined(own, counts) if first and not declared else own
        sentence = _broken(column, counts, misfits)
        if sentence:
            broken[column.name] = sentence
        columns.append(column)
        counted[column.name], lookups[column.name] = counts, look
    return LongFile(path, file.metadata.num_rows, Schema(tuple(columns)), counted, lookups, broken)


def one_domain(files: Sequence[LongFile]) -> tuple[LongFile, ...]:
    """Return the files under the union of their labels and bounds."""
    bare = [Table(file.schema, _no_rows(file.schema)) for file in files]
    domain = unify(bare)[0].schema
    return tuple(file.under(domain) for file in files)


def _opened(path: Path) -> paparquet.ParquetFile:
    try:
        texts = [
            field.name
            for field in paparquet.read_schema(path)
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        return paparquet.ParquetFile(path, read_dictionary=texts)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableTable(
            f"{path.name} cannot be read as parquet", hint="is it damaged, or another kind of file?"
        ) from error


def _runs(file: paparquet.ParquetFile, rows: int) -> list[tuple[tuple[int, ...], int]]:
    """Return runs of row groups that hold at least ``rows`` rows each (the last may hold fewer), and how many."""
    runs: list[tuple[tuple[int, ...], int]] = []
    groups: list[int] = []
    count = 0
    for group in range(file.num_row_groups):
        groups.append(group)
        count += file.metadata.row_group(group).num_rows
        if count >= rows or group == file.num_row_groups - 1:
            runs.append((tuple(groups), count))
            groups, count = [], 0
    return runs


_Read = tuple[Column, Counted, _Lookup, tuple[str, ...]]


def _column(file: paparquet.ParquetFile, column: Column, *, whole: bool) -> _Read:
    """Read one column whole, count its values, and understand each of them once."""
    found = file.read(columns=[column.name]).column(0)
    if pa.types.is_dictionary(found.type):
        found = found.unify_dictionaries()
    table = found.value_counts()
    values, counts = table.field("values"), np.asarray(table.field("counts"), dtype=np.int64)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    known = np.asarray(values.is_valid())
    values, absent, counts = values.filter(pa.array(known)), int(counts[~known].sum()), counts[known]
    if column.kind is Kind.NUMERIC and _means_itself(values.type):
        numbers = np.asarray(values, dtype=np.float64)
        numbers, misfits = _plain(numbers, column, whole=whole)
        return _numbers(column, numbers, counts, absent=absent, look=None, misfits=misfits)
    # In the order of the values: what comes first in a file says nothing.
    order = np.asarray(pc.call_function("sort_indices", [values]))
    values, counts = values.take(pa.array(order)), counts[order]
    filled = fill(read_cells(pa.table({column.name: values})).columns[0], column) if len(values) else None
    if filled is None:
        empty = Counted(np.zeros(0), np.zeros(0, dtype=np.int64), absent)
        return (
            replace(column, categories=(), nullable=True),
            empty,
            _Lookup(values, np.zeros(0), np.nan if column.continuous else -1.0),
            (),
        )
    if column.continuous:
        numbers = np.asarray(filled.values, dtype=np.float64)
        return _numbers(filled.column, numbers, counts, absent=absent, look=values, misfits=filled.misfits)
    codes = pd.Series(filled.values).cat.codes.to_numpy().astype(np.int64)
    sums = np.bincount(codes + 1, weights=counts, minlength=len(filled.column.categories) + 1).astype(np.int64)
    absent += int(sums[0])
    own = replace(filled.column, nullable=absent > 0)
    places = np.arange(len(own.categories), dtype=np.float64)
    return own, Counted(places, sums[1:], absent), _Lookup(values, codes.astype(np.float64), -1.0), filled.misfits


def _plain(numbers: Floats, column: Column, *, whole: bool) -> tuple[Floats, tuple[str, ...]]:
    """Return numbers without the infinite ones, and those that do not fit the column."""
    bad = np.isinf(numbers)
    if column.public:
        low = -math.inf if column.low is None else column.low
        bad |= (numbers < low) | (numbers > (math.inf if column.high is None else column.high))
    fine = np.where(bad, np.nan, numbers)
    if whole and column.dtype == "int64":
        bad |= ~np.isnan(fine) & (fine != np.round(fine))
    return fine, tuple(str(one) for one in numbers[bad])


def _numbers(
    column: Column, numbers: Floats, counts: Ints, *, absent: int, look: pa.Array | None, misfits: tuple[str, ...]
) -> _Read:
    seen = ~np.isnan(numbers)
    values, place = np.unique(numbers[seen], return_inverse=True)
    sums = np.bincount(place, weights=counts[seen], minlength=len(values)).astype(np.int64)
    absent += int(counts[~seen].sum())
    bounds = (column.low, column.high)
    if not column.public:
        bounds = (float(values[0]), float(values[-1])) if len(values) else (None, None)
    own = replace(column, low=bounds[0], high=bounds[1], nullable=absent > 0)
    meaning = np.zeros(0) if look is None else numbers
    return own, Counted(values, sums, absent), _Lookup(look, meaning, np.nan), misfits


def _refined(column: Column, counted: Counted) -> Column:
    """Look at all values for what some rows could not show: how fine they are."""
    if column.kind is not Kind.NUMERIC:
        return column
    places = decimals_of(counted.values)
    whole = column.dtype == "int64" and places == 0
    return column if whole else replace(column, dtype="float64", decimals=places)


def _broken(column: Column, counted: Counted, misfits: tuple[str, ...]) -> str:
    if column.kind is Kind.NUMERIC and counted.present:
        places = 0 if column.dtype == "int64" else column.decimals
        if places is not None:
            finer = np.abs(np.round(counted.values, places) - counted.values) > 1e-9
            if counted.counts[finer].sum() / counted.present > FEW_FINER:
                form = "whole numbers" if places == 0 else f"numbers of at most {places} decimals"
                return f"the values are not {form}"
    return f"{len(misfits)} different values are not {column.kind}" if misfits else ""


def _meanings(values: pa.Array, look: _Lookup) -> Floats:
    """Return what each value of a batch means, shape (rows,): a number (NaN: none) or a label's position (-1: none)."""
    if look.texts is None:
        found = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return np.where(np.isfinite(found), found, np.nan)
    if pa.types.is_dictionary(values.type):
        table = _meanings(values.dictionary, look)
        places = values.indices.fill_null(len(table)).to_numpy(zero_copy_only=False)
        return np.append(table, look.nothing)[places]
    places = pc.call_function("index_in", [values], pc.SetLookupOptions(look.texts.cast(values.type))).fill_null(
        len(look.meaning)
    )
    return np.append(look.meaning, look.nothing)[places.to_numpy(zero_copy_only=False)]


def _means_itself(kind: pa.DataType) -> bool:
    """Tell whether a number of this type is its float64; a float32 of 0.1 is read as 0.1, as it is written."""
    return pa.types.is_integer(kind) or pa.types.is_float64(kind)


def _no_rows(schema: Schema) -> pd.DataFrame:
    frame: dict[str, object] = {}
    for column in schema:
        if column.continuous:
            frame[column.name] = np.zeros(0)
        else:
            frame[column.name] = pd.Categorical([], categories=list(column.categories))
    return pd.DataFrame(frame, columns=list(schema.names))

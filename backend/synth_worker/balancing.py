"""Ask for other shares of a column's labels: read what is asked, draw rows at those shares, thin real rows to them."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synth_worker.errors import BadInput, UnknownName
from synth_worker.gates import BALANCE_LEAST, SMALL_CELL
from synth_worker.generators.base import Generator, Value
from synth_worker.schema import Column, Kind, Schema
from synth_worker.seeds import Streams
from synth_worker.table import Floats, Ints, Table

MOST_LEVELS = 20
"""A column of more labels or values than this has no shares that one would ask for."""

SUM_SLACK = 1e-6


@dataclass(frozen=True)
class Balance:
    """Hold the shares asked for: of each label of ``column`` (numbers as texts) its share, together 1.

    ``named`` are the labels whose share was asked for; the others keep their proportions among each other.
    """

    column: str
    shares: Mapping[str, float]
    named: tuple[str, ...]

    def counts(self, rows: int) -> dict[str, int]:
        """Return how many of ``rows`` rows each label gets: within one of its share, together all (largest remainder).

        >>> Balance("sex", {"f": 0.5, "m": 0.5}, ("f", "m")).counts(5)
        {'f': 3, 'm': 2}
        """
        exact = np.array(list(self.shares.values())) * rows
        found = np.floor(exact + 1e-9).astype(np.int64)
        order = np.argsort(-(exact - found), kind="stable")
        found[order[: rows - int(found.sum())]] += 1
        return dict(zip(self.shares, found.tolist(), strict=True))


def column_of(text: str, schema: Schema) -> str:
    """Return the column that ``COL`` or ``COL=label:share,...`` names. Raises UnknownName, BadInput."""
    ends = [len(text), *(at for at, sign in enumerate(text) if sign == "=")]
    name = next((text[:end] for end in ends if text[:end] in schema.names), None)
    if name is None:
        raise UnknownName.of("column to balance", text.partition("=")[0], schema.names)
    column = schema[name]
    if column.kind is Kind.DATETIME or not column.modelled:
        raise BadInput(
            f"column {name!r} is {column.kind} and cannot be balanced",
            hint="name a column of labels, or of few different numbers",
        )
    if len(schema.modelled) < 2:
        raise BadInput(f"column {name!r} is the only one that is learnt", hint="there is nothing to balance it for")
    return name


def read_balance(text: str, *, table: Table, train: Table) -> Balance:
    """Read what ``--balance`` asks of the real table; ``train`` are the rows that will be learnt from.

    Raises UnknownName for a column or label that is not there, BadInput for shares that make no sense, for a label of
    too few rows, and for a column of too many values.
    """
    name = column_of(text, table.schema)
    counts = count_labels(table, name)
    if len(counts) > MOST_LEVELS:
        raise BadInput(
            f"column {name!r} has {len(counts)} different values; --balance takes at most {MOST_LEVELS}",
            hint="balance a column of fewer labels, or group its values first",
        )
    asked = _asked(text[len(name) + 1 :], table, name) if len(text) > len(name) else {}
    if not asked:
        asked = dict.fromkeys(counts, 1.0 / len(counts))
    rest = {label: count for label, count in count_labels(train, name).items() if label not in asked}
    total = sum(asked.values())
    if total > 1 + SUM_SLACK or (total < 1 - SUM_SLACK and not rest):
        raise BadInput(
            f"--balance {text}: the shares sum to {total:g}",
            hint="let them sum to 1; labels that are left out share what is missing",
        )
    left = max(1 - total, 0.0) if total < 1 - SUM_SLACK else 0.0
    shares = {label: share / max(total, 1.0) for label, share in asked.items() if share > 0}
    shares |= {label: left * count / sum(rest.values()) for label, count in rest.items() if left > 0}
    _check_rows(name, [label for label, share in asked.items() if share > 0], table=table, train=train)
    return Balance(name, shares, tuple(label for label, share in asked.items() if share > 0))


def count_labels(table: Table, name: str) -> dict[str, int]:
    """Return how many rows each label of a column has, most frequent first; a number is written as a text."""
    found = _texts(table, name)
    texts, counts = np.unique(found[found != ""], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(texts[at]): int(counts[at]) for at in order}


def label_rows(table: Table, balance: Balance) -> dict[str, Ints]:
    """Return the rows of each label that has a share, in order."""
    found = _texts(table, balance.column)
    return {label: np.flatnonzero(found == label) for label in balance.shares}


def thinned(table: Table, balance: Balance, rng: np.random.Generator) -> Ints:
    """Return as many rows as can be had at the asked shares, in order: of each label a random part.

    A random part of the rows of a label is what these rows look like; weighting or repeating rows would need every
    metric to know of it, and would show a rare label's few rows as many.
    """
    rows = label_rows(table, balance)
    # A label that was not named keeps its proportion: rounding must not let one rare label decide the size.
    limits = [len(rows[label]) / balance.shares[label] for label in balance.named] or [float(table.rows)]
    rest = [label for label in balance.shares if label not in balance.named]
    if rest:
        limits.append(sum(len(rows[label]) for label in rest) / sum(balance.shares[label] for label in rest))
    total = min(limits)
    kept = [
        rng.permutation(own)[: min(len(own), math.floor(total * balance.shares[label] + 1e-9))]
        for label, own in rows.items()
    ]
    return np.sort(np.concatenate(kept)).astype(np.int64)


def draw_balanced(generator: Generator, balance: Balance, *, rows: int, streams: Streams) -> Table:
    """Draw ``rows`` rows from a fitted generator, of each label as many as its share asks, in random order.

    Every label is drawn given that label, so the other columns are what the generator shows beside it. A label without
    a share of its own that the generator never saw is left out. Raises BadInput where one that was named is unknown.
    """
    schema = generator.sample(0, rng=streams.rng("schema")).schema
    column = schema[balance.column]
    known = _known(balance, column)
    parts = [
        generator.sample(count, rng=streams.rng("label", label), given={column.name: _value(label, column)})
        for label, count in known.counts(rows).items()
        if count
    ]
    whole = Table(schema, pd.concat([one.frame for one in parts], ignore_index=True))
    return whole.take(streams.rng("order").permutation(whole.rows))


def _known(balance: Balance, column: Column) -> Balance:
    if column.kind is not Kind.CATEGORICAL:
        return balance
    missing = [label for label in balance.named if label not in column.categories]
    if missing:
        raise BadInput(f"label {missing[0]!r} of column {column.name!r} was not among the rows learnt from")
    own = {label: share for label, share in balance.shares.items() if label in column.categories}
    total = sum(own.values())
    return Balance(balance.column, {label: share / total for label, share in own.items()}, balance.named)


def _value(label: str, column: Column) -> Value:
    return label if column.kind is Kind.CATEGORICAL else float(label)


def _asked(text: str, table: Table, name: str) -> dict[str, float]:
    """Read ``label:share,label:share``; a label that holds a comma stands in double quotes."""
    labels = list(count_labels(table, name))
    found: dict[str, float] = {}
    for item in next(csv.reader([text], skipinitialspace=True), []):
        label, colon, share = item.rpartition(":")
        if not colon:
            raise BadInput(f"--balance: {item!r} is no label with a share", hint=f"write {name}=label:0.5,label:0.5")
        label = _same_label(label.strip(), labels, table.schema[name])
        value = _share(share)
        if value is None:
            raise BadInput(f"--balance: the share of {label!r} is {share!r}", hint="a share lies between 0 and 1")
        if label in found:
            raise BadInput(f"--balance names label {label!r} twice", hint="give each label one share")
        found[label] = value
    if not found:
        raise BadInput(f"--balance names no label of {name!r}", hint=f"write {name}, or {name}=label:0.5,label:0.5")
    return found


def _same_label(label: str, labels: Sequence[str], column: Column) -> str:
    """Return the label as the table has it; numbers may be written in another way (1 for 1.0)."""
    if label in labels:
        return label
    if column.continuous:
        try:
            same = _text(float(label))
        except ValueError:
            same = label
        if same in labels:
            return same
    elif label in column.categories:
        raise BadInput(f"label {label!r} of column {column.name!r} has no rows", hint="nothing can be learnt of it")
    raise UnknownName.of(f"label of column {column.name!r}", label, labels[:MOST_LEVELS])


def _share(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 <= found <= 1 else None


def _check_rows(name: str, labels: Sequence[str], *, table: Table, train: Table) -> None:
    whole, learnt = count_labels(table, name), count_labels(train, name)
    for label in labels:
        if whole[label] >= BALANCE_LEAST and learnt.get(label, 0) < SMALL_CELL:
            raise BadInput(
                f"label {label!r} of column {name!r} has {whole[label]} rows, but only {learnt.get(label, 0)} of them "
                f"are learnt from; --balance needs at least {SMALL_CELL}",
                hint=f"--target {name} divides the rows of each label evenly; or give shares to the other labels",
            )
        if whole[label] < BALANCE_LEAST:
            raise BadInput(
                f"label {label!r} of column {name!r} has {whole[label]} rows; --balance needs at least {BALANCE_LEAST}",
                hint="so few persons cannot be multiplied without showing them; give shares to the other labels",
            )


def _texts(table: Table, name: str) -> np.ndarray:
    """Return the label of each row as a text, empty where it is missing, shape (rows,)."""
    column = table.schema[name]
    if column.kind is Kind.CATEGORICAL:
        return np.append(np.asarray(column.categories, dtype=object), "")[table.codes(name)]
    return _number_texts(table.numbers(name))


def _number_texts(values: Floats) -> np.ndarray:
    texts = np.array([_text(one) for one in np.unique(values[~np.isnan(values)])] + [""], dtype=object)
    places = np.searchsorted(np.unique(values[~np.isnan(values)]), values)
    return texts[np.where(np.isnan(values), len(texts) - 1, np.minimum(places, len(texts) - 1))]


def _text(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))

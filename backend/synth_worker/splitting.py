"""Divide real rows into those to learn from and those to judge by, before anything is fitted.

The division depends on the data set's key and on the rows alone, never on the seed of a run: nobody can shop for a
lucky split. Units (persons where a group key is given, else rows) are ordered by a keyed hash, within strata of the
target where there is one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from synth_worker.schema import Kind
from synth_worker.table import Floats, Ints, Split, Table, row_hashes

TRAIN_SHARE = 0.70
VALIDATION_SHARE = 0.15
INNER_TRAIN_SHARE = 0.80
STRATA = 5


def key_of(data_sha256: str) -> str:
    """Return the split key of a data set: 32 hex digits, fixed by its content so that no run can choose it.

    >>> len(key_of("00" * 32))
    32
    """
    return hashlib.sha256(f"gesalp split {data_sha256}".encode()).hexdigest()[:32]


def split(table: Table, *, key: str, certified: bool, target: str | None = None) -> Split:
    """Divide a table 70/15/15 (``certified``) or, for a procedure that is cross-fitted, 80/20 without certificate."""
    place = _places(table, key=key, target=target)
    ends = (TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE) if certified else (INNER_TRAIN_SHARE, 1.0)
    train = np.flatnonzero(place < ends[0])
    validation = np.flatnonzero((place >= ends[0]) & (place < ends[1]))
    certificate = np.flatnonzero(place >= ends[1])
    return Split(
        train=table.take(train).narrowed(),
        validation=table.take(validation),
        certificate=table.take(certificate) if certified else None,
        train_rows=train,
        validation_rows=validation,
        certificate_rows=certificate,
        key=key,
    )


@dataclass(frozen=True)
class Fold:
    """Hold the positions of one fold: the rows that the procedure may use, and those it is attacked with."""

    used: Ints
    held: Ints


def folds(table: Table, *, key: str, count: int = 5, target: str | None = None) -> tuple[Fold, ...]:
    """Divide a table into folds, each row (unit) held out exactly once."""
    place = _places(table, key=f"folds {key}", target=target)
    # Places are spread evenly within each stratum, so equal intervals hold equal numbers of each.
    number = np.minimum((place * count).astype(np.int64), count - 1)
    return tuple(Fold(np.flatnonzero(number != one), np.flatnonzero(number == one)) for one in range(count))


def _places(table: Table, *, key: str, target: str | None) -> Floats:
    """Return each row's place in (0, 1): its unit's rank by keyed hash within its stratum."""
    digests, unit_of_row = _unit_digests(table, key)
    stratum_of_row = np.zeros(table.rows, dtype=np.int64) if target is None else _strata(table, target)
    first_row = np.full(len(digests), table.rows, dtype=np.int64)
    np.minimum.at(first_row, unit_of_row, np.arange(table.rows))
    strata = stratum_of_row[first_row]
    place = np.empty(len(digests))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        order = members[np.argsort(digests[members], kind="stable")]
        place[order] = (np.arange(len(order)) + 0.5) / len(order)
    return place[unit_of_row]


def _unit_digests(table: Table, key: str) -> tuple[Ints, Ints]:
    """Return a keyed hash per unit and the unit of each row."""
    secret = key.encode()[:64]
    if table.units is not None:
        units, unit_of_row = np.unique(table.units, return_inverse=True)
        texts = [f"unit {one}" for one in units]
    else:
        # Equal rows get different hashes by their occurrence number: keeping them together would bias every attack.
        hashes = row_hashes(table)
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        lengths = np.diff(np.append(starts, len(ordered)))
        occurrence = np.empty(table.rows, dtype=np.int64)
        occurrence[order] = np.arange(table.rows) - np.repeat(starts, lengths)
        texts = [f"row {one} {again}" for one, again in zip(hashes.tolist(), occurrence.tolist(), strict=True)]
        unit_of_row = np.arange(table.rows)
    digests = [
        int.from_bytes(hashlib.blake2b(text.encode(), key=secret, digest_size=7).digest(), "big") for text in texts
    ]
    return np.asarray(digests, dtype=np.int64), np.asarray(unit_of_row, dtype=np.int64)


def _strata(table: Table, target: str) -> Ints:
    """Return the stratum of each row: the target's label, or its fifth for a number."""
    column = table.schema[target]
    if column.kind is Kind.CATEGORICAL:
        return table.codes(target)
    if not column.continuous:
        return np.zeros(table.rows, dtype=np.int64)
    values = table.numbers(target)
    seen = values[~np.isnan(values)]
    if len(seen) == 0:
        return np.zeros(table.rows, dtype=np.int64)
    edges = np.unique(np.quantile(seen, np.arange(1, STRATA) / STRATA))
    return np.where(np.isnan(values), -1, np.searchsorted(edges, values, side="right")).astype(np.int64)

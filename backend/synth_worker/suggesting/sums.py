"""Find columns that are the sum of others, exactly, in every row.

Each column gets a hash that is linear: a sum of whole numbers times random factors, one for each row, modulo 2^64. The
hash of a sum is the sum of the hashes, so that pairs, triples and whole blocks of columns are tried without looking at
the rows again; what fits is then checked in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from synth_worker.constraints import Constraint, Rule
from synth_worker.schema import Column
from synth_worker.suggesting.evidence import EXPECTED, LEAST_ROWS, gridded, steps
from synth_worker.table import Bools, Table

MOST_FOR_THREE = 40
"""With more columns than this only pairs and neighbouring columns are added up."""

LEAST_DISTINCT = 5


def find(table: Table) -> tuple[Constraint, ...]:
    """Return one sum for each column that is one, of the fewest parts."""
    columns, finest = gridded(table)
    absent = np.array([table.missing(one.name) for one in columns]).reshape(len(columns), table.rows)
    kept, rows = _complete(absent)
    columns = [columns[at] for at in kept]
    whole = np.array([steps(table.numbers(one.name)[rows], finest) for one in columns], dtype=np.int64)
    whole = whole.reshape(len(columns), int(rows.sum()))
    varied = [at for at, own in enumerate(whole) if (own != 0).sum() >= EXPECTED and len(np.unique(own)) > 1]
    columns, whole = [columns[at] for at in varied], whole[varied]
    factors = np.random.default_rng(0).integers(1, 2**63, size=whole.shape[1], dtype=np.uint64)
    hashes = [int((own.astype(np.uint64) * factors).sum(dtype=np.uint64)) for own in whole]
    totals = {one: at for at, one in enumerate(hashes) if len(np.unique(whole[at])) >= LEAST_DISTINCT and one != 0}
    found: dict[int, tuple[int, ...]] = {}
    for parts, one in _sums(hashes):
        total = totals.get(one)
        if total is None or total in parts or total in found or any(_leads(part, total, found) for part in parts):
            continue
        if (whole[total] == whole[list(parts)].sum(axis=0)).all() and _holds(table, columns, total, parts):
            found[total] = parts
    return tuple(
        Constraint(
            Rule.SUM,
            (columns[total].name, *(columns[part].name for part in parts)),
            note=f"exact in all {whole.shape[1]:,} rows without an absent value",
        )
        for total, parts in sorted(found.items())
    )


def _complete(absent: Bools) -> tuple[list[int], Bools]:
    """Return columns, and rows without absent values in them: columns of most absent values go first."""
    kept = list(np.argsort(absent.sum(axis=1), kind="stable")) if len(absent) else []
    while kept:
        rows = np.logical_not(absent[kept].any(axis=0))
        if rows.sum() >= max(LEAST_ROWS, 0.1 * absent.shape[1]):
            return sorted(int(at) for at in kept), rows
        kept.pop()
    return [], np.zeros(absent.shape[1], dtype=np.bool_)


def _sums(hashes: list[int]) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield parts and the hash of their sum: pairs, triples of few columns, blocks of neighbours."""
    size, turn = len(hashes), 2**64
    for first, second in combinations(range(size), 2):
        yield (first, second), (hashes[first] + hashes[second]) % turn
    if size <= MOST_FOR_THREE:
        for parts in combinations(range(size), 3):
            yield parts, sum(hashes[one] for one in parts) % turn
    for start in range(size):
        total = hashes[start]
        for end in range(start + 1, size):
            total = (total + hashes[end]) % turn
            if end - start >= 2:
                yield tuple(range(start, end + 1)), total


def _leads(part: int, total: int, found: dict[int, tuple[int, ...]]) -> bool:
    """Tell whether ``part`` is itself, in the end, a sum with ``total`` in it."""
    return any(one == total or _leads(one, total, found) for one in found.get(part, ()))


def _holds(table: Table, columns: list[Column], total: int, parts: tuple[int, ...]) -> bool:
    """Tell whether the sum holds in all rows that have its columns, those with gaps elsewhere included."""
    values = np.stack([table.numbers(columns[at].name) for at in (total, *parts)])
    seen = ~np.isnan(values).any(axis=0)
    finest = max(columns[at].decimals or 0 for at in (total, *parts))
    whole = [steps(one[seen], finest) for one in values]
    return bool((whole[0] == sum(whole[1:])).all())

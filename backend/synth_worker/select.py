"""Draw more rows than are wanted, and keep those that together look most like the real ones: over-sample and select.

Rows of the pool are weighted by how much likelier they are in the real table (``likeness``), then by raking (iterative
proportional fitting, Deming and Stephan 1940) on binned one-way and the strongest two-way margins of the training rows,
and then sampled without replacement. A margin is only pulled as far as it differs by more than sampling error, so that
the selection does not fit the noise of the training rows. What a row weighs is learnt without the training rows that
equal it, unless many people have them, so that these are neither preferred nor repelled, and copies that a pool holds
are not multiplied.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from synth_worker.distinct import among
from synth_worker.errors import BadInput
from synth_worker.likeness import density_ratios, shared
from synth_worker.table import Bools, Floats, Ints, Table, row_hashes, unify

OVERSAMPLE = "oversample"
"""The hyper-parameter that any generator understands: draw so many times the rows and select among them."""

STEPS = ("likeness", "margins")
BINS = 10
MOST_LEVELS = 20
PAIRS_PER_COLUMN = 3
ROUNDS = 12
DAMPING = 0.5
WEIGHT_RANGE = (0.1, 5.0)

FEWEST_LEARNT = 300
"""Below so many training rows nothing is selected: what so few rows say beyond the model is mostly themselves."""

MOST_POOL = 800_000
"""The most rows that are drawn for the sake of choice; larger tables choose among fewer per row kept."""


@dataclass(frozen=True, eq=False)
class _Margin:
    """Hold the cell of each pool row and the share that each cell should have."""

    cells: Ints
    target: Floats


def pool_rows(rows: int, *, times: float, learnt: int) -> int:
    """Return how many rows to draw so that ``rows`` can be selected among ``times`` as many; ``learnt`` are the real.

    >>> [pool_rows(rows, times=4, learnt=rows) for rows in (200, 1_000, 400_000, 10**6)]
    [200, 4000, 800000, 1000000]
    """
    return rows if learnt < FEWEST_LEARNT else max(rows, min(round(rows * times), MOST_POOL))


def select_rows(
    pool: Table,
    *,
    train: Table,
    rows: int,
    rng: np.random.Generator,
    threads: int = 1,
    by: Collection[str] = STEPS,
) -> Table:
    """Return ``rows`` rows of ``pool``, in random order, that are together more like ``train``.

    ``by`` names the steps that weigh the rows; fewer than all serve to tell what each is worth.

    ``pool`` has the columns of ``train``; a pool of 3 to 5 times the rows gives the choice something to choose from.
    Raises BadInput where the pool is smaller than the selection.
    """
    if pool.rows < rows:
        raise BadInput(f"the pool has {pool.rows} rows; {rows} are wanted", hint="draw a larger pool")
    if rows == 0 or train.rows == 0:
        return pool.take(np.arange(rows))
    if pool.rows == rows:
        return pool.take(rng.permutation(rows))
    weights = np.ones(pool.rows)
    if "likeness" in by:
        weights = np.clip(density_ratios(pool, train, rng=rng, threads=threads), *WEIGHT_RANGE)
    if "margins" in by:
        weights = _raked(_margins(pool.modelled(), train.modelled()), weights)
    return pool.take(_systematic(chances(weights, rows, copies=_copies(pool, train)), rows, rng))


def _margins(pool: Table, train: Table) -> list[_Margin]:
    pool, train = unify([pool, train])
    binned = [_binned(pool, train, at) for at in range(len(train.schema))]
    margins = [_margin(mine, real, width) for mine, real, width in binned]
    pairs = [(left, right) for right in range(len(binned)) for left in range(right)]
    strength = [_dependence(binned[left][1], binned[right][1]) for left, right in pairs]
    kept = np.argsort(-np.array(strength), kind="stable")[: PAIRS_PER_COLUMN * len(binned)]
    for left, right in (pairs[at] for at in kept):
        width = binned[right][2]
        mine, real = (binned[left][side] * width + binned[right][side] for side in (0, 1))
        margins.append(_margin(mine, real, binned[left][2] * width))
    return margins


def _binned(pool: Table, train: Table, at: int) -> tuple[Ints, Ints, int]:
    """Return the bins of both tables' column ``at``, missing first, and how many bins there are."""
    column = train.schema.columns[at]
    if column.continuous:
        real, mine = train.numbers(column.name), pool.numbers(column.name)
        seen = real[~np.isnan(real)]
        edges = np.unique(np.quantile(seen, np.arange(1, BINS) / BINS)) if len(seen) else np.empty(0)
        # A point mass is an edge; being at it and being above it are two bins.
        sides = [
            np.searchsorted(edges, one, side="left") + np.searchsorted(edges, one, side="right") for one in (mine, real)
        ]
        found = [np.where(np.isnan(one), 0, side + 1) for one, side in zip((mine, real), sides, strict=True)]
        return found[0], found[1], 2 * len(edges) + 2
    codes = train.codes(column.name) + 1
    counts = np.bincount(codes, minlength=len(column.categories) + 1)
    ranks = np.empty(len(counts), dtype=np.int64)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    grouped = np.minimum(ranks, MOST_LEVELS - 1)
    return grouped[pool.codes(column.name) + 1], grouped[codes], min(MOST_LEVELS, len(counts))


def _margin(mine: Ints, real: Ints, width: int) -> _Margin:
    have = np.bincount(mine, minlength=width) / len(mine)
    want = np.bincount(real, minlength=width) / len(real)
    error = np.sqrt(np.maximum(want, 1 / len(real)) / len(real))
    gap = want - have
    target = have + np.sign(gap) * np.maximum(np.abs(gap) - error, 0.0)
    return _Margin(mine, target / target.sum())


def _dependence(left: Ints, right: Ints) -> float:
    """Return the bias-corrected mean square contingency of two binned columns (Bergsma 2013)."""
    width = int(right.max()) + 1
    table = np.bincount(left * width + right, minlength=(int(left.max()) + 1) * width).reshape(-1, width)
    share = table / table.sum()
    expected = np.outer(share.sum(axis=1), share.sum(axis=0))
    used = expected > 0
    found = float((np.square(share - expected)[used] / expected[used]).sum())
    shape = (share.sum(axis=1) > 0).sum(), (share.sum(axis=0) > 0).sum()
    return found - (shape[0] - 1) * (shape[1] - 1) / max(len(left) - 1, 1)


def _raked(margins: list[_Margin], weights: Floats) -> Floats:
    weights = weights / weights.mean()
    for _ in range(ROUNDS):
        for margin in margins:
            have = np.bincount(margin.cells, weights=weights, minlength=len(margin.target)) / weights.sum()
            pull = (margin.target / np.maximum(have, 1e-12)) ** DAMPING
            weights *= np.where(have > 0, pull, 1.0)[margin.cells]
        weights = np.clip(weights / weights.mean(), *WEIGHT_RANGE)
    return weights / weights.mean()


@dataclass(frozen=True, eq=False)
class Copies:
    """Hold which rows of the pool equal a training row, and the largest share of them that may be kept."""

    equal: Bools
    most: float


def _copies(pool: Table, train: Table) -> Copies:
    """Look up the copies of a pool: as many may be kept as it has, or as fresh rows would equal a training row.

    Real rows look real: where a model remembers some and the rest of its pool is poor, weights alone would keep little
    else. Were as many kept as the pool has whatever they weigh, training rows of a poor pool would be repelled, and
    could be told by that.
    """
    real = train.modelled()
    hashes, known = (row_hashes(one) for one in (pool.modelled(), real))
    equal = among(hashes.view(np.int64), known.view(np.int64))
    fresh = float(among(known.view(np.int64), shared(known, real.units, least=2).view(np.int64)).mean())
    return Copies(equal, max(float(equal.mean()), fresh))


def chances(weights: Floats, rows: int, *, copies: Copies) -> Floats:
    """Return each row's chance of being kept, in proportion to its weight; they add up to ``rows``."""
    chance = _capped(weights, float(rows))
    if chance[copies.equal].sum() <= rows * copies.most:
        return chance
    # Apart, or the cap at certainty would take from one kind and give to the other.
    kept = min(rows * copies.most, float(copies.equal.sum()))
    for own, total in ((copies.equal, kept), (~copies.equal, rows - kept)):
        if own.any():
            chance[own] = _capped(weights[own], total)
    return chance


def _capped(weights: Floats, total: float) -> Floats:
    """Scale weights to add up to ``total`` with none above 1."""
    chance = weights * total / weights.sum()
    for _ in range(50):
        certain = chance >= 1
        if not (chance > 1).any():
            break
        left, open_sum = total - certain.sum(), chance[~certain].sum()
        chance = np.where(certain, 1.0, chance * left / open_sum if open_sum > 0 else chance)
    return chance


def _systematic(chance: Floats, rows: int, rng: np.random.Generator) -> Ints:
    """Draw ``rows`` distinct rows, each with its chance (Madow 1949)."""
    order = rng.permutation(len(chance))
    ends = np.cumsum(chance[order])
    ends *= rows / ends[-1]
    marks = rng.random() + np.arange(rows)
    found = order[np.minimum(np.searchsorted(ends, marks, side="right"), len(order) - 1)]
    # Rounding can let two marks fall on one row: fill up with rows not yet taken.
    unique = np.flatnonzero(np.bincount(found, minlength=len(order)))
    if len(unique) < rows:
        spare = np.setdiff1d(order, unique)
        unique = np.concatenate([unique, rng.choice(spare, rows - len(unique), replace=False)])
    return rng.permutation(unique)

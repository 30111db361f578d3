"""Estimate how much likelier each drawn row is under the real table than under the one it was drawn from.

A classifier that tells two tables apart is an estimate of the ratio of their densities (Sugiyama, Suzuki and Kanamori,
Density Ratio Estimation in Machine Learning, 2012, section 4). Drawing again in proportion to it mends what a generator
gets wrong in many columns at once (Azadi et al., Discriminator Rejection Sampling, 2019, section 3.2), at a small price
in privacy: the classifier's leaves are large (``leaf_rows``), it stops learning when rows held out from it gain no
more, and no row is scored by a classifier that was taught its equals, real or drawn, unless they are common. So a row
that equals one training row is neither preferred to a row that equals none nor put behind it.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from synth_worker.metrics.trees import Features, side_by_side, splittable
from synth_worker.table import Bools, Floats, Ints, Table, row_hashes, unify

PARTS = 3
COMMON = 5
"""A row with so many equals among the training rows is of no one of them, and is scored by what the others say."""

MOST_ITERATIONS = 200
PATIENCE = 10
HELD_OUT = 0.2
LEAVES = 15
LEAST_LEAF, MOST_LEAF = 10, 50
LEAF_ROOTS = 0.4
FEWEST_ROWS = 100
"""Below so many training rows every row is taken to be as likely as any other: trees would learn single rows."""

MOST_ROWS = 50_000
"""Rows of either table that a classifier is taught; more change little and cost linearly."""


def leaf_rows(rows: int) -> int:
    """Return the least number of rows in a leaf for a training table of ``rows`` rows.

    >>> [leaf_rows(rows) for rows in (200, 5_000, 1_000_000)]
    [10, 28, 50]
    """
    return int(np.clip(round(LEAF_ROOTS * np.sqrt(rows)), LEAST_LEAF, MOST_LEAF))


def density_ratios(pool: Table, train: Table, *, rng: np.random.Generator, threads: int = 1) -> Floats:
    """Return for each row of ``pool`` how much likelier it is among ``train``, up to a factor, shape (pool rows,).

    Both tables are divided into parts, equal rows into the same, and each part of the pool is scored by a classifier
    that was taught the other parts: a drawn row's own presence would speak against it, a training row's for its equals.
    All ones where there is nothing to learn from.
    """
    real, made = unify([train.modelled(), pool.modelled()])
    if real.rows < FEWEST_ROWS or made.rows < FEWEST_ROWS or not real.schema.names:
        return np.ones(pool.rows)
    features = Features.of(real)
    some = _some(real, rng)
    native, ours, rows = features.native, features.matrix(some), features.matrix(made)
    own, part = _parts(some, made, rng)
    least = leaf_rows(real.rows)
    jobs = [
        partial(
            _odds,
            ours[own != one],
            rows,
            part == one,
            native,
            least,
            int(rng.integers(2**31)),
            int(rng.integers(2**31)),
        )
        for one in range(PARTS)
    ]
    found = np.empty(made.rows)
    for one, odds in enumerate(side_by_side(jobs, threads=threads)):
        found[part == one] = odds
    return found


def _parts(real: Table, made: Table, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return the part of each row of both tables: by content, and at random where the content is common."""
    contents = [row_hashes(one) for one in (real, made)]
    known, counts = np.unique(contents[0], return_counts=True)
    found: list[Ints] = []
    for own in contents:
        place = np.minimum(np.searchsorted(known, own), len(known) - 1)
        common = (known[place] == own) & (counts[place] >= COMMON)
        found.append(np.where(common, rng.integers(0, PARTS, len(own)), (own % np.uint64(PARTS)).astype(np.int64)))
    return found[0], found[1]


def _odds(  # noqa: PLR0917  (called through partial)
    ours: Floats, rows: Floats, own: Bools, native: Bools, least: int, seed: int, draw: int
) -> Floats:
    """Return the odds of "real" for the rows of one part, by a classifier taught the others."""
    taught = np.flatnonzero(~own)
    if not own.any() or min(len(taught), len(ours)) < 2 * least:
        return np.ones(int(own.sum()))
    taught = taught[_places(len(taught), np.random.default_rng(draw))]
    classes = np.repeat([1, 0], [len(ours), len(taught)])
    model = HistGradientBoostingClassifier(
        max_iter=MOST_ITERATIONS,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=least,
        categorical_features=native,  # pyright: ignore[reportArgumentType]  (taken from the default)
        early_stopping=True,  # pyright: ignore[reportArgumentType]
        validation_fraction=HELD_OUT,
        n_iter_no_change=PATIENCE,
        random_state=seed,
    ).fit(splittable(np.concatenate([ours, rows[taught]]), least=least), classes)
    return np.exp(np.asarray(model.decision_function(rows[own]))) * len(taught) / len(ours)


def _some(table: Table, rng: np.random.Generator) -> Table:
    return table if table.rows <= MOST_ROWS else table.take(_places(table.rows, rng))


def _places(rows: int, rng: np.random.Generator) -> Ints:
    """Return at most ``MOST_ROWS`` of the places 0 to rows - 1, ascending."""
    most = MOST_ROWS
    return np.arange(rows) if rows <= most else np.sort(rng.choice(rows, most, replace=False))

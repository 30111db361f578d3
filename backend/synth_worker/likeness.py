"""Estimate how much likelier each drawn row is under the real table than under the one it was drawn from.

A classifier that tells two tables apart is an estimate of the ratio of their densities (Sugiyama, Suzuki and Kanamori,
Density Ratio Estimation in Machine Learning, 2012, section 4). Drawing again in proportion to it mends what a generator
gets wrong in many columns at once (Azadi et al., Discriminator Rejection Sampling, 2019, section 3.2), at a small price
in privacy: the classifier's leaves are large (``leaf_rows``), it stops learning when rows held out from it gain no
more, and no row is scored by a classifier that was taught its equals, real or drawn, unless they are of many people or
drawn again and again. So a row that equals one training row is neither preferred to a row that equals none nor put
behind it.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from synth_worker.distinct import among
from synth_worker.metrics.trees import Features, side_by_side, splittable
from synth_worker.table import Bools, Floats, Ints, Table, row_hashes, unify

PARTS = 3
COMMON = 5
"""Rows that so many units of the training table have are of no one of them: they are scored by what the others say."""

OFTEN_DRAWN = 50
"""A row drawn so often may be a mistake of the model that has to be seen; a training row beside it says little."""

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
            ours,
            rows,
            own == one,
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
    """Return the part of each row of both tables: by content, at random where it is common or often drawn."""
    contents = [row_hashes(one) for one in (real, made)]
    often = shared(contents[1], None, least=OFTEN_DRAWN)
    spread = np.concatenate([shared(contents[0], real.units, least=COMMON), often]).view(np.int64)
    found = [
        np.where(
            among(own.view(np.int64), spread),
            rng.integers(0, PARTS, len(own)),
            (own % np.uint64(PARTS)).astype(np.int64),
        )
        for own in contents
    ]
    return found[0], found[1]


def shared(hashes: NDArray[np.uint64], units: Ints | None, *, least: int) -> NDArray[np.uint64]:
    """Return the contents (``row_hashes``) that at least so many units have; without units each row is one."""
    if units is not None:
        hashes = np.unique(np.stack([hashes, units.astype(np.uint64)]), axis=1)[0]
    known, counts = np.unique(hashes, return_counts=True)
    return known[counts >= least]


def _odds(  # noqa: PLR0917  (called through partial)
    ours: Floats, rows: Floats, apart: Bools, own: Bools, native: Bools, least: int, seed: int, draw: int
) -> Floats:
    """Return how much likelier than drawn the rows of one part are to be real, by a classifier taught the others."""
    others, learnt = np.flatnonzero(~own), ours[~apart]
    if not own.any() or min(len(others), len(learnt)) < 2 * least:
        return np.ones(int(own.sum()))
    taught = others[_places(len(others), np.random.default_rng(draw))]
    classes = np.repeat([1, 0], [len(learnt), len(taught)])
    model = HistGradientBoostingClassifier(
        max_iter=MOST_ITERATIONS,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=least,
        categorical_features=native,  # pyright: ignore[reportArgumentType]  (taken from the default)
        early_stopping=True,  # pyright: ignore[reportArgumentType]
        validation_fraction=HELD_OUT,
        n_iter_no_change=PATIENCE,
        random_state=seed,
    ).fit(splittable(np.concatenate([learnt, rows[taught]]), least=least), classes)
    # Odds are those of the other parts alone, and the parts are not of one size in both tables.
    share = (len(learnt) / len(ours)) / (len(others) / len(rows))
    return np.exp(np.asarray(model.decision_function(rows[own]))) * len(taught) / len(learnt) * share


def _some(table: Table, rng: np.random.Generator) -> Table:
    return table if table.rows <= MOST_ROWS else table.take(_places(table.rows, rng))


def _places(rows: int, rng: np.random.Generator) -> Ints:
    """Return at most ``MOST_ROWS`` of the places 0 to rows - 1, ascending."""
    most = MOST_ROWS
    return np.arange(rows) if rows <= most else np.sort(rng.choice(rows, most, replace=False))

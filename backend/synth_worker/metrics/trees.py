"""Turn tables into what boosted trees read, and fit such trees reproducibly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from synth_worker.table import Bools, Floats, Ints, Table

MOST_CATEGORIES = 254
"""The most codes that the trees' bins can hold; rarer categories share the last one."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Effort:
    """Say how hard the trees try."""

    iterations: int
    rate: float = 0.1
    leaves: int = 31
    least: int = 20


@dataclass(frozen=True, eq=False)
class Features:
    """Say how columns become features, fitted on real rows: numbers as they are, categories as codes by frequency.

    Missing values are NaN. ``native`` tells which features the trees split as sets of categories.
    """

    names: tuple[str, ...]
    ranks: dict[str, Floats]

    @classmethod
    def of(cls, real: Table, *, without: Sequence[str] = ()) -> Features:
        """Fit the codes: the most common category is 0, as in the real rows; ties in the schema's order."""
        names = tuple(name for name in real.schema.names if name not in without)
        ranks: dict[str, Floats] = {}
        for name in names:
            if real.schema[name].continuous:
                continue
            codes, categories = real.codes(name), len(real.schema[name].categories)
            counts = np.bincount(codes[codes >= 0], minlength=categories)
            own = np.empty(categories + 1)
            own[np.argsort(-counts, kind="stable")] = np.minimum(np.arange(categories), MOST_CATEGORIES - 1)
            own[-1] = np.nan
            ranks[name] = own
        return cls(names, ranks)

    @property
    def native(self) -> Bools:
        """Tell which features are categories, shape (features,)."""
        return np.array([name in self.ranks for name in self.names], dtype=np.bool_)

    def matrix(self, table: Table) -> Floats:
        """Return the features of a table, shape (rows, features), missing as NaN."""
        out = np.empty((table.rows, len(self.names)))
        for place, name in enumerate(self.names):
            out[:, place] = self.ranks[name][table.codes(name)] if name in self.ranks else table.numbers(name)
        return out


def classify(
    features: Floats, classes: Ints, *, native: Bools, effort: Effort, seed: int
) -> HistGradientBoostingClassifier:
    """Fit boosted trees that tell classes apart. At least two classes must occur."""
    model = HistGradientBoostingClassifier(
        learning_rate=effort.rate,
        max_iter=effort.iterations,
        max_leaf_nodes=effort.leaves,
        min_samples_leaf=effort.least,
        categorical_features=native,  # pyright: ignore[reportArgumentType]  (taken from the default)
        early_stopping=False,  # pyright: ignore[reportArgumentType]
        random_state=seed,
    )
    return model.fit(splittable(features, least=effort.least), classes)


def regress(
    features: Floats, values: Floats, *, native: Bools, effort: Effort, seed: int
) -> HistGradientBoostingRegressor:
    """Fit boosted trees that predict a number."""
    model = HistGradientBoostingRegressor(
        learning_rate=effort.rate,
        max_iter=effort.iterations,
        max_leaf_nodes=effort.leaves,
        min_samples_leaf=effort.least,
        categorical_features=native,  # pyright: ignore[reportArgumentType]  (taken from the default)
        early_stopping=False,  # pyright: ignore[reportArgumentType]
        random_state=seed,
    )
    return model.fit(splittable(features, least=effort.least), values)


def splittable(features: Floats, *, least: int) -> Floats:
    """Return features in which those with too few known values for any leaf are nowhere missing.

    Trees cannot split on them anyway, and those of scikit-learn 1.9 fail on a feature of which nothing is known.

    >>> splittable(np.array([[1.0, np.nan], [2.0, np.nan]]), least=1).tolist()
    [[1.0, 0.0], [2.0, 0.0]]
    """
    blank = (~np.isnan(features)).sum(axis=0) < least
    return np.where(blank, 0.0, features) if blank.any() else features


def side_by_side(jobs: Sequence[Callable[[], Result]], *, threads: int) -> list[Result]:
    """Run fits that do not depend on each other, ``threads`` at a time, and return their results in order.

    Each fit has one OpenMP thread, however many fits run: the trees' sums, hence the results, are the same then.
    """
    with threadpool_limits(limits=1):
        if threads <= 1:
            return [job() for job in jobs]
        with ThreadPoolExecutor(threads, initializer=_limit_this_thread) as pool:
            return list(pool.map(lambda job: job(), jobs))


def _limit_this_thread() -> None:
    # OpenMP keeps its limit per calling thread: that of the main thread does not reach the pool's.
    threadpool_limits(limits=1, user_api="openmp")

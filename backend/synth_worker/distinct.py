"""Tell which whole numbers are among others, and how many differ, by sorting: numpy hashes, ten times as slowly."""

from __future__ import annotations

import numpy as np

from synth_worker.table import Bools, Ints


def among(values: Ints, others: Ints) -> Bools:
    """Return which values are among others, shape (values,), as ``np.isin`` does.

    >>> among(np.array([3, 1, 2]), np.array([1, 3, 9]))
    array([ True,  True, False])
    """
    if len(values) == 0 or len(others) == 0:
        return np.zeros(len(values), dtype=np.bool_)
    others = np.sort(others)
    order = np.argsort(values)
    ascending = values[order]
    found = np.empty(len(values), dtype=np.bool_)
    found[order] = others[np.minimum(np.searchsorted(others, ascending), len(others) - 1)] == ascending
    return found


def count_distinct(values: Ints) -> int:
    """Return how many different values there are.

    >>> count_distinct(np.array([3, 1, 3]))
    2
    """
    ascending = np.sort(values)
    return int(np.count_nonzero(ascending[1:] != ascending[:-1])) + min(len(ascending), 1)

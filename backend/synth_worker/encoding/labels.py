"""Turn a categorical column into few states, and back into labels.

Frequent labels are states of their own. Rare ones (and, where there are thousands, all but the most frequent) share
group states, and a label is drawn from the whole group: no single person's label stays tied to that person's row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth_worker.table import Floats, Ints

MISSING = -1
MOST_OWN = 60
MOST_GROUPS = 30


@dataclass(frozen=True, eq=False)
class LabelCodec:
    """Hold the states of one column: ``state_of`` maps a code to its state, ``counts`` says how often it occurs.

    >>> codec = fit_labels(np.array([0] * 9 + [1] * 8 + [2, 3]), 4, rare=5)
    >>> codec.states(np.array([0, 1, 2, 3, -1]))
    array([ 0,  1,  2,  2, -1])
    >>> codec.codes(np.array([0, -1]), np.array([0.5, 0.5]))
    array([ 0, -1])
    """

    state_of: Ints
    counts: Ints

    @property
    def state_count(self) -> int:
        """Return the number of states other than missing."""
        return int(self.state_of.max()) + 1 if len(self.state_of) else 0

    def states(self, codes: Ints) -> Ints:
        """Return the state of each code, shape (rows,); missing stays -1."""
        return np.append(self.state_of, MISSING)[codes]

    def codes(self, states: Ints, uniform: Floats) -> Ints:
        """Return a code for each state: within a group in proportion to the counts, by a draw in [0, 1)."""
        order = np.argsort(self.state_of, kind="stable")
        weights = np.maximum(self.counts[order], 1e-9)
        ends = np.cumsum(weights)
        grouped = self.state_of[order]
        first = np.searchsorted(grouped, np.maximum(states, 0), side="left")
        last = np.searchsorted(grouped, np.maximum(states, 0), side="right")
        starts = np.concatenate([[0.0], ends])
        if not len(order):
            return np.full(len(states), MISSING, dtype=np.int64)
        target = starts[first] + uniform * (starts[last] - starts[first])
        found = np.clip(np.searchsorted(ends, target, side="right"), first, np.maximum(last - 1, first))
        return np.where(states < 0, MISSING, order[np.minimum(found, len(order) - 1)])


def fit_labels(codes: Ints, levels: int, *, rare: int, position: Floats | None = None) -> LabelCodec:
    """Learn the states of a column from codes in [-1, levels), shape (rows,).

    Labels seen fewer than ``rare`` times are grouped. Where they make up much of the table there are several groups,
    of labels whose rows have similar ``position`` (one number per row, such as the first principal direction).
    """
    counts = np.bincount(codes[codes >= 0], minlength=levels).astype(np.int64)
    ranked = np.argsort(-counts, kind="stable")
    own = ranked[:MOST_OWN][counts[ranked[:MOST_OWN]] >= rare]
    state_of = np.full(levels, MISSING, dtype=np.int64)
    state_of[np.sort(own)] = np.arange(len(own))
    rest = np.flatnonzero(state_of < 0)
    if len(rest):
        state_of[rest] = len(own) + _groups(codes, counts, rest, rare=rare, position=position)
    return LabelCodec(state_of, counts)


def _groups(codes: Ints, counts: Ints, rest: Ints, *, rare: int, position: Floats | None) -> Ints:
    mass = int(counts[rest].sum())
    wanted = min(MOST_GROUPS, mass // (20 * max(rare, 1)))
    if wanted < 2 or position is None:
        return np.zeros(len(rest), dtype=np.int64)
    seen = codes >= 0
    sums = np.bincount(codes[seen], weights=position[seen], minlength=len(counts))
    # A label of one row says nothing about its kind: shrink toward the middle.
    means = sums[rest] / (counts[rest] + 2.0)
    order = np.argsort(means, kind="stable")
    before = np.cumsum(counts[rest][order]) - counts[rest][order]
    groups = np.empty(len(rest), dtype=np.int64)
    groups[order] = np.unique(before * wanted // max(mass, 1), return_inverse=True)[1]
    return groups

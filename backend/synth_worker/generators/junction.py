"""Infer a joint distribution from noisy tables of pairs: a junction tree, messages, mirror descent.

Lauritzen & Spiegelhalter 1988 (messages); McKenna, Sheldon & Miklau 2019, "Graphical-model based estimation" (the
distribution of greatest entropy whose tables are nearest the measured ones).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from synth_worker.generators.clique_tree import CliqueTree, margin_of, spread_over
from synth_worker.table import Floats

Names = tuple[int, ...]
LEAST = 1e-12
"""The share below which a code counts as impossible."""


@dataclass(frozen=True)
class Junction:
    """Hold cliques that form a tree, parents first (-1: a root), and the sizes of the columns.

    >>> Junction.of([(0, 1), (1, 2)], sizes=(2, 3, 4)).cells
    18
    """

    cliques: tuple[Names, ...]
    parents: tuple[int, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, pairs: Iterable[Names], *, sizes: Sequence[int]) -> Junction:
        """Triangulate the graph of the pairs, cheapest column first, and join its greatest cliques to a tree."""
        near: dict[int, set[int]] = {at: set() for at in range(len(sizes))}
        for one, two in pairs:
            near[one].add(two)
            near[two].add(one)
        found: list[set[int]] = []
        while near:
            at = min(near, key=lambda one: (_added(near, one), _cells(near[one] | {one}, sizes), one))
            clique = near[at] | {at}
            if not any(clique <= other for other in found):
                found.append(clique)
            for one, two in combinations(sorted(near[at]), 2):
                near[one].add(two)
                near[two].add(one)
            for one in near.pop(at):
                near[one].discard(at)
        order, parents = _joined(found)
        return cls(tuple(tuple(sorted(one)) for one in order), tuple(parents), tuple(sizes))

    @property
    def cells(self) -> int:
        """Return the cells of all cliques: what inference costs."""
        return sum(_cells(clique, self.sizes) for clique in self.cliques)

    def home(self, names: Names) -> int:
        """Return the smallest clique that holds these columns."""
        fitting = [at for at, clique in enumerate(self.cliques) if set(names) <= set(clique)]
        return min(fitting, key=lambda at: _cells(self.cliques[at], self.sizes))

    def beliefs(self, potentials: Mapping[Names, Floats]) -> list[Floats]:
        """Return the table of shares of each clique under the product of the exponentials of the potentials."""
        logs = [np.zeros([self.sizes[at] for at in clique]) for clique in self.cliques]
        for names, potential in potentials.items():
            at = self.home(names)
            logs[at] = logs[at] + spread_over(potential, [self.cliques[at].index(one) for one in names], logs[at].ndim)
        tables: list[Floats] = []
        for at in range(len(logs) - 1, -1, -1):
            shift = float(logs[at].max())
            table = np.exp(logs[at] - shift)
            tables.append(table)
            shared = self.shared(at)
            if shared:
                parent = self.parents[at]
                message = np.log(np.maximum(margin_of(table, self.cliques[at], shared), 1e-300))
                axes = [self.cliques[parent].index(one) for one in shared]
                logs[parent] = logs[parent] + spread_over(message, axes, logs[parent].ndim)
        tables.reverse()
        for at, table in enumerate(tables):
            shared = self.shared(at)
            if not shared:
                tables[at] = table / table.sum()
                continue
            parent = self.parents[at]
            above = margin_of(tables[parent], self.cliques[parent], shared)
            own = margin_of(table, self.cliques[at], shared)
            ratio = np.divide(above, own, out=np.zeros_like(above), where=own > 0)
            tables[at] = table * spread_over(ratio, [self.cliques[at].index(one) for one in shared], table.ndim)
        return tables

    def shared(self, at: int) -> list[int]:
        """Return the columns that a clique shares with its parent."""
        parent = self.parents[at]
        return [] if parent < 0 else [one for one in self.cliques[at] if one in self.cliques[parent]]

    def pair_tables(self, beliefs: Sequence[Floats]) -> dict[Names, Floats]:
        """Return the table of shares of every pair of columns, whether a clique holds it or not.

        From each column outward: the shares of (column, separator) and a neighbour's conditional give those of
        (column, neighbour).
        """
        width = len(self.sizes)
        single = [
            margin_of(beliefs[home], self.cliques[home], [one]) for one in range(width) for home in [self.home((one,))]
        ]
        found = {pair: np.outer(single[pair[0]], single[pair[1]]) for pair in combinations(range(width), 2)}
        links: list[list[int]] = [[] for _ in self.cliques]
        for at, parent in enumerate(self.parents):
            if self.shared(at):
                links[at].append(parent)
                links[parent].append(at)
        for one in range(width):
            start = self.home((one,))
            axis = self.cliques[start].index(one)
            size = self.sizes[one]
            held = np.eye(size).reshape([size, *(size if at == axis else 1 for at in range(beliefs[start].ndim))])
            queue: list[tuple[int, int, Floats]] = [(start, -1, held * beliefs[start][None])]
            while queue:
                at, came, joint = queue.pop()
                clique = self.cliques[at]
                for place, two in enumerate(clique):
                    if two > one:
                        gone = tuple(axis + 1 for axis in range(len(clique)) if axis != place)
                        found[(one, two)] = joint.sum(axis=gone)
                queue += [(to, at, self._carried(joint, at, to, beliefs[to])) for to in links[at] if to != came]
        return found

    def _carried(self, joint: Floats, at: int, to: int, belief: Floats) -> Floats:
        clique, other = self.cliques[at], self.cliques[to]
        shared = [one for one in clique if one in other]
        gone = tuple(axis + 1 for axis, one in enumerate(clique) if one not in shared)
        front = joint.sum(axis=gone)
        below = margin_of(belief, other, shared)
        ratio = np.divide(front, below[None], out=np.zeros_like(front), where=below[None] > 0)
        axes = [other.index(one) for one in shared]
        return np.stack([spread_over(part, axes, belief.ndim) * belief for part in ratio])

    def tree(self, beliefs: Sequence[Floats]) -> CliqueTree:
        """Return what rows are drawn from."""
        return CliqueTree(self.cliques, self.parents, tuple(beliefs))


def _added(near: Mapping[int, set[int]], at: int) -> int:
    """Return how many edges eliminating a column would add."""
    return sum(two not in near[one] for one, two in combinations(near[at], 2))


def _cells(clique: Iterable[int], sizes: Sequence[int]) -> int:
    return int(np.prod([sizes[at] for at in clique], dtype=np.int64))


def _joined(cliques: Sequence[set[int]]) -> tuple[list[set[int]], list[int]]:
    """Return the cliques in an order in which each shares most with an earlier one (Prim), and which that is."""
    left = list(cliques)
    order = [left.pop(0)]
    parents = [-1]
    while left:
        best = max(((len(one & two), -at, -to) for at, one in enumerate(left) for to, two in enumerate(order)))
        shared, at, to = best[0], -best[1], -best[2]
        parents.append(to if shared else -1)
        order.append(left.pop(at))
    return order, parents


@dataclass(frozen=True, eq=False)
class Measured:
    """Hold a noised table, counts, and the variance of its noise (a number, or one per cell)."""

    counts: Floats
    variance: Floats

    def merged(self, other: Measured) -> Measured:
        """Return the mean of two measurements of one table, weighted by precision."""
        one, two = 1 / self.variance, 1 / other.variance
        return Measured((self.counts * one + other.counts * two) / (one + two), 1 / (one + two))


@dataclass(frozen=True, eq=False)
class Estimate:
    """Hold a distribution: its tree, the potentials of what was measured, the step that descended last."""

    junction: Junction
    potentials: Mapping[Names, Floats]
    rate: float

    def beliefs(self) -> list[Floats]:
        """Return the shares of each clique's cells."""
        return self.junction.beliefs(self.potentials)

    def fitted(self, measured: Mapping[Names, Measured], *, total: float, steps: int) -> Estimate:
        """Return a nearer distribution after ``steps`` of mirror descent on the squared error in units of noise."""
        potentials = {names: self.potentials.get(names, np.zeros(one.counts.shape)) for names, one in measured.items()}
        rate = self.rate
        beliefs = self.junction.beliefs(potentials)
        loss, slopes, shares = self._loss(beliefs, measured, total=total)
        for _ in range(steps):
            tried = {names: potential - rate * slopes[names] for names, potential in potentials.items()}
            after = self._loss(self.junction.beliefs(tried), measured, total=total)
            gain = sum(float((slopes[names] * (shares[names] - after[2][names])).sum()) for names in measured)
            if loss - after[0] >= 0.5 * gain and np.isfinite(after[0]):
                potentials, (loss, slopes, shares), rate = tried, after, rate * 1.6
            else:
                rate *= 0.5
        return replace(self, potentials=potentials, rate=rate)

    def _loss(
        self, beliefs: Sequence[Floats], measured: Mapping[Names, Measured], *, total: float
    ) -> tuple[float, dict[Names, Floats], dict[Names, Floats]]:
        loss = 0.0
        slopes: dict[Names, Floats] = {}
        shares: dict[Names, Floats] = {}
        for names, one in measured.items():
            home = self.junction.home(names)
            shares[names] = margin_of(beliefs[home], self.junction.cliques[home], list(names))
            off = total * shares[names] - one.counts
            loss += float((off**2 / one.variance).sum()) / 2
            slopes[names] = total * off / one.variance
        return loss, slopes, shares

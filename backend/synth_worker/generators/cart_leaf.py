"""Choose how large a leaf must be by held-out likelihood, and draw donors from leaves or the nodes above them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth_worker.generators.cart_tree import LEAF, Features, Tree, grow, stops
from synth_worker.table import Floats, Ints

LEAF_SIZES = (5, 10, 20, 40, 80, 160, 320, 640)
BACKOFFS = (1.0, 5.0, 20.0, 50.0)
HELD_OUT = 1 / 3
PRIOR = 0.5
MOST_ROWS = 50_000
"""Rows that the choice looks at, at most: a random sample of a longer table decides the same."""


@dataclass(frozen=True)
class Choice:
    """Hold the least leaf size and the back-off weight under which held-out rows were most likely."""

    leaf: int
    backoff: float


def choose(
    features: Features,
    target: Ints | Floats,
    states: Ints,
    *,
    smallest: int,
    rng: np.random.Generator,
    most: int = MOST_ROWS,
) -> Choice:
    """Choose leaf size and back-off for one column: grow on two thirds, score the rest, of at most ``most`` rows.

    ``states`` are the column's states or bins, integers from 0, shape (rows,): the likelihood is theirs.
    """
    rows = rng.permutation(len(states))[:most]
    held = max(1, round(len(rows) * HELD_OUT))
    tested, grown = rows[:held], rows[held:]
    sizes = [size for size in LEAF_SIZES if smallest <= size <= max(smallest, len(grown) // 2)] or [smallest]
    tree = grow(features, target, donors=grown, smallest=sizes[0], seed=int(rng.integers(2**31 - 1)))
    leaves = tree.leaves(features[tested])
    width = int(states.max()) + 1
    counts = _counts(tree, states, width)
    best = (-np.inf, Choice(sizes[-1], BACKOFFS[-1]))
    for backoff in BACKOFFS:
        chances = mixed(tree, counts, backoff=backoff)
        for size in sizes:
            found = chances[stops(tree, smallest=size)[leaves], states[tested]]
            score = float(np.log(found).mean())
            if score > best[0]:
                best = (score, Choice(size, backoff))
    return best[1]


def mixed(tree: Tree, counts: Floats, *, backoff: float) -> Floats:
    """Return each node's shares, mixed with its parent's with weight backoff / (backoff + size), shape as ``counts``.

    The root is mixed with the uniform distribution by half a count, so that no share is 0.
    """
    sizes = counts.sum(axis=1, keepdims=True)
    found = np.empty_like(counts)
    found[0] = (counts[0] + PRIOR / counts.shape[1]) / (sizes[0] + PRIOR)
    depth = _depths(tree)
    parents = tree.parents()
    for level in range(1, int(depth.max()) + 1):
        nodes = np.flatnonzero(depth == level)
        found[nodes] = (counts[nodes] + backoff * found[parents[nodes]]) / (sizes[nodes] + backoff)
    return found


def draw(tree: Tree, leaves: Ints, *, backoff: float, least: int, rng: np.random.Generator) -> Ints:
    """Draw a donor (a training row) for each leaf, going up to the parent with chance backoff / (backoff + size).

    Nodes of fewer than ``least`` donors are never drawn from.
    """
    node = leaves.copy()
    sizes = tree.sizes
    parents = tree.parents()
    chance = np.where(sizes < least, 1.0, backoff / np.maximum(backoff + sizes, 1e-9))
    chance[0] = 0.0
    moving = np.arange(len(node))
    while len(moving):
        moving = moving[rng.random(len(moving)) < chance[node[moving]]]
        node[moving] = parents[node[moving]]
    return tree.donors[tree.start[node] + np.floor(rng.random(len(node)) * sizes[node]).astype(np.int64)]


def sums_below(tree: Tree, amounts: Floats) -> Floats:
    """Sum amounts over the donors below each node: shape (donors, width), in the tree's order, to (nodes, width)."""
    total = np.concatenate([np.zeros((1, amounts.shape[1])), np.cumsum(amounts, axis=0)])
    return total[tree.end] - total[tree.start]


def _counts(tree: Tree, states: Ints, width: int) -> Floats:
    """Count the states among the donors below each node, shape (nodes, width)."""
    return sums_below(tree, (states[tree.donors][:, None] == np.arange(width)).astype(np.float64))


def _depths(tree: Tree) -> Ints:
    depth = np.zeros(len(tree.left), dtype=np.int64)
    for node in np.flatnonzero(tree.left != LEAF):
        depth[tree.left[node]] = depth[tree.right[node]] = depth[node] + 1
    return depth

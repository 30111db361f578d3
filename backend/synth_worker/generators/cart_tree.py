"""Grow a tree, keep it as plain arrays, and let rows fall through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_worker.errors import BadModel
from synth_worker.table import Bools, Floats, Ints

Features = NDArray[np.float32]
LEAF = -1
FIELDS = ("left", "right", "feature", "threshold", "start", "end", "donors")


@dataclass(frozen=True, eq=False)
class Tree:
    """Hold a binary tree over rows of features, nodes in preorder, and the training rows (donors) below each node.

    ``left``, ``right``: the children of a node, -1 for a leaf. ``feature``, ``threshold``: a row goes left where its
    feature is at most the threshold. ``donors[start:end]`` of a node are the training rows that fall below it.
    """

    left: Ints
    right: Ints
    feature: Ints
    threshold: Floats
    start: Ints
    end: Ints
    donors: Ints

    @property
    def sizes(self) -> Ints:
        """Return the number of donors below each node, shape (nodes,)."""
        return self.end - self.start

    def parents(self) -> Ints:
        """Return the parent of each node, the root's being the root itself."""
        found = np.zeros(len(self.left), dtype=np.int64)
        inner = np.flatnonzero(self.left != LEAF)
        found[self.left[inner]] = inner
        found[self.right[inner]] = inner
        return found

    def leaves(self, features: Features) -> Ints:
        """Return the leaf each row falls to, shape (rows,)."""
        at = np.zeros(len(features), dtype=np.int64)
        moving = np.arange(len(features)) if self.left[0] != LEAF else np.empty(0, dtype=np.int64)
        while len(moving):
            node = at[moving]
            goes_left = features[moving, self.feature[node]] <= self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
            at[moving] = node
            moving = moving[self.left[node] != LEAF]
        return at

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the tree's arrays, their names beginning with ``name``."""
        return {f"{name}.{field}": getattr(self, field) for field in FIELDS}


def restore_tree(arrays: Mapping[str, NDArray[np.generic]], name: str, *, features: int, rows: int) -> Tree:
    """Build a tree from its arrays. Raises BadModel where they lead nowhere, in circles or out of bounds."""
    parts: dict[str, NDArray[np.generic]] = {}
    for field in FIELDS:
        found = arrays.get(f"{name}.{field}")
        want = np.float64 if field == "threshold" else np.int64
        if found is None or found.ndim != 1 or found.dtype != want:
            raise BadModel(f"the model has no array '{name}.{field}' of the right kind", hint="fit it again")
        parts[field] = found
    tree = Tree(
        left=parts["left"].astype(np.int64),
        right=parts["right"].astype(np.int64),
        feature=parts["feature"].astype(np.int64),
        threshold=parts["threshold"].astype(np.float64),
        start=parts["start"].astype(np.int64),
        end=parts["end"].astype(np.int64),
        donors=parts["donors"].astype(np.int64),
    )
    if not _sound(tree, features, rows):
        raise BadModel(f"the model's tree {name!r} is broken", hint="fit it again")
    return tree


def grow(
    features: Features,
    target: Ints | Floats,
    *,
    donors: Ints,
    smallest: int,
    seed: int,
    honest: Ints | None = None,
) -> Tree:
    """Grow a CART (Breiman et al. 1984) on the rows ``donors`` (indices): labels by Gini, several numbers by variance.

    ``smallest`` is the least number of rows in a leaf. ``honest`` names other rows that become the donors of the tree,
    so that no row is drawn from a leaf that its own value shaped.
    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # noqa: PLC0415 - keeps the import light

    rows = donors if honest is None else honest
    if features.shape[1] == 0 or len(donors) < 2 * smallest:
        return stump(rows)
    kind = DecisionTreeClassifier if target.ndim == 1 else DecisionTreeRegressor
    model = kind(min_samples_leaf=smallest, random_state=seed)
    model.fit(features[donors], target[donors])
    inner = model.tree_
    left = inner.children_left.astype(np.int64)
    right = inner.children_right.astype(np.int64)
    bare = Tree(
        left,
        right,
        inner.feature.astype(np.int64),
        inner.threshold.astype(np.float64),
        left,
        left,
        np.empty(0, np.int64),
    )
    found = bare.leaves(features[rows])
    order = np.argsort(found, kind="stable")
    ordered = found[order]
    nodes = np.arange(len(left))
    last = nodes.copy()
    for node in nodes[::-1]:
        if left[node] != LEAF:
            last[node] = last[right[node]]
    # Nodes stand in preorder: what lies below a node is a run of node numbers, and so a run of sorted donors.
    return Tree(
        left,
        right,
        bare.feature,
        bare.threshold,
        np.searchsorted(ordered, nodes, side="left").astype(np.int64),
        np.searchsorted(ordered, last, side="right").astype(np.int64),
        rows[order].astype(np.int64),
    )


def stump(donors: Ints) -> Tree:
    """Return a tree of one node."""
    none = np.array([LEAF], dtype=np.int64)
    zero = np.zeros(1, dtype=np.int64)
    return Tree(none, none, zero, np.zeros(1), zero, np.array([len(donors)], dtype=np.int64), donors.astype(np.int64))


def stops(tree: Tree, *, smallest: int) -> Ints:
    """Return for each node the deepest node on its way from the root that pruning to ``smallest`` donors leaves."""
    sizes = tree.sizes
    found = np.arange(len(tree.left))
    parents = tree.parents()
    kept = _kept(tree, sizes, smallest)
    for node in range(1, len(found)):
        if not kept[node]:
            found[node] = found[parents[node]]
    return found


def _kept(tree: Tree, sizes: Ints, smallest: int) -> Bools:
    kept = np.ones(len(sizes), dtype=np.bool_)
    inner = np.flatnonzero(tree.left != LEAF)
    small = np.minimum(sizes[tree.left[inner]], sizes[tree.right[inner]]) < smallest
    for node, cut in zip(inner, small, strict=True):
        kept[tree.left[node]] = kept[tree.right[node]] = kept[node] and not cut
    return kept


def _sound(tree: Tree, features: int, rows: int) -> bool:
    count = len(tree.left)
    lengths = {len(one) for one in (tree.left, tree.right, tree.feature, tree.threshold, tree.start, tree.end)}
    if lengths != {count} or count == 0:
        return False
    nodes = np.arange(count)
    inner = tree.left != LEAF
    # Children come after their parent: no way down is a circle.
    below = all(((one > nodes) & (one < count))[inner].all() for one in (tree.left, tree.right))
    inside = ((tree.feature[inner] >= 0) & (tree.feature[inner] < features)).all()
    ranges = ((tree.start >= 0) & (tree.start <= tree.end) & (tree.end <= len(tree.donors))).all()
    donors = ((tree.donors >= 0) & (tree.donors < rows)).all() and tree.end[0] - tree.start[0] > 0
    return bool(below and inside and ranges and donors and ((tree.right == LEAF) == ~inner).all())

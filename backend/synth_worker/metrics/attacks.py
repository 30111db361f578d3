"""Score records by seven membership attacks; in each, higher means "was learnt from", fixed in advance.

What the attackers see is measured once (``look_deep``), so that injected rows only add what they change
(``Sight.joined``).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from sklearn import config_context
from sklearn.tree import DecisionTreeRegressor

from synth_worker.metrics.attack_space import Points, Space, on_axes
from synth_worker.metrics.base import Comparison
from synth_worker.metrics.challenge import Challenge, draw_challenge
from synth_worker.metrics.neighbours import nearest
from synth_worker.table import Bools, Floats, Ints, Table

NEIGHBOURS = 5
SUBSETS = 8
TREES = 60
PARTS = 5
MOST_TREE_ROWS = 10_000
NEAR_QUANTILE = 0.01
QUICK_ATTACKS = ("distance", "ratio", "match")
DISTANCE_ATTACKS = ("distance", "ratio", "density", "match")
FULL_ATTACKS = ("distance", "ratio", "density", "forest", "match", "subsets")
MATCH = "match"


@dataclass(frozen=True, eq=False)
class Sight:
    """Hold squared distances from each attacked record, and which records stand in the synthetic table exactly.

    ``synthetic``, ``reference``: to the five nearest rows, ascending, shape (records, 5). ``subsets``: to the nearest
    synthetic and the nearest reference row on each column subset, shape (subsets, records) each.
    """

    synthetic: Floats
    reference: Floats
    exact: Bools
    subsets: Sequence[tuple[Floats, Floats]] = ()

    def joined(self, synthetic: Floats, exact: Bools) -> Sight:
        """Return the sight after more synthetic rows, given the distances to those alone."""
        both = np.sort(np.concatenate([self.synthetic, synthetic], axis=1), axis=1)[:, : self.synthetic.shape[1]]
        return replace(self, synthetic=both, exact=self.exact | exact)

    @property
    def isolation(self) -> Floats:
        """Return the mean distance to the five nearest reference rows, shape (records,)."""
        return np.sqrt(self.reference).mean(axis=1)


@dataclass(frozen=True, eq=False)
class Scene:
    """Hold where an attack takes place: the space, the attacked records as points in it, and their challenge."""

    challenge: Challenge
    space: Space
    records: Points


def set_scene(comparison: Comparison, challenge: Challenge) -> Scene:
    """Encode the attacked records in a space fitted on synthetic and reference rows: on none that is attacked."""
    others = [] if comparison.reference is None else [comparison.reference]
    space = Space.fit([comparison.synthetic, *others])
    return Scene(challenge, space, np.concatenate([space.encode(table) for table in _attacked(comparison, challenge)]))


def look(scene: Scene, comparison: Comparison, *, deep: bool) -> Sight:
    """Measure the distances on all columns: to the nearest synthetic row, ``deep``: to the five nearest."""
    synthetic = scene.space.encode(comparison.synthetic)
    return Sight(
        synthetic=nearest(scene.records, synthetic, count=NEIGHBOURS if deep else 1, threads=comparison.threads),
        reference=_to_reference(scene, comparison, count=NEIGHBOURS),
        exact=scene.challenge.exact,
    )


def look_deep(comparison: Comparison, challenge: Challenge | None = None) -> tuple[Scene, Sight]:
    """Set the scene and measure what the distance attacks see: ``comparison.once`` shares it with the power check."""
    scene = set_scene(comparison, comparison.once(draw_challenge) if challenge is None else challenge)
    return scene, look(scene, comparison, deep=True)


def look_at_subsets(scene: Scene, comparison: Comparison) -> list[tuple[Floats, Floats]]:
    """Measure the distances on random halves of the columns, as ``Sight.subsets`` holds them."""
    found: list[tuple[Floats, Floats]] = []
    columns = len(scene.space.columns)
    rng = comparison.streams.rng("attack", "subsets")
    synthetic = scene.space.encode(comparison.synthetic)
    for _ in range(SUBSETS):
        axes = scene.space.axes(np.sort(rng.permutation(columns)[: (columns + 1) // 2]).tolist())
        own = nearest(on_axes(scene.records, axes), on_axes(synthetic, axes), threads=comparison.threads)
        found.append((own[:, 0], _to_reference(scene, comparison, count=1, axes=axes)[:, 0]))
    return found


def attack(name: str, sight: Sight) -> Floats:
    """Return the scores of a distance attack, shape (records,)."""
    synthetic, reference = np.sqrt(sight.synthetic), np.sqrt(sight.reference)
    if name == "distance":
        return -synthetic[:, 0]
    if name == "ratio":
        return _log_ratio(reference[:, 0], synthetic[:, 0])
    if name == "density":
        return _log_ratio(reference[:, -1], synthetic[:, -1])
    if name == MATCH:
        # The radius comes from reference distances, which are the same for members and non-members under no leak.
        radius = float(np.quantile(reference[:, 0], NEAR_QUANTILE))
        near = np.maximum(1.0 - synthetic[:, 0] / radius, 0.0) if radius > 0 else np.zeros(len(synthetic))
        return np.where(sight.exact, 2.0, near)
    scores = [_log_ratio(np.sqrt(real), np.sqrt(own)) for own, real in sight.subsets]
    return np.mean(scores, axis=0)


def forest(comparison: Comparison, challenge: Challenge, space: Space) -> Floats:
    """Return the probability of "synthetic" by a random forest taught synthetic against reference rows.

    Without reference rows the held-out records serve, in parts: each part of the records is scored by a forest that was
    taught the held-out records of the other parts. Records that were learnt from never serve: a forest that is taught
    some of them as "real" tells the others by subtraction (a faithful table equals their sum), which no attacker can
    do who does not hold nearly all of the training table already. ``docs/decisions/0005``.
    """
    tables = _attacked(comparison, challenge)
    records = np.concatenate([space.compact(table) for table in tables])
    synthetic = space.compact(comparison.synthetic)
    streams = comparison.streams.child("attack", "forest")
    if comparison.reference is not None and comparison.reference.rows >= NEIGHBOURS:
        return _taught(
            synthetic, space.compact(comparison.reference), records, rng=streams.rng("all"), threads=comparison.threads
        )
    # Parts of members and of non-members apart, so that each part holds the same mixture.
    rng = streams.rng("parts")
    part = np.concatenate([rng.permutation(table.rows) % PARTS for table in tables])
    held = np.arange(len(records)) >= tables[0].rows
    scores = np.empty(len(records))
    for one in range(PARTS):
        scores[part == one] = _taught(
            synthetic,
            records[held & (part != one)],
            records[part == one],
            rng=streams.rng(one),
            threads=comparison.threads,
        )
    return scores


def _taught(synthetic: Points, real: Points, records: Points, *, rng: np.random.Generator, threads: int) -> Floats:
    size = min(len(synthetic), len(real), MOST_TREE_ROWS)
    features = np.concatenate([_some(synthetic, size, rng), _some(real, size, rng)])
    labels = (np.arange(2 * size) < size).astype(np.float64)[:, None]

    def votes(rng: np.random.Generator) -> Floats:
        # On two labels the variance splits as Gini's impurity does, without the cost of finding the labels again.
        tree = DecisionTreeRegressor(max_features="sqrt", min_samples_leaf=2, random_state=int(rng.integers(2**31)))
        weights = np.bincount(rng.integers(2 * size, size=2 * size), minlength=2 * size).astype(np.float64)
        with config_context(skip_parameter_validation=True):
            tree.fit(features, labels, sample_weight=weights, check_input=False)
            return np.asarray(tree.predict(records, check_input=False), dtype=np.float64)

    # One stream per tree, and votes added in the trees' order: threads change nothing.
    streams = rng.spawn(TREES)
    if threads <= 1:
        return np.mean([votes(one) for one in streams], axis=0)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return np.mean(list(pool.map(votes, streams)), axis=0)


def _some(points: Points, size: int, rng: np.random.Generator) -> Points:
    return points if len(points) == size else points[np.sort(rng.choice(len(points), size, replace=False))]


def _log_ratio(reference: Floats, synthetic: Floats) -> Floats:
    # A hundredth of a typical distance keeps copies (distance 0) comparable without drowning small distances.
    small = 0.01 * float(np.median(reference)) or 0.001
    return np.log((reference + small) / (synthetic + small))


def _to_reference(scene: Scene, comparison: Comparison, *, count: int, axes: Ints | None = None) -> Floats:
    """Return the distances to reference rows; where there are too few the attacked records serve each other."""
    rows, threads = comparison.reference, comparison.threads
    axes = np.arange(scene.records.shape[1]) if axes is None else axes
    records = on_axes(scene.records, axes)
    if rows is None or rows.rows < NEIGHBOURS:
        return nearest(records, records, count=count, threads=threads, leave_one_out=True)
    return nearest(records, on_axes(scene.space.encode(rows), axes), count=count, threads=threads)


def _attacked(comparison: Comparison, challenge: Challenge) -> tuple[Table, Table]:
    return comparison.train.take(challenge.members), comparison.holdout.take(challenge.nonmembers)

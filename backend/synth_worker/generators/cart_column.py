"""Fit one column on the columns drawn before it, and draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from synth_worker.encoding.numbers import BODY, NumberCodec
from synth_worker.generators.cart_features import Codec, Seen, features, label_scores
from synth_worker.generators.cart_knobs import Strictness
from synth_worker.generators.cart_leaf import choose, draw
from synth_worker.generators.cart_order import source_of, strongest
from synth_worker.generators.cart_tree import Tree, grow, stump
from synth_worker.table import Floats, Ints


@dataclass(frozen=True, eq=False)
class ColumnModel:
    """Hold how one column (``target``, an index) is drawn.

    ``predictors`` are the columns its trees look at, ``orders`` the label order of each categorical one. Donors are
    training rows; ``states`` and ``places`` are theirs, shape (training rows,). ``reach`` is the half-width of the
    smoothing in ranks. Where ``source`` is a column index, the value is looked up instead: ``lookup`` holds one value
    for each level of the source.
    """

    target: int
    predictors: tuple[int, ...]
    orders: Mapping[int, Floats]
    trees: tuple[Tree, ...]
    states: Ints
    places: Floats
    reach: float
    backoff: float
    least: int
    source: int | None = None
    lookup: Floats = field(default_factory=lambda: np.empty(0))


def fit_column(
    seen: Sequence[Seen],
    target: int,
    *,
    earlier: Sequence[int],
    strict: Strictness,
    most: int,
    rng: np.random.Generator,
) -> ColumnModel:
    """Fit column ``target`` on the columns ``earlier`` (indices), with at most ``most`` predictors."""
    own = seen[target]
    if isinstance(own.codec, NumberCodec):
        states = own.codec.states(own.values)
        places = own.codec.places(own.values, rng)
        reach = strict.spread * np.sqrt(own.codec.size)
    else:
        states = own.codec.states(own.values.astype(np.int64))
        places, reach = np.zeros(len(states)), 0.0
    bare = ColumnModel(target, (), {}, (stump(np.arange(len(states))),), states, places, reach, 0.0, strict.least)
    source = _determined_by(seen, target, earlier)
    if source is not None:
        lookup = _lookup(seen[source], own)
        return ColumnModel(target, (), {}, bare.trees, states, places, reach, 0.0, strict.least, source, lookup)
    varied = [at for at in earlier if seen[at].distinct > 1]
    if not varied or own.distinct + bool((states < 0).any()) < 2:
        return bare
    rough = np.stack([seen[at].rough for at in varied], axis=1)
    predictors = [varied[at] for at in strongest(_association(rough, own.rough), most=most)]
    orders = {at: label_scores(seen[at], own) for at in predictors if not isinstance(seen[at].codec, NumberCodec)}
    values = {at: seen[at].values for at in predictors}
    wide = features(values, predictors, codecs=[one.codec for one in seen], orders=orders)
    choice = choose(wide, own.goal, own.levels, smallest=strict.least, rng=rng)
    smallest = max(strict.least, round(choice.leaf * strict.leaf_factor))
    trees = _trees(wide, own, smallest, strict, rng)
    backoff = choice.backoff * min(strict.leaf_factor, 1.0) + strict.backoff
    return ColumnModel(target, tuple(predictors), orders, trees, states, places, reach, backoff, strict.least)


def draw_column(
    model: ColumnModel, columns: Mapping[int, Floats], rows: int, *, codecs: Sequence[Codec], rng: np.random.Generator
) -> Floats:
    """Draw values (codes for labels) for rows whose earlier ``columns`` are known, shape (rows,)."""
    if model.source is not None:
        return model.lookup[_level(codecs[model.source], columns[model.source])]
    donors = draw_donors(model, columns, rows, codecs=codecs, rng=rng)
    states, places = model.states[donors], model.places[donors]
    codec = codecs[model.target]
    if isinstance(codec, NumberCodec):
        return codec.values(states, _smoothed(places, states, model.reach, codec.size, rng))
    return codec.codes(states, rng.random(rows)).astype(np.float64)


def draw_donors(
    model: ColumnModel, columns: Mapping[int, Floats], rows: int, *, codecs: Sequence[Codec], rng: np.random.Generator
) -> Ints:
    """Draw a training row for each row: from the leaf of one of the trees, or from a node above it."""
    if not model.predictors:
        return draw(model.trees[0], np.zeros(rows, dtype=np.int64), backoff=0.0, least=0, rng=rng)
    wide = features(columns, model.predictors, codecs=codecs, orders=model.orders)
    bag = rng.integers(len(model.trees), size=rows)
    donors = np.empty(rows, dtype=np.int64)
    for at, tree in enumerate(model.trees):
        mine = np.flatnonzero(bag == at)
        leaves = tree.leaves(wide[mine])
        donors[mine] = draw(tree, leaves, backoff=model.backoff, least=model.least, rng=rng)
    return donors


def _smoothed(places: Floats, states: Ints, reach: float, size: int, rng: np.random.Generator) -> Floats:
    """Move body places by up to ``reach`` ranks, reflected at the ends so that the marginal stays as it is."""
    if size < 2:
        return places
    moved = places + rng.uniform(-1, 1, len(places)) * min(reach, size / 2)
    moved = np.abs(moved)
    moved = np.where(moved > size, 2 * size - moved, moved)
    return np.where(states == BODY, np.clip(moved, 0, size), places)


def _trees(wide: Floats, own: Seen, smallest: int, strict: Strictness, rng: np.random.Generator) -> tuple[Tree, ...]:
    rows = len(own.levels)
    found: list[Tree] = []
    for _ in range(strict.bags):
        seed = int(rng.integers(2**31 - 1))
        if strict.bags == 1:
            found.append(grow(wide, own.goal, donors=np.arange(rows), smallest=smallest, seed=seed))
            continue
        shuffled = rng.permutation(rows)
        half = rows // 2
        shape, fill = np.sort(shuffled[:half]), np.sort(shuffled[half:])
        found.append(grow(wide, own.goal, donors=shape, smallest=max(2, smallest // 2), seed=seed, honest=fill))
    return tuple(found)


def _association(predictors: Floats, target: Floats) -> Floats:
    """Return absolute correlations, shape (predictors,)."""
    left = predictors - predictors.mean(axis=0)
    right = target - target.mean()
    scale = np.sqrt(np.square(left).sum(axis=0) * np.square(right).sum())
    return np.abs(left.T @ right) / np.maximum(scale, 1e-12)


def _determined_by(seen: Sequence[Seen], target: int, earlier: Sequence[int]) -> int | None:
    ids = [_level(seen[at].codec, seen[at].values) for at in earlier]
    found = source_of(_level(seen[target].codec, seen[target].values), ids)
    return None if found is None else earlier[found]


def _level(codec: Codec, values: Floats) -> Ints:
    """Number the distinct values of a column, missing first; a value between two knots counts as the lower one."""
    if isinstance(codec, NumberCodec):
        return np.where(np.isnan(values), 0, np.searchsorted(codec.knots, values, side="right"))
    return values.astype(np.int64) + 1


def _lookup(source: Seen, target: Seen) -> Floats:
    levels = _level(source.codec, source.values)
    size = (len(source.codec.knots) if isinstance(source.codec, NumberCodec) else len(source.codec.state_of)) + 1
    found = np.full(size, target.values[0])
    found[levels] = target.values
    return found

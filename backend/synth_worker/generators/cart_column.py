"""Fit one column on the columns drawn before it, and draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from synth_worker.encoding.determined import levels, lookup, source_of
from synth_worker.encoding.numbers import BODY, NumberCodec
from synth_worker.generators.cart_features import Codec, Seen, features, label_scores
from synth_worker.generators.cart_index import MOST_INDICES, Index, fit_index, no_index
from synth_worker.generators.cart_knobs import Strictness
from synth_worker.generators.cart_leaf import choose, draw
from synth_worker.generators.cart_order import strongest
from synth_worker.generators.cart_tree import Features, Tree, grow, stump
from synth_worker.generators.normal import normal_cdf, normal_quantile
from synth_worker.table import Floats, Ints

MANY_NUMBERS = 10
"""From so many numeric predictors on, linear indices of them all join the features of a tree."""

TAIL_SHARE = 0.5
TAIL_LEAST = 3.0

MOST_SHAPING = 100_000
"""Rows that shape a tree, at most; all rows are its donors. A leaf's least size counts the rows that shape it."""

LEAST_BODY = 20
"""A body of fewer values has no slope worth following."""


@dataclass(frozen=True, eq=False)
class ColumnModel:
    """Hold how one column (``target``, an index) is drawn.

    ``predictors`` are the columns its trees look at, ``orders`` the label order of each categorical one. Donors are
    training rows; ``states`` and ``places`` are theirs, shape (training rows,). ``reach`` is the half-width of the
    smoothing in ranks. ``index`` adds linear combinations of the predictors to the features, and ``lean`` is its
    linear prediction of each donor's normal score, shape (training rows,), empty for labels. Where ``source`` is a
    column index, the value is looked up instead: ``lookup`` holds one value for each level of the source.
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
    lean: Floats = field(default_factory=lambda: np.empty(0))
    index: Index = field(default_factory=lambda: no_index(0))
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
    bare = ColumnModel(
        target=target,
        predictors=(),
        orders={},
        trees=(stump(np.arange(len(states))),),
        states=states,
        places=places,
        reach=float(reach),
        backoff=0.0,
        least=strict.least,
    )
    source = _determined_by(seen, target, earlier)
    if source is not None:
        return replace(bare, source=source, lookup=lookup(seen[source].codec, seen[source].values, own.values))
    varied = [at for at in earlier if seen[at].distinct > 1]
    if not varied or own.distinct + bool((states < 0).any()) < 2:
        return bare
    rough = np.stack([seen[at].rough for at in varied], axis=1)
    predictors = tuple(varied[at] for at in strongest(_association(rough, own.rough), most=most))
    codecs = [one.codec for one in seen]
    orders = {at: label_scores(seen[at], own) for at in predictors if not isinstance(codecs[at], NumberCodec)}
    wide = features({at: seen[at].values for at in predictors}, predictors, codecs=codecs, orders=orders)
    numeric = _numeric(predictors, codecs)
    # With few numbers an index makes leaves purer than they are meant to be: on heart and adult it raised the share of
    # rows nearest to a training row and gained no fidelity; with thirty correlated measurements it halves corr_delta.
    index = fit_index(
        wide,
        numeric,
        own.goal,
        score=_body_scores(own, states, places),
        most=MOST_INDICES if sum(numeric) >= MANY_NUMBERS else 0,
    )
    lean = index.predict(wide, numeric) if index.slope.any() else np.empty(0)
    wide = index.extend(wide, numeric)
    choice = choose(wide, own.goal, own.levels, smallest=strict.least, rng=rng)
    smallest = max(strict.least, round(choice.leaf * strict.leaf_factor))
    return replace(
        bare,
        predictors=predictors,
        orders=orders,
        index=index,
        lean=lean,
        trees=_trees(wide, own, smallest=smallest, bags=strict.bags, rng=rng, shaping=MOST_SHAPING),
        backoff=choice.backoff * min(strict.leaf_factor, 1.0) + strict.backoff,
    )


def draw_column(
    model: ColumnModel, columns: Mapping[int, Floats], rows: int, *, codecs: Sequence[Codec], rng: np.random.Generator
) -> Floats:
    """Draw values (codes for labels) for rows whose earlier ``columns`` are known, shape (rows,)."""
    if model.source is not None:
        return model.lookup[levels(codecs[model.source], columns[model.source])]
    bare, wide = tree_features(model, columns, codecs, rows=rows)
    donors = _draw_donors(model, wide, rng)
    states, places = model.states[donors], model.places[donors]
    codec = codecs[model.target]
    if not isinstance(codec, NumberCodec):
        return codec.codes(states, rng.random(rows)).astype(np.float64)
    if len(model.lean):
        lean = model.index.predict(bare, _numeric(model.predictors, codecs)) - model.lean[donors]
        places = normal_cdf(_normal_scores(places, codec.size) + lean) * codec.size
    return codec.values(states, _smoothed(places, states, reach=model.reach, size=codec.size, rng=rng))


def _draw_donors(model: ColumnModel, wide: Features, rng: np.random.Generator) -> Ints:
    """Draw a training row for each row: from the leaf of one of the trees, or from a node above it."""
    bag = rng.integers(len(model.trees), size=len(wide))
    donors = np.empty(len(wide), dtype=np.int64)
    for at, tree in enumerate(model.trees):
        mine = np.flatnonzero(bag == at)
        donors[mine] = draw(tree, tree.leaves(wide[mine]), backoff=model.backoff, least=model.least, rng=rng)
    return donors


def _body_scores(own: Seen, states: Ints, places: Floats) -> Floats | None:
    """Return the normal scores of the body, NaN elsewhere, shape (rows,), or None for labels and small bodies."""
    if not isinstance(own.codec, NumberCodec) or own.codec.size < LEAST_BODY:
        return None
    return np.where(states == BODY, _normal_scores(places, own.codec.size), np.nan)


def _normal_scores(places: Floats, size: int) -> Floats:
    return normal_quantile(np.clip(places / size, 0.25 / size, 1 - 0.25 / size))


def tree_features(
    model: ColumnModel, columns: Mapping[int, Floats], codecs: Sequence[Codec], *, rows: int
) -> tuple[Features, Features]:
    """Return the predictors, and what the column's trees look at: predictors and indices, shape (rows, features)."""
    if not model.predictors:
        none = np.empty((rows, 0), dtype=np.float32)
        return none, none
    bare = features(columns, model.predictors, codecs=codecs, orders=model.orders)
    return bare, model.index.extend(bare, _numeric(model.predictors, codecs))


def _numeric(predictors: Sequence[int], codecs: Sequence[Codec]) -> list[bool]:
    return [isinstance(codecs[at], NumberCodec) for at in predictors]


def _smoothed(places: Floats, states: Ints, *, reach: float, size: int, rng: np.random.Generator) -> Floats:
    """Move body places by up to ``reach`` ranks, reflected at the ends so that the marginal stays as it is."""
    if size < 2:
        return places
    # Toward the ends the reach shrinks with what is left: at +-60 ranks the largest values would lose their relations.
    near = np.minimum(places, size - places)
    moved = places + rng.uniform(-1, 1, len(places)) * np.minimum(reach, TAIL_SHARE * near + TAIL_LEAST)
    moved = np.abs(moved)
    moved = np.where(moved > size, 2 * size - moved, moved)
    return np.where(states == BODY, np.clip(moved, 0, size), places)


def _trees(
    wide: Features,
    own: Seen,
    *,
    smallest: int,
    bags: int,
    rng: np.random.Generator,
    shaping: int,
) -> tuple[Tree, ...]:
    """Grow one tree on all rows, or several, each shaped by one half of the rows and filled by the other.

    Of a long table at most ``shaping`` rows shape a tree, and all rows that would have shaped or filled it fill it.
    """
    rows = len(own.levels)
    seeds = [int(rng.integers(2**31 - 1)) for _ in range(bags)]
    if bags == 1:
        every = np.arange(rows)
        if rows <= shaping:
            return (grow(wide, own.goal, donors=every, smallest=smallest, seed=seeds[0]),)
        shape = np.sort(rng.permutation(rows)[:shaping])
        return (grow(wide, own.goal, donors=shape, smallest=smallest, seed=seeds[0], honest=every),)
    found: list[Tree] = []
    for seed in seeds:
        shuffled = rng.permutation(rows)
        shape, fill = np.sort(shuffled[: rows // 2][:shaping]), np.sort(shuffled[rows // 2 :])
        found.append(grow(wide, own.goal, donors=shape, smallest=max(2, smallest // 2), seed=seed, honest=fill))
    return tuple(found)


def _association(predictors: Floats, target: Floats) -> Floats:
    """Return absolute correlations, shape (predictors,)."""
    left = predictors - predictors.mean(axis=0)
    right = target - target.mean()
    scale = np.sqrt(np.square(left).sum(axis=0) * np.square(right).sum())
    return np.abs(left.T @ right) / np.maximum(scale, 1e-12)


def _determined_by(seen: Sequence[Seen], target: int, earlier: Sequence[int]) -> int | None:
    ids = [levels(seen[at].codec, seen[at].values) for at in earlier]
    found = source_of(levels(seen[target].codec, seen[target].values), ids)
    return None if found is None else earlier[found]

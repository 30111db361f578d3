"""Draw rows in which some columns have given values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from synth_worker.encoding.numbers import BODY, NumberCodec
from synth_worker.generators.cart_column import ColumnModel, draw_column, tree_features
from synth_worker.generators.cart_features import Codec
from synth_worker.generators.cart_leaf import mixed, sums_below
from synth_worker.table import Bools, Floats, Ints

POOL = 20
MOST_ROWS = 400_000
NEAR_SHARE = 0.01
FLOOR = 1e-9


def draw_columns(
    columns: Sequence[ColumnModel],
    rows: int,
    *,
    codecs: Sequence[Codec],
    fixed: Mapping[int, float],
    rng: np.random.Generator,
) -> dict[int, Floats]:
    """Draw every column in order, with the ``fixed`` ones (by index) at their values.

    Columns drawn before a fixed one must be ones that go with it: they are drawn some twenty times over, weighted by
    the chance the trees give the fixed value there, and resampled (self-normalised importance resampling, Rubin 1987).
    Where the fixed columns are first in order this is exact at once.
    """
    streams = rng.spawn(len(columns) + 1)
    places = [place for place, model in enumerate(columns) if model.target in fixed]
    last = places[-1] + 1 if places else 0
    weighed = places != list(range(len(places))) and rows > 0
    count = max(rows, min(POOL * rows, MOST_ROWS)) if weighed else rows
    drawn: dict[int, Floats] = {}
    weights = np.ones(count)
    for place, (model, stream) in enumerate(zip(columns, streams[:-1], strict=True)):
        if place == last and weighed:
            kept = _resampled(weights, rows, streams[-1])
            drawn = {at: values[kept] for at, values in drawn.items()}
            count = rows
        if model.target in fixed:
            value = fixed[model.target]
            if weighed:
                weights *= np.maximum(_chances(model, drawn, value, rows=count, codecs=codecs), FLOOR)
            drawn[model.target] = np.full(count, value)
        else:
            drawn[model.target] = draw_column(model, drawn, count, codecs=codecs, rng=stream)
    if weighed and last == len(columns):
        kept = _resampled(weights, rows, streams[-1])
        drawn = {at: values[kept] for at, values in drawn.items()}
    return drawn


def _chances(
    model: ColumnModel, drawn: Mapping[int, Floats], value: float, *, rows: int, codecs: Sequence[Codec]
) -> Floats:
    """Return how likely the value is (up to a constant factor) given the columns drawn so far, shape (rows,)."""
    if model.source is not None:
        return (draw_column(model, drawn, rows, codecs=codecs, rng=np.random.default_rng(0)) == value).astype(float)
    if not model.predictors:
        return np.ones(rows)
    hits = _hits(model, value, codecs[model.target])
    _, wide = tree_features(model, drawn, codecs, rows=rows)
    total = np.zeros(rows)
    for tree in model.trees:
        counts = sums_below(tree, np.stack([hits[tree.donors], ~hits[tree.donors]], axis=1).astype(np.float64))
        total += mixed(tree, counts, backoff=max(model.backoff, 1.0))[tree.leaves(wide), 0]
    return total / len(model.trees)


def _hits(model: ColumnModel, value: float, codec: Codec) -> Bools:
    """Tell which donors speak for a value: those in the same state, and for a smoothed number those near it."""
    if not isinstance(codec, NumberCodec):
        return model.states == codec.states(np.array([int(value)]))[0]
    at = np.array([value])
    state = codec.states(at)[0]
    if state != BODY:
        return model.states == state
    place = (np.searchsorted(codec.body, at, "left")[0] + np.searchsorted(codec.body, at, "right")[0]) / 2
    near = max(model.reach, NEAR_SHARE * codec.size, 1.0)
    return (model.states == BODY) & (np.abs(model.places - place) <= near)


def _resampled(weights: Floats, rows: int, rng: np.random.Generator) -> Ints:
    """Draw row numbers in proportion to weights by one systematic pass, in random order."""
    ends = np.cumsum(weights) / weights.sum()
    marks = (np.arange(rows) + rng.random()) / max(rows, 1)
    found = np.minimum(np.searchsorted(ends, marks, side="right"), len(weights) - 1)
    return rng.permutation(found).astype(np.int64)

"""Draw rows in which some columns have given values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from synth_worker.encoding.numbers import BODY, NumberCodec
from synth_worker.errors import BadInput
from synth_worker.generators.cart_column import ColumnModel, draw_column, tree_features
from synth_worker.generators.cart_features import Codec
from synth_worker.generators.cart_leaf import sums_below
from synth_worker.generators.cart_tree import Tree
from synth_worker.table import Bools, Floats

BATCH = 100_000
LEAST_BATCH = 1_000
MOST_DRAWN = 2_000_000
"""Rows drawn in the search for ones that go with what is given; beyond that it is refused."""

NEAR_SHARE = 0.01


def draw_columns(
    columns: Sequence[ColumnModel],
    rows: int,
    *,
    codecs: Sequence[Codec],
    fixed: Mapping[int, float],
    rng: np.random.Generator,
) -> dict[int, Floats]:
    """Draw every column in order, with the ``fixed`` ones (by index) at their values.

    Where the fixed columns are first in order this is exact at once. Columns drawn before a fixed one must go with it:
    they are drawn until enough of them were accepted, each with the chance that the trees give the fixed value there
    (von Neumann's rejection). No row is used twice, so that as many rows are independent as are drawn; for a label, an
    atom and a looked-up value the result is exactly what the model would show where the value occurs, for a smoothed
    number it is what it shows near the value.

    Raises BadInput where the given values go together so seldom that not enough rows were found.
    """
    streams = rng.spawn(len(columns) + 1)
    places = [place for place, model in enumerate(columns) if model.target in fixed]
    drawn: dict[int, Floats] = {}
    _check_possible(columns[: len(places)], codecs=codecs, fixed=fixed)
    if places != list(range(len(places))) and rows > 0:
        drawn = _accepted(columns[: places[-1] + 1], rows, codecs=codecs, fixed=fixed, rng=streams[-1])
    for model, stream in zip(columns, streams[:-1], strict=True):
        if model.target in drawn:
            continue
        if model.target in fixed:
            drawn[model.target] = np.full(rows, fixed[model.target])
        else:
            drawn[model.target] = draw_column(model, drawn, rows, codecs=codecs, rng=stream)
    return drawn


def _check_possible(columns: Sequence[ColumnModel], *, codecs: Sequence[Codec], fixed: Mapping[int, float]) -> None:
    """Refuse given values of the first columns that never occur together; nothing is drawn before them."""
    drawn: dict[int, Floats] = {}
    for model in columns:
        if model.target not in fixed:
            return
        value = fixed[model.target]
        if drawn and not _chances(model, drawn, value, rows=1, codecs=codecs)[0].any():
            raise BadInput("what is given never occurs together", hint="fix fewer columns")
        drawn[model.target] = np.array([value])


def _accepted(
    columns: Sequence[ColumnModel],
    rows: int,
    *,
    codecs: Sequence[Codec],
    fixed: Mapping[int, float],
    rng: np.random.Generator,
) -> dict[int, Floats]:
    """Draw ``rows`` rows of the columns up to the last fixed one, batch after batch."""
    parts: list[dict[int, Floats]] = []
    found, tried = 0, 0
    size = min(BATCH, max(2 * rows, LEAST_BATCH))
    while found < rows:
        part = _batch(columns, size, codecs=codecs, fixed=fixed, rng=rng.spawn(1)[0])
        parts.append(part)
        found, tried = found + len(part[columns[-1].target]), tried + size
        possible = found * MOST_DRAWN // tried
        if found < rows and (tried >= MOST_DRAWN or (tried >= BATCH and 2 * possible < rows)):
            raise BadInput(
                f"what is given occurs in {found} of {tried:,} rows that the trees drew: about {possible} rows can be "
                f"drawn, {rows:,} are wanted",
                hint="ask for fewer rows, fix fewer columns, or learn with the fixed columns drawn first (--balance)",
            )
        size = int(min(BATCH, max(LEAST_BATCH, 1.1 * (rows - found) * tried / max(found, 1)), MOST_DRAWN))
    return {at: np.concatenate([one[at] for one in parts])[:rows] for at in parts[0]}


def _batch(
    columns: Sequence[ColumnModel],
    rows: int,
    *,
    codecs: Sequence[Codec],
    fixed: Mapping[int, float],
    rng: np.random.Generator,
) -> dict[int, Floats]:
    """Draw one batch and keep, at each fixed column, the rows that are accepted there."""
    drawn: dict[int, Floats] = {}
    for model, stream in zip(columns, rng.spawn(len(columns)), strict=True):
        if rows == 0:
            drawn[model.target] = np.empty(0)
        elif model.target not in fixed:
            drawn[model.target] = draw_column(model, drawn, rows, codecs=codecs, rng=stream)
        else:
            value = fixed[model.target]
            if not drawn.keys() <= fixed.keys():
                chances, most = _chances(model, drawn, value, rows=rows, codecs=codecs)
                kept = np.flatnonzero(stream.random(rows) * most < chances)
                drawn = {at: values[kept] for at, values in drawn.items()}
                rows = len(kept)
            drawn[model.target] = np.full(rows, value)
    return drawn


def _chances(
    model: ColumnModel, drawn: Mapping[int, Floats], value: float, *, rows: int, codecs: Sequence[Codec]
) -> tuple[Floats, float]:
    """Return how likely the value is given the columns drawn so far, shape (rows,), and the most it can be.

    Both are up to one constant factor. A value that no training row has fits everywhere alike.
    """
    if model.source is not None:
        looked_up = draw_column(model, drawn, rows, codecs=codecs, rng=np.random.default_rng(0))
        return (looked_up == value).astype(np.float64), 1.0
    hits = _hits(model, value, codecs[model.target])
    if not model.predictors or not hits.any():
        return np.ones(rows), 1.0
    _, wide = tree_features(model, drawn, codecs, rows=rows)
    total, most = np.zeros(rows), 0.0
    for tree in model.trees:
        chances = draw_chances(tree, hits, backoff=model.backoff, least=model.least)
        total += chances[tree.leaves(wide)]
        most += float(chances.max())
    return total, most


def draw_chances(tree: Tree, hits: Bools, *, backoff: float, least: int) -> Floats:
    """Return the chance that ``cart_leaf.draw``, begun at each node, ends at a donor in ``hits``, shape (nodes,).

    ``hits`` is over the training rows.
    """
    sizes = tree.sizes
    counts = sums_below(tree, hits[tree.donors][:, None].astype(np.float64))[:, 0]
    found = counts / np.maximum(sizes, 1)
    rising = np.where(sizes < least, 1.0, backoff / np.maximum(backoff + sizes, 1e-9))
    parents = tree.parents()
    for node in range(1, len(sizes)):  # a parent comes before its children
        found[node] += rising[node] * (found[parents[node]] - found[node])
    return found


def _hits(model: ColumnModel, value: float, codec: Codec) -> Bools:
    """Tell which donors speak for a value: those in the same state, and for a smoothed number those near it."""
    if not isinstance(codec, NumberCodec):
        return model.states == codec.states(np.array([int(value)]))[0]
    at = np.array([value])
    state = codec.states(at)[0]
    if state == BODY and not codec.size and len(codec.atoms):
        state = 1 + int(np.argmin(np.abs(codec.atoms - value)))
    if state != BODY:
        return model.states == state
    place = (np.searchsorted(codec.body, at, "left")[0] + np.searchsorted(codec.body, at, "right")[0]) / 2
    near = max(model.reach, NEAR_SHARE * codec.size, 1.0)
    return (model.states == BODY) & (np.abs(model.places - place) <= near)

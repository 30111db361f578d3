"""See a column as a target and as a predictor: states, bins, scores, and an order of its labels for each target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from synth_worker.encoding.labels import LabelCodec, fit_labels
from synth_worker.encoding.numbers import BODY, NumberCodec, fit_numbers
from synth_worker.generators.cart_tree import Features
from synth_worker.schema import Column
from synth_worker.table import Floats, Ints, Table

MOST_BINS = 20
ROWS_PER_BIN = 12
PRIOR_ROWS = 5.0
Codec = NumberCodec | LabelCodec


@dataclass(frozen=True, eq=False)
class Seen:
    """Hold a training column: its codec, its values (codes for labels, as floats), and what trees are grown on.

    ``levels`` are integers from 0 (missing is the last), shape (rows,): states for labels, atoms and bins for numbers;
    ``width`` is how many there are. ``goal`` is what a tree's impurity is computed on: the levels, or for numbers the
    score and an indicator of missing and of each atom. ``rough`` is one number per row for quick associations.
    """

    codec: Codec
    values: Floats
    levels: Ints
    width: int
    goal: Ints | Floats
    rough: Floats
    distinct: int


def see(column: Column, table: Table, *, rare: int, position: Floats) -> Seen:
    """Learn how one column looks; ``position`` is the table's leading direction, shape (rows,)."""
    if column.continuous:
        values = table.numbers(column.name)
        codec = fit_numbers(values, column)
        levels, width = _bins(codec, values)
        scores = codec.scores(values)
        distinct = len(codec.knots)
        return Seen(codec, values, levels, width, _goal(codec, values), np.where(scores < 0, 0.5, scores), distinct)
    codes = table.codes(column.name)
    labels = fit_labels(codes, len(column.categories), rare=rare, position=position)
    states = labels.states(codes)
    width = labels.state_count + 1
    levels = np.where(states < 0, width - 1, states)
    rough = _means(levels, width, position)[levels]
    return Seen(labels, codes.astype(np.float64), levels, width, levels, rough, int((np.bincount(codes + 1) > 0).sum()))


def label_scores(predictor: Seen, target: Seen) -> Floats:
    """Order the labels of a categorical predictor for one target, shape (width,): ranks from 0.

    By the mean of a numeric target; for a categorical one by the first axis of correspondence analysis of the table of
    counts (Greenacre 2017, chapter 8), for two labels the same as the mean.
    """
    if isinstance(target.codec, NumberCodec):
        scores = _means(predictor.levels, predictor.width, target.rough)
    else:
        counts = np.zeros((predictor.width, target.width))
        np.add.at(counts, (predictor.levels, target.levels), 1.0)
        scores = _first_axis(counts)
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(len(scores))
    return ranks


def features(
    columns: Mapping[int, Floats], predictors: Sequence[int], *, codecs: Sequence[Codec], orders: Mapping[int, Floats]
) -> Features:
    """Return one target's predictors, shape (rows, predictors), from columns of values (codes for labels)."""
    rows = len(next(iter(columns.values()))) if columns else 0
    found = np.empty((rows, len(predictors)), dtype=np.float32)
    for place, at in enumerate(predictors):
        codec = codecs[at]
        if isinstance(codec, NumberCodec):
            found[:, place] = codec.scores(columns[at])
        else:
            found[:, place] = orders[at][codec.states(columns[at].astype(np.int64))]
    return found


def _bins(codec: NumberCodec, values: Floats) -> tuple[Ints, int]:
    states = codec.states(values)
    bins = int(np.clip(codec.size // ROWS_PER_BIN, 1, MOST_BINS))
    edges = np.unique(np.quantile(codec.body, np.arange(1, bins) / bins)) if codec.size else np.empty(0)
    among = np.searchsorted(edges, values, side="right")
    atoms = codec.state_count - 1
    levels = np.where(states == BODY, atoms + among, states - 1)
    width = atoms + len(edges) + 2
    return np.where(states < 0, width - 1, levels).astype(np.int64), width


def _goal(codec: NumberCodec, values: Floats) -> Floats:
    states = codec.states(values)
    scores = codec.scores(values)
    middle = float(scores[states >= 0].mean()) if (states >= 0).any() else 0.5
    parts = [np.where(states < 0, middle, scores)]
    marks = [mark for mark in range(-1, codec.state_count) if mark != BODY]
    shares = [(states == mark).mean() for mark in marks]
    ranked = sorted(zip(shares, marks, strict=True), reverse=True)[:6]
    parts += [(states == mark).astype(np.float64) * 0.5 for share, mark in ranked if 0.005 < share < 1]
    return np.stack(parts, axis=1)


def _means(levels: Ints, width: int, numbers: Floats) -> Floats:
    """Return the mean number of each level, shrunk to the overall mean by a few rows, shape (width,)."""
    sums = np.bincount(levels, weights=numbers, minlength=width)
    counts = np.bincount(levels, minlength=width)
    return (sums + PRIOR_ROWS * numbers.mean()) / (counts + PRIOR_ROWS)


def _first_axis(counts: Floats) -> Floats:
    rows = counts.sum(axis=1)
    kept_rows, kept = rows > 0, counts.sum(axis=0) > 0
    out = np.zeros(len(rows))
    inner = counts[np.ix_(kept_rows, kept)]
    share = inner / inner.sum()
    left, top = share.sum(axis=1), share.sum(axis=0)
    if min(inner.shape) < 2:
        return out
    residual = (share - np.outer(left, top)) / np.sqrt(np.outer(left, top))
    # The small side's eigenvectors are enough, and much cheaper than a full decomposition.
    if residual.shape[0] <= residual.shape[1]:
        axis = np.linalg.eigh(residual @ residual.T)[1][:, -1]
    else:
        axis = residual @ np.linalg.eigh(residual.T @ residual)[1][:, -1]
    out[kept_rows] = axis / np.sqrt(left)
    return out

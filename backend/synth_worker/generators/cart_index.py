"""Add to a tree's features the one or two linear indices of all predictors that predict its target best.

A tree of few leaves can look at few columns; where many columns each say a little (thirty correlated measurements), an
index lets one cut look at all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synth_worker.generators.cart_tree import Features
from synth_worker.generators.normal import normal_quantile
from synth_worker.table import Floats, Ints

MOST_INDICES = 2
PENALTY = 2.0
EDGE = 0.002


@dataclass(frozen=True, eq=False)
class Index:
    """Hold the linear map: ``centre`` and ``scale`` of each predictor, ``weights`` of shape (predictors, indices).

    ``slope``, shape (predictors,), predicts the target's normal score; it is 0 for labels.
    """

    centre: Floats
    scale: Floats
    weights: Floats
    slope: Floats

    def extend(self, features: Features, numeric: Sequence[bool]) -> Features:
        """Return the features with the indices as further columns."""
        if not self.weights.shape[1]:
            return features
        indices = _inputs(features, numeric, self.centre, self.scale) @ self.weights
        return np.concatenate([features, indices.astype(np.float32)], axis=1)

    def predict(self, features: Features, numeric: Sequence[bool]) -> Floats:
        """Return the linear prediction of the target's normal score, shape (rows,)."""
        return _inputs(features, numeric, self.centre, self.scale) @ self.slope


def no_index(predictors: int) -> Index:
    """Return a map that adds nothing."""
    return Index(np.zeros(predictors), np.ones(predictors), np.empty((predictors, 0)), np.zeros(predictors))


def fit_index(
    features: Features, numeric: Sequence[bool], goal: Ints | Floats, *, score: Floats | None, most: int
) -> Index:
    """Fit the indices and the slope by ridge regression (Hoerl and Kennard 1970).

    ``goal`` is what the trees are grown on: labels, shape (rows,), or numbers, shape (rows, goals); ``most`` is how
    many indices may be made of it. ``score`` is the target's normal score, shape (rows,), NaN in rows that have none.
    Leave-one-out indices would be wrong here: among rows with equal predictors they differ by the row's own label, and
    a tree reads that off.
    """
    width = features.shape[1]
    raw = _inputs(features, numeric, np.zeros(width), np.ones(width))
    centre, scale = raw.mean(axis=0), np.maximum(raw.std(axis=0), 1e-9)
    inputs = _inputs(features, numeric, centre, scale)
    weights, slope = np.empty((width, 0)), np.zeros(width)
    if most and width > 1:
        full = _ridge(inputs, _wanted(goal))
        fitted = inputs @ full
        # The few directions in which the fits vary most; for one number there is only one.
        weights = full @ np.linalg.eigh(fitted.T @ fitted)[1][:, ::-1][:, :most]
    if score is not None:
        body = ~np.isnan(score)
        slope = _ridge(inputs[body], score[body][:, None])[:, 0]
    return Index(centre, scale, weights, slope)


def _ridge(inputs: Floats, wanted: Floats) -> Floats:
    penalty = PENALTY * np.sqrt(len(inputs)) * np.eye(inputs.shape[1])
    return np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ (wanted - wanted.mean(axis=0)))


def _inputs(features: Features, numeric: Sequence[bool], centre: Floats, scale: Floats) -> Floats:
    found = features.astype(np.float64)
    mask = np.asarray(numeric, dtype=np.bool_)
    ranks = found[:, mask]
    found[:, mask] = np.where(ranks < 0, centre[mask], normal_quantile(np.clip(ranks, EDGE, 1 - EDGE)))
    return (found - centre) / scale


def _wanted(goal: Ints | Floats) -> Floats:
    if goal.ndim > 1:
        return np.asarray(goal, dtype=np.float64)
    levels = np.unique(goal)
    shown = (goal[:, None] == levels).astype(np.float64)
    return shown / np.sqrt(np.maximum(shown.mean(axis=0), 0.01))

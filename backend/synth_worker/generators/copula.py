"""Draw tables from a Gaussian copula with empirical marginals: the fast generator that remembers least.

Each column has a latent normal score; numbers come from it through their empirical quantiles (atoms keep their share),
categories through thresholds on an order along the table's leading direction, missing values through a latent score of
their own, so that being missing can depend on other columns and on being missing there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from synth_worker.encoding.direction import WideTable, widen
from synth_worker.encoding.numbers import NumberCodec, fit_numbers
from synth_worker.encoding.storing import number_arrays, restore_numbers
from synth_worker.errors import BadModel, Cancelled, NotFitted
from synth_worker.generators.assembly import assemble, check_train
from synth_worker.generators.base import Hyperparameters, Progress, Signal, Value, Watch, unwatched
from synth_worker.generators.conditions import resolve
from synth_worker.generators.normal import Box, correlation_of, draw_in_box, interval_means, normal_cdf, normal_quantile
from synth_worker.generators.persistence import load_model, save_model
from synth_worker.schema import Column, Schema
from synth_worker.table import Floats, Ints, Table

METHOD = "gc"


@dataclass(frozen=True, eq=False)
class LabelScale:
    """Order the labels of a column along a line: ``order`` lists the codes, ``ends`` their cumulated shares."""

    order: Ints
    ends: Floats

    def intervals(self, codes: Ints) -> tuple[Floats, Floats]:
        """Return the slice of [0, 1] of each code."""
        rank = np.empty(len(self.order), dtype=np.int64)
        rank[self.order] = np.arange(len(self.order))
        starts = np.concatenate([[0.0], self.ends])
        at = rank[np.maximum(codes, 0)] if len(rank) else np.zeros(len(codes), dtype=np.int64)
        return starts[at], starts[np.minimum(at + 1, len(starts) - 1)]

    def codes(self, levels: Floats) -> Ints:
        """Return the code at each level in [0, 1]."""
        if not len(self.order):
            return np.full(len(levels), -1, dtype=np.int64)
        at = np.searchsorted(self.ends, levels, side="right")
        return self.order[np.minimum(at, len(self.order) - 1)]


@dataclass(frozen=True, eq=False)
class CopulaModel:
    """Hold what was learnt: a scale per column, the share of missing values, the latent correlation matrix.

    The latent scores are those of the columns in order, then one for each column of ``gaps`` (that has missing values).
    """

    schema: Schema
    scales: tuple[NumberCodec | LabelScale, ...]
    missing: Floats
    gaps: tuple[int, ...]
    correlation: Floats


class GaussianCopula:
    """Fit a Gaussian copula with empirical marginals (Nelsen 2006, section 3.1; latent thresholds for mixed types).

    >>> from tests.tables import adult_like
    >>> train = adult_like(200, seed=0)
    >>> model = GaussianCopula({}).fit(train, rng=np.random.default_rng(0))
    >>> model.sample(3, rng=np.random.default_rng(1)).rows
    3
    """

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        self.hyperparameters = dict(hyperparameters)
        self._model: CopulaModel | None = None

    def fit(
        self,
        train: Table,
        *,
        rng: np.random.Generator,
        watch: Watch = unwatched,
        threads: int = 1,
        keep: Path | None = None,
    ) -> Self:
        """Learn the marginals and the latent correlation; nothing is random, and one thread is enough.

        Nothing is kept on the way: that takes a second.
        Raises BadInput for columns that cannot be modelled or fewer than two rows, Cancelled at a stop.
        """
        check_train(train)
        wide = widen(train)
        scales = tuple(_scale(column, train, wide) for column in train.schema)
        if watch(Progress(1, 2, "marginals"), None) is Signal.STOP:
            raise Cancelled("stopped before the copula was fitted")
        missing = np.array([train.missing(name).mean() for name in train.schema.names])
        gaps = tuple(int(at) for at in np.flatnonzero((missing > 0) & (missing < 1)))
        correlation = _latent_correlation(train, scales, gaps)
        model = CopulaModel(train.schema, scales, missing, gaps, correlation)
        if watch(Progress(2, 2, "dependence"), None) is Signal.STOP:
            raise Cancelled("stopped before the copula was fitted")
        self._model = model
        return self

    def sample(self, rows: int, *, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Table:
        """Draw rows, exactly conditioned on ``given`` under the model (a truncated normal, drawn by Gibbs steps)."""
        if self._model is None:
            raise NotFitted("the copula has learnt no table yet", hint="call fit or load first")
        model = self._model
        fixed = resolve(given, model.schema)
        latent = draw_in_box(model.correlation, _box(model, fixed), rows, rng)
        levels = normal_cdf(latent)
        columns: list[Floats] = []
        width = len(model.schema)
        for at, (column, scale) in enumerate(zip(model.schema, model.scales, strict=True)):
            if column.name in fixed:
                columns.append(np.full(rows, fixed[column.name]))
                continue
            absent = np.full(rows, model.missing[at] == 1)
            if at in model.gaps:
                absent = levels[:, width + model.gaps.index(at)] > 1 - model.missing[at]
            if isinstance(scale, NumberCodec):
                columns.append(np.where(absent, np.nan, scale.quantiles(levels[:, at])))
            else:
                columns.append(np.where(absent, -1, scale.codes(levels[:, at])).astype(np.float64))
        return assemble(model.schema, columns)

    def save(self, folder: Path) -> None:
        """Write the model into an existing folder."""
        if self._model is None:
            raise NotFitted("the copula has learnt no table yet", hint="call fit first")
        model = self._model
        arrays: dict[str, np.ndarray] = {"correlation": model.correlation, "missing": model.missing}
        for at, scale in enumerate(model.scales):
            if isinstance(scale, NumberCodec):
                arrays |= number_arrays(scale, f"column{at}")
            else:
                arrays |= {f"column{at}.order": scale.order, f"column{at}.ends": scale.ends}
        state = {"hyperparameters": self.hyperparameters, "gaps": list(model.gaps)}
        save_model(folder, method=METHOD, schema=model.schema, state=state, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> GaussianCopula:
        """Read a model back. Raises BadModel on damage."""
        stored = load_model(folder, method=METHOD)
        width = len(stored.schema)
        gaps = tuple(at for at in stored.items("gaps") if isinstance(at, int) and 0 <= at < width)
        latent = width + len(gaps)
        scales: list[NumberCodec | LabelScale] = []
        for at, column in enumerate(stored.schema):
            if column.continuous:
                scales.append(restore_numbers(stored.arrays, f"column{at}"))
            else:
                levels = len(column.categories)
                order = stored.array(f"column{at}.order", dtype=np.int64, shape=(levels,)).astype(np.int64)
                ends = stored.array(f"column{at}.ends", dtype=np.float64, shape=(levels,)).astype(np.float64)
                if sorted(order) != list(range(levels)):
                    raise BadModel(f"the model does not order the labels of column {column.name!r}")
                scales.append(LabelScale(order, ends))
        model = CopulaModel(
            stored.schema,
            tuple(scales),
            stored.array("missing", dtype=np.float64, shape=(width,)).astype(np.float64),
            gaps,
            stored.array("correlation", dtype=np.float64, shape=(latent, latent)).astype(np.float64),
        )
        made = cls(stored.hyperparameters())
        made._model = model
        return made

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats | None:
        """Return None: a copula has no loss per row that would know its members."""
        return None


def _scale(column: Column, train: Table, wide: WideTable) -> NumberCodec | LabelScale:
    if column.continuous:
        return fit_numbers(train.numbers(column.name), column)
    codes = train.codes(column.name)
    counts = np.bincount(codes[codes >= 0], minlength=len(column.categories)).astype(np.float64)
    # Label order is arbitrary; along the line on which the other columns differ most, one score carries most.
    order = np.argsort(wide.label_positions(column.name, codes, len(counts)), kind="stable").astype(np.int64)
    return LabelScale(order, np.cumsum(counts[order]) / max(float(counts.sum()), 1.0))


def _latent_correlation(train: Table, scales: tuple[NumberCodec | LabelScale, ...], gaps: tuple[int, ...]) -> Floats:
    scores: list[Floats] = []
    for column, scale in zip(train.schema, scales, strict=True):
        absent = train.missing(column.name)
        if isinstance(scale, NumberCodec):
            low, high = scale.intervals(train.numbers(column.name))
        else:
            low, high = scale.intervals(train.codes(column.name))
        scores.append(np.where(absent, np.nan, interval_means(low, high)))
    for at in gaps:
        absent = train.missing(train.schema.columns[at].name)
        cut = 1 - absent.mean()
        scores.append(interval_means(np.where(absent, cut, 0.0), np.where(absent, 1.0, cut)))
    return correlation_of(np.stack(scores, axis=1))


def _box(model: CopulaModel, fixed: Mapping[str, float]) -> Box:
    box: Box = {}
    width = len(model.schema)
    for at, (column, scale) in enumerate(zip(model.schema, model.scales, strict=True)):
        if column.name not in fixed:
            continue
        value = fixed[column.name]
        if isinstance(scale, NumberCodec):
            low, high = scale.intervals(np.array([value]))
        else:
            low, high = scale.intervals(np.array([int(value)]))
        box[at] = (float(normal_quantile(low)[0]), float(normal_quantile(high)[0]))
        if at in model.gaps:
            box[width + model.gaps.index(at)] = (-np.inf, float(normal_quantile(np.array([1 - model.missing[at]]))[0]))
    return box

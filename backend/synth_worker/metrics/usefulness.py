"""Ask what a model learnt from the synthetic table is worth on real rows, beside one learnt from real rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.confidence import Bounds, clustered_variance, normal_bounds, placements
from synth_worker.metrics.survival import harrell_c, martingale_residuals
from synth_worker.metrics.trees import Effort, Features, classify, regress, side_by_side
from synth_worker.schema import Kind
from synth_worker.table import Bools, Floats, Ints, Table

MOST_ROWS = 20_000
"""Rows that either model learns from, at most."""

FEWEST_ROWS = 20
MOST_CLASSES = 10
"""A target with more classes is reduced to its most common ones and the rest together."""

EFFORT = Effort(iterations=60, leaves=8)
"""Small trees: on a few thousand rows with much noise larger ones learn the noise and lose to them."""

YES = frozenset({"1", "1.0", "true", "t", "yes", "y", "event", "dead", "died", "death", "deceased"})


@dataclass(frozen=True, eq=False)
class Task:
    """Hold what is to be predicted: ``worth`` fits on a table, tests on the held-out rows, and returns the figure
    with what each tested row adds to it (centred, shape (rows,)). ``units`` of the tested rows cluster the interval.
    """

    name: str
    least: float
    worth: Callable[[Table], tuple[float, Floats]]
    usable: Callable[[Table], Bools]
    units: Ints | None


def auroc_task(comparison: Comparison, target: str) -> Task | str:
    """Return the task to predict a categorical target (AUROC; macro one-versus-rest over several classes)."""
    train, holdout = comparison.train, comparison.holdout
    place = _classes(train, target)
    features = Features.of(train, without=(target,))

    def usable(table: Table) -> Bools:
        return ~table.missing(target)

    test = holdout.take(np.flatnonzero(usable(holdout)))
    truth = place[test.codes(target)]
    counts = np.bincount(truth, minlength=int(place.max()) + 1)
    scored = [one for one in range(len(counts)) if 2 <= counts[one] <= test.rows - 2]
    if len(scored) < 2:
        return f"the held-out rows have fewer than two classes of {target!r} with two rows each"
    if len(counts) == 2:
        scored = [1]
    inputs = features.matrix(test)

    def worth(table: Table) -> tuple[float, Floats]:
        known = place[table.codes(target)]
        scores = np.zeros((test.rows, len(counts)))
        present = np.unique(known)
        if len(present) > 1:
            model = classify(
                features.matrix(table),
                known,
                native=features.native,
                effort=EFFORT,
                seed=comparison.streams.integer("tstr"),
            )
            scores[:, present] = model.predict_proba(inputs)
        values: list[float] = []
        parts = np.zeros(test.rows)
        for one in scored:
            hit = truth == one
            above, below = placements(scores[hit, one], scores[~hit, one])
            values.append(float(above.mean()))
            parts[hit] += (above - above.mean()) / len(above) / len(scored)
            parts[~hit] += (below - below.mean()) / len(below) / len(scored)
        return float(np.mean(values)), parts

    return Task(f"AUROC of {target!r}", 0.0, worth, usable, test.units)


def r2_task(comparison: Comparison, target: str) -> Task | str:
    """Return the task to predict a number (R2 against the mean of the tested rows)."""
    features = Features.of(comparison.train, without=(target,))

    def usable(table: Table) -> Bools:
        return ~table.missing(target)

    test = comparison.holdout.take(np.flatnonzero(usable(comparison.holdout)))
    truth = test.numbers(target)
    spread = (truth - truth.mean()) ** 2 if len(truth) else np.zeros(0)
    if spread.sum() == 0:
        return f"the held-out rows have fewer than two values of {target!r}"
    inputs = features.matrix(test)

    def worth(table: Table) -> tuple[float, Floats]:
        # Boosting starts at the mean: centred values keep instants (seconds since 1970) exact.
        values = table.numbers(target)
        model = regress(
            features.matrix(table),
            values - values.mean(),
            native=features.native,
            effort=EFFORT,
            seed=comparison.streams.integer("tstr"),
        )
        off = (truth - values.mean() - model.predict(inputs)) ** 2
        ratio = off.sum() / spread.sum()
        return float(1 - ratio), (ratio * spread - off) / spread.sum()

    return Task(f"R2 of {target!r}", -np.inf, worth, usable, test.units)


def survival_task(comparison: Comparison, time: str, event: str) -> Task | str:
    """Return the task to order people by risk (Harrell's C): trees learn the martingale residual."""
    column = comparison.train.schema[event]
    happened: tuple[int, ...] = ()
    if column.kind is Kind.CATEGORICAL:
        happened = tuple(at for at, label in enumerate(column.categories) if label.strip().lower() in YES)
        if not happened:
            return f"no value of {event!r} says that the event happened (such as 1, true, yes)"
    features = Features.of(comparison.train, without=(time, event))
    if not features.names:
        return f"there is no column besides {time!r} and {event!r}"

    def events(table: Table) -> Bools:
        if happened:
            return np.isin(table.codes(event), happened)
        return table.numbers(event) > 0.5

    def usable(table: Table) -> Bools:
        return ~(table.missing(time) | table.missing(event))

    test = comparison.holdout.take(np.flatnonzero(usable(comparison.holdout)))
    rows = np.sort(comparison.streams.rng("tstr", "test").permutation(test.rows)[:MOST_ROWS])
    test = test.take(rows)
    if np.isnan(harrell_c(test.numbers(time), events(test), np.zeros(test.rows))[0]):
        return "the held-out rows have no pair whose order of events is known"
    inputs = features.matrix(test)

    def worth(table: Table) -> tuple[float, Floats]:
        outcome = martingale_residuals(table.numbers(time), events(table))
        model = regress(
            features.matrix(table),
            outcome,
            native=features.native,
            effort=EFFORT,
            seed=comparison.streams.integer("tstr"),
        )
        return harrell_c(test.numbers(time), events(test), model.predict(inputs))

    return Task(f"C-index of {time!r}", 0.0, worth, usable, test.units)


def _classes(train: Table, target: str) -> Ints:
    """Return the class of each code of the target: the most common ones in the schema's order, then all others."""
    counts = np.bincount(train.codes(target) + 1, minlength=len(train.schema[target].categories) + 1)[1:]
    if np.count_nonzero(counts) <= MOST_CLASSES:
        common = np.flatnonzero(counts)
    else:
        common = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
    place = np.full(len(counts), len(common), dtype=np.int64)
    place[common] = np.arange(len(common))
    return place


def _task(comparison: Comparison) -> Task | Score:
    """Return the task that the comparison asks for, or why there is none."""
    names = comparison.train.schema.names
    asked = [one for one in (comparison.time, comparison.event, comparison.target) if one is not None]
    absent = [one for one in asked if one not in names]
    if absent:
        return Score.unmeasured(f"column {absent[0]!r} is not among the modelled columns")
    if comparison.time is not None and comparison.event is not None:
        found = survival_task(comparison, comparison.time, comparison.event)
    elif comparison.target is None:
        return Score.not_applicable("no target column was named")
    elif len(names) < 2:
        return Score.not_applicable("there is no column besides the target")
    elif comparison.train.schema[comparison.target].continuous:
        found = r2_task(comparison, comparison.target)
    else:
        found = auroc_task(comparison, comparison.target)
    return Score.unmeasured(found) if isinstance(found, str) else found


def _compute(comparison: Comparison) -> Scores:
    task = _task(comparison)
    if isinstance(task, Score):
        return {"tstr": task}
    usable = [np.flatnonzero(task.usable(table)) for table in (comparison.train, comparison.synthetic)]
    size = min(len(usable[0]), len(usable[1]), MOST_ROWS)
    if size < FEWEST_ROWS:
        return {"tstr": Score.unmeasured(f"{size} rows to learn from; at least {FEWEST_ROWS} are needed")}
    tables: list[Table] = []
    for label, table, rows in zip(("real", "synthetic"), (comparison.train, comparison.synthetic), usable, strict=True):
        drawn = comparison.streams.rng("tstr", label).choice(rows, size=size, replace=False)
        tables.append(table.take(np.sort(drawn)))
    real, made = side_by_side([partial(task.worth, table) for table in tables], threads=comparison.threads)
    own, reference = (_bounds(task, one, comparison.alpha) for one in (made, real))
    gap = _bounds(task, (real[0] - made[0], real[1] - made[1]), comparison.alpha, least=-np.inf, most=np.inf)
    detail = {
        "real": real[0],
        "real_low": reference.low,
        "real_high": reference.high,
        "loss": real[0] - made[0],
        "loss_low": gap.low,
        "loss_high": gap.high,
        "learnt_rows": float(size),
        "at_floor_size": made[0],
    }
    score = Score(
        made[0],
        own.low,
        own.high,
        own.upper,
        floor=real[0],
        reason=task.name,
        rows=len(made[1]),
        detail=detail,
    )
    return {"tstr": score}


def _bounds(
    task: Task, found: tuple[float, Floats], alpha: float, *, least: float | None = None, most: float = 1.0
) -> Bounds:
    error = float(np.sqrt(clustered_variance(found[1], task.units)))
    return normal_bounds(found[0], error, alpha=alpha, least=task.least if least is None else least, most=most)


FAMILY = Family(
    "usefulness",
    (Metric("tstr", Better.HIGHER, "learnt from synthetic rows, tested on held-out real rows (AUROC, R2, C-index)"),),
    _compute,
)
FAMILIES = (FAMILY,)

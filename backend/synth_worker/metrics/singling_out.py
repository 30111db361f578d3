"""Single out: how often does a description read off the synthetic table fit exactly one real record?

Descriptions are of two kinds (Giomi et al. 2023, section 4.1): one value that occurs once in a synthetic column, and
a few conditions on a random synthetic record at once. A description that fits one of n records is likelier the larger
n is, so training records are asked in parts of the control's size; what the parts find beyond the control adds up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from synth_worker.metrics.base import Comparison, Score
from synth_worker.metrics.challenge import one_per_unit
from synth_worker.metrics.confidence import clustered_variance, normal_bounds
from synth_worker.metrics.evidence import upper_tail
from synth_worker.schema import Column
from synth_worker.table import Bools, Floats, Table

GUESSES = 1_000
CONDITIONS = 4
LEAST_CONTROL = 10


@dataclass(frozen=True, eq=False)
class Condition:
    """Hold one condition on one column: ``way`` is "=", "<=" or ">="; ``value`` a number, or a label's position.

    A value of NaN with "=" asks for a missing one; so does the label position -1.
    """

    column: int
    way: str
    value: float

    def fits(self, values: Floats) -> Bools:
        """Tell which values of the column fulfil the condition, shape (rows,)."""
        if self.way == "<=":
            return values <= self.value
        if self.way == ">=":
            return values >= self.value
        return np.isnan(values) if math.isnan(self.value) else values == self.value


Guess = tuple[Condition, ...]


def singling_out(comparison: Comparison) -> Score:
    """Return the larger risk of the two kinds of description; ``detail`` has both.

    With units one row per unit is described. Bonferroni over the two kinds.
    """
    held = [comparison.holdout] if comparison.reference is None else [comparison.holdout, comparison.reference]
    columns = [column for column in comparison.synthetic.schema if column.modelled]
    rng = comparison.streams.rng("disclosure", "singling out")
    train = _values(comparison.train, columns, rng=rng)
    control = np.concatenate([_values(table, columns, rng=rng) for table in held], axis=1)
    synthetic = _values(comparison.synthetic, columns, rng=rng)
    size = min(control.shape[1], train.shape[1])
    if size < LEAST_CONTROL:
        return Score.unmeasured(f"{size} records to describe on a side; at least {LEAST_CONTROL} are needed")
    control = control[:, rng.permutation(control.shape[1])[:size]]
    guesses = {
        "one_value": _single_values(synthetic, rng=rng),
        "conditions": _conjunctions(synthetic, [column.continuous for column in columns], rng=rng),
    }
    risks = {
        kind: _risk(own, train=train[:, rng.permutation(train.shape[1])], control=control)
        for kind, own in guesses.items()
        if len(own) > 1
    }
    return _worst(risks, alpha=comparison.alpha, rows=size)


@dataclass(frozen=True)
class _Risk:
    value: float
    error: float
    control: float


def _risk(guesses: Sequence[Guess], *, train: Floats, control: Floats) -> _Risk:
    """Count which guesses fit exactly one record in each part of ``train`` and in ``control``, (columns, rows) each."""
    size = control.shape[1]
    parts = train.shape[1] // size
    everyone = np.concatenate([train[:, : parts * size], control], axis=1)
    single = np.stack([_fits_one(guess, everyone, size=size) for guess in guesses])
    # Each part holds its share of the training records: the excesses of all parts add up to that of the whole.
    gain = (single[:, :-1].mean(axis=1) - single[:, -1]) * train.shape[1] / size
    chance = float(single[:, -1].mean())
    room = max(1 - chance, 1 / len(guesses))
    error = math.sqrt(clustered_variance((gain - gain.mean()) / len(gain)))
    return _Risk(min(float(gain.mean()) / room, 1.0), error / room, chance)


def _fits_one(guess: Guess, values: Floats, *, size: int) -> Floats:
    """Return 1 for each run of ``size`` records of which exactly one fits, else 0."""
    # Labels first: the fewer rows they leave, the fewer the others look at.
    first, *others = sorted(guess, key=lambda one: one.way != "=")
    rows = np.flatnonzero(first.fits(values[first.column]))
    for condition in others:
        rows = rows[condition.fits(values[condition.column][rows])]
    return (np.bincount(rows // size, minlength=values.shape[1] // size) == 1).astype(np.float64)


def _worst(risks: dict[str, _Risk], *, alpha: float, rows: int) -> Score:
    if not risks:
        return Score.unmeasured("the synthetic table gives no description of a record")
    count = len(risks)
    kind = max(risks, key=lambda name: risks[name].value)
    worst = risks[kind]
    bounds = normal_bounds(worst.value, worst.error, alpha=alpha, least=-1.0)
    reach = float(ndtri(1 - alpha / count))
    p_values = [upper_tail(one.value / one.error) if one.error > 0 else float(one.value <= 0) for one in risks.values()]
    return Score(
        worst.value,
        low=bounds.low,
        high=bounds.high,
        upper=min(max(one.value + reach * one.error for one in risks.values()), 1.0),
        p_value=min(min(p_values) * count, 1.0),
        floor=0.0,
        rows=rows,
        detail={
            "real": worst.control,
            **{f"kind:{name}": one.value for name, one in risks.items()},
            **{f"se:{name}": one.error for name, one in risks.items()},
        },
    )


def _single_values(synthetic: Floats, *, rng: np.random.Generator) -> list[Guess]:
    """Describe by one value that occurs once in its synthetic column, or by a column's end."""
    guesses: list[Guess] = []
    for column, values in enumerate(synthetic):
        known, counts = np.unique(values[~np.isnan(values)], return_counts=True)
        guesses += [(Condition(column, "=", float(value)),) for value in known[counts == 1]]
        if len(known):
            guesses += [(Condition(column, "<=", float(known[0])),), (Condition(column, ">=", float(known[-1])),)]
    chosen = rng.permutation(len(guesses))[:GUESSES]
    return [guesses[one] for one in chosen]


def _conjunctions(synthetic: Floats, continuous: Sequence[bool], *, rng: np.random.Generator) -> list[Guess]:
    """Describe by a few columns of a random synthetic record: its label, or the side of the median it lies on."""
    medians = [float(np.nanmedian(row)) if not np.isnan(row).all() else math.nan for row in synthetic]
    guesses: list[Guess] = []
    for record in rng.integers(synthetic.shape[1], size=GUESSES):
        picked = rng.permutation(len(synthetic))[:CONDITIONS]
        guess: list[Condition] = []
        for column in picked.tolist():
            value = float(synthetic[column, record])
            way = "=" if not continuous[column] or math.isnan(value) else ">=" if value > medians[column] else "<="
            guess.append(Condition(column, way, value))
        guesses.append(tuple(guess))
    return guesses


def _values(table: Table, columns: Sequence[Column], *, rng: np.random.Generator) -> Floats:
    """Return numbers, and labels as their positions, of one row per unit, shape (columns, rows)."""
    rows = one_per_unit(table, np.arange(table.rows), rng=rng)
    return np.stack(
        [
            (table.numbers(one.name) if one.continuous else table.codes(one.name).astype(np.float64))[rows]
            for one in columns
        ]
    )

"""Describe a table by a few coarse figures, by which tables of earlier runs are found that are like it.

No name, label, value, least or greatest value goes in: sizes as rounded powers of two, shares in tenths, strengths in
tenths. As long as no column's type changes, adding or removing one record moves a figure at most by a step, and mostly
not at all: each is a mean over records, pairs or triples of them, or a count, and no quantile. Where a sample is taken
its noise is far smaller than a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from synth_worker.schema import Kind
from synth_worker.table import Floats, Table

Features = Mapping[str, float]

MOST_ROWS, MOST_COLUMNS = 5_000, 30
"""So much of a table is looked at, the rows by chance: rows that take turns are not to be seen by halves."""

TRIPLES = 20_000


@dataclass(frozen=True)
class Feature:
    """Describe one figure: the step that it is rounded to, and the difference that counts as 1."""

    name: str
    step: float
    scale: float
    about: str


FEATURES: tuple[Feature, ...] = (
    Feature("rows", 0.5, 2.0, "rows, as a power of two"),
    Feature("columns", 0.5, 2.0, "columns, as a power of two"),
    Feature("numeric", 0.1, 0.5, "share of the columns that are numeric"),
    Feature("datetime", 0.1, 0.5, "share of the columns that are dates or times"),
    Feature("label_count", 0.5, 2.0, "1 + median number of labels of a categorical column, as a power of two; or 0"),
    Feature("skewness", 0.1, 0.5, "how much oftener the middle of three values is near the least, or the greatest"),
    Feature("missing", 0.1, 0.3, "share of the cells that are absent"),
    Feature("association", 0.1, 0.3, "mean rank correlation between numeric columns, without sign"),
)
"""Everything that the store keeps of a table, with its run's winner."""


def features_of(table: Table) -> dict[str, float]:
    """Return the figures of a table of modelled columns, rounded.

    >>> from synth_worker.reading import read_table
    >>> import pandas as pd
    >>> found = features_of(read_table(pd.DataFrame({"age": [*range(32)] * 2, "sex": ["f", "m"] * 32})).modelled())
    >>> found["rows"], found["columns"], found["label_count"]
    (6.0, 1.0, 1.5)
    """
    few = table.take(np.sort(np.argsort(np.random.default_rng(0).random(table.rows))[:MOST_ROWS]))
    columns = list(few.schema)
    kinds = [one.kind for one in columns]
    numbers = [few.numbers(one.name) for one in columns if one.kind is Kind.NUMERIC][:MOST_COLUMNS]
    labels = [len(one.categories) for one in columns if one.kind is Kind.CATEGORICAL]
    raw = {
        "rows": math.log2(table.rows),
        "columns": math.log2(len(columns)),
        "numeric": kinds.count(Kind.NUMERIC) / len(kinds),
        "datetime": kinds.count(Kind.DATETIME) / len(kinds),
        "label_count": math.log2(1 + max(float(np.median(labels)), 1.0)) if labels else 0.0,
        "skewness": _mean(numbers, _skewness),
        "missing": float(np.mean([few.missing(one.name).mean() for one in columns])),
        "association": _association(numbers),
    }
    return {one.name: round(round(raw[one.name] / one.step) * one.step, 6) for one in FEATURES}


def distance(one: Features, other: Features) -> float:
    """Return how unlike two tables are: the mean difference, each in its own scale; 0 is alike in every figure."""
    gaps = [abs(one.get(own.name, math.inf) - other.get(own.name, math.inf)) / own.scale for own in FEATURES]
    return math.inf if any(math.isnan(gap) for gap in gaps) else math.fsum(gaps) / len(gaps)


def _mean(columns: Sequence[Floats], figure: Callable[[Floats], float]) -> float:
    found = [figure(seen) for one in columns if len(seen := one[~np.isnan(one)]) > 1]
    return float(np.mean(found)) if found else 0.0


def _skewness(values: Floats) -> float:
    """Return the triples measure of asymmetry times 3, without sign (Randles, Fligner, Policello and Wolfe 1980).

    Of all triples a fixed sample is looked at. One record is in few of them, and cannot move it far, whatever it holds.
    """
    places = np.random.default_rng(0).integers(len(values), size=(TRIPLES, 3))
    low, middle, high = np.sort(values[places], axis=1).T
    return abs(float(np.sign(low + high - 2 * middle).mean()))


def _association(columns: Sequence[Floats]) -> float:
    ranks = [_ranks(one) for one in columns if not np.isnan(one).all()]
    varied = [one for one in ranks if one.max() > one.min()]
    if len(varied) < 2:
        return 0.0
    strengths = np.abs(np.corrcoef(np.array(varied)))
    return float(strengths[np.triu_indices(len(varied), 1)].mean())


def _ranks(values: Floats) -> Floats:
    """Return ranks, what is missing in the middle of them."""
    known = ~np.isnan(values)
    ranks = np.full(len(values), (known.sum() + 1) / 2)
    ranks[known] = rankdata(values[known])
    return ranks

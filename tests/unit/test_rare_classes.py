"""Rare classes stay: in their share, whatever the method, the privacy knob or the pooling of labels does."""

from __future__ import annotations

import numpy as np
import pytest

from synth_worker.generators.registry import build
from synth_worker.metrics.base import Comparison
from synth_worker.metrics.masses import rare_score
from synth_worker.schema import Column, Kind
from synth_worker.seeds import Streams
from synth_worker.table import Floats, Table
from tests.tables import adult_like, labels, whole
from tests.tables import build as make

WAYS = [("gc", {}), ("cart", {"privacy": 0.0}), ("cart", {"privacy": 0.5}), ("cart", {"privacy": 1.0})]
ERRORS = 4.5
"""So many standard errors are a chance of one in 150,000."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def strokes(rows: int, positives: int) -> Table:
    """Make a table like the public stroke data: few positives, who are old and have a high glucose."""
    own = rng(rows)
    age = np.clip(np.round(own.normal(45, 22, rows)), 1, 82)
    glucose = np.round(80 + own.gamma(2, 15, rows) + 0.3 * age, 2)
    score = 0.09 * age + 0.01 * glucose + own.gumbel(size=rows)
    sick = np.zeros(rows, dtype=np.int64)
    sick[np.argsort(-score)[:positives]] = 1
    bmi = np.round(own.normal(28, 6, rows) + 0.03 * age, 1)
    bmi[own.random(rows) < 0.04] = np.nan
    columns = {
        "age": whole("age"),
        "glucose": Column("glucose", Kind.NUMERIC, dtype="float64", decimals=2),
        "bmi": Column("bmi", Kind.NUMERIC, dtype="float64", decimals=1, nullable=True),
        "work": labels("work", ("private", "self", "state", "child", "never")),
        "stroke": labels("stroke", ("0", "1")),
    }
    work = own.choice(5, rows, p=[0.57, 0.16, 0.13, 0.135, 0.005])
    return make(columns, {"age": age, "glucose": glucose, "bmi": bmi, "work": work, "stroke": sick})


def shares(train: Table, name: str, *, method: str, knobs: dict[str, float], rows: int = 40_000) -> Floats:
    """Return the share of each label among many drawn rows."""
    model = build(method, knobs).fit(train.narrowed(), rng=rng(1))
    made = model.sample(rows, rng=rng(2))
    return np.bincount(made.codes(name), minlength=len(made.schema[name].categories)) / rows


@pytest.mark.parametrize(("method", "knobs"), WAYS)
@pytest.mark.parametrize(("rows", "positives"), [(5_000, 245), (2_000, 10)])
def test_a_rare_class_keeps_its_share(method: str, knobs: dict[str, float], rows: int, positives: int) -> None:
    found = shares(strokes(rows, positives), "stroke", method=method, knobs=knobs)[1]
    share = positives / rows
    # Fitting may lose as much as the class's own sampling error; drawing adds that of 40,000 rows.
    error = np.sqrt(share * (1 - share) * (1 / rows + 1 / 40_000))
    assert abs(found - share) < 2 * error
    if method == "gc":
        assert abs(found - share) < ERRORS * np.sqrt(share * (1 - share) / 40_000)


@pytest.mark.parametrize(("method", "knobs"), WAYS)
def test_pooled_labels_keep_their_shares_together_and_each(method: str, knobs: dict[str, float]) -> None:
    rows, rare = 1_500, (1, 2, 3, 4, 4, 3, 2, 1)
    codes = np.concatenate([np.repeat(np.arange(8) + 2, rare), rng(3).integers(2, size=rows - sum(rare))])
    codes = rng(4).permutation(codes)
    train = make(
        {"kind": labels("kind", [f"k{one}" for one in range(10)]), "x": whole("x")},
        {"kind": codes, "x": np.round(30 * rng(5).normal(size=rows)) + 5 * codes},
    )
    found = shares(train, "kind", method=method, knobs=knobs)
    together = sum(rare) / rows
    error = np.sqrt(together * (1 - together) * (1 / rows + 1 / 40_000))
    assert abs(found[2:].sum() - together) < 2 * error
    for at, count in enumerate(rare):
        # Within the group a label is drawn in proportion to its rows.
        part = found[2:].sum() * count / sum(rare)
        spread = np.sqrt(part / 40_000) if method == "cart" else np.sqrt(count) / rows
        assert abs(found[2 + at] - part) < ERRORS * spread + 1e-4


@pytest.mark.parametrize("privacy", [0.0, 0.5])
def test_rare_labels_come_back_about_as_often_as_in_fresh_real_rows(privacy: float) -> None:
    train, holdout = adult_like(4_000, 1), adult_like(1_500, 2)
    model = build("cart", {"privacy": privacy}).fit(train.narrowed(), rng=rng())
    made = model.sample(4_000, rng=rng(1))
    score = rare_score(Comparison.of(train=train, holdout=holdout, synthetic=made, streams=Streams(0)))
    assert score.value is not None
    assert score.floor is not None
    assert score.detail["at_floor_size"] > score.floor - 0.05
    assert score.value > 0.95

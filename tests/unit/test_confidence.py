"""Intervals against brute force and known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import binomtest, mannwhitneyu

from synth_worker.metrics.confidence import (
    auc,
    bootstrap_weights,
    clustered_variance,
    deal_groups,
    delong_variance,
    jackknife_error,
    normal_bounds,
    placements,
    wilson,
    wilson_bounds,
)

few_values = st.lists(st.integers(-3, 3), min_size=2, max_size=12)


def slow_delong(pos: np.ndarray, neg: np.ndarray) -> tuple[float, float]:
    """Compare every positive with every negative."""
    psi = (pos[:, None] > neg[None, :]) + 0.5 * (pos[:, None] == neg[None, :])
    variance = psi.mean(axis=1).var(ddof=1) / len(pos) + psi.mean(axis=0).var(ddof=1) / len(neg)
    return float(psi.mean()), float(variance)


@given(few_values, few_values)
def test_delong_by_midranks_equals_delong_by_all_pairs(pos: list[int], neg: list[int]) -> None:
    one, two = np.array(pos, dtype=float), np.array(neg, dtype=float)
    assert_allclose(delong_variance(one, two), slow_delong(one, two), atol=1e-12)


@given(few_values, few_values)
def test_auc_is_the_mann_whitney_statistic_and_turns_round_with_the_classes(pos: list[int], neg: list[int]) -> None:
    one, two = np.array(pos, dtype=float), np.array(neg, dtype=float)
    statistic = mannwhitneyu(one, two, method="asymptotic").statistic if len(set(pos + neg)) > 1 else None
    if statistic is not None:
        assert auc(one, two) == pytest.approx(statistic / (len(one) * len(two)))
    assert auc(one, two) == pytest.approx(1 - auc(two, one))
    assert auc(one, two) == pytest.approx(auc(one * 7 + 1, two * 7 + 1))


def test_placements_average_to_the_same_auc_from_both_sides() -> None:
    rng = np.random.default_rng(1)
    above, below = placements(rng.integers(0, 9, 300).astype(float), rng.integers(0, 9, 200).astype(float))
    assert above.mean() == pytest.approx(below.mean())


def test_units_of_one_row_change_nothing_and_repeated_rows_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    pos, neg = rng.normal(0.5, 1, 200), rng.normal(0, 1, 300)
    plain = delong_variance(pos, neg)
    alone = delong_variance(pos, neg, pos_units=np.arange(200), neg_units=1_000 + np.arange(300))
    assert_allclose(plain, alone)
    thrice = delong_variance(
        np.repeat(pos, 3), np.repeat(neg, 3), pos_units=np.repeat(np.arange(200), 3), neg_units=None
    )
    assert thrice[0] == pytest.approx(plain[0])
    both = delong_variance(
        np.repeat(pos, 3),
        np.repeat(neg, 3),
        pos_units=np.repeat(np.arange(200), 3),
        neg_units=1_000 + np.repeat(np.arange(300), 3),
    )
    assert both[1] == pytest.approx(plain[1], rel=1e-9)
    assert delong_variance(np.repeat(pos, 3), np.repeat(neg, 3))[1] < plain[1] / 2


def test_delong_with_units_on_both_sides_has_the_variance_that_simulation_shows() -> None:
    rng = np.random.default_rng(3)
    values, claimed = [], []
    for _ in range(400):
        person = rng.normal(size=60)
        pos, neg = person + rng.normal(size=60) + 0.5, person + rng.normal(size=60)
        value, variance = delong_variance(pos, neg, pos_units=np.arange(60), neg_units=np.arange(60))
        values.append(value)
        claimed.append(variance)
    assert np.mean(claimed) == pytest.approx(np.var(values), rel=0.25)


def test_an_auc_of_one_class_is_refused_and_one_record_has_no_variance() -> None:
    with pytest.raises(ValueError, match="0 negatives"):
        auc(np.ones(3), np.array([]))
    assert math.isnan(delong_variance(np.ones(1), np.zeros(5))[1])
    assert math.isnan(normal_bounds(0.5, math.nan, alpha=0.05).upper)


@given(st.integers(0, 60), st.integers(1, 60))
def test_wilson_equals_scipy(k: int, n: int) -> None:
    k = min(k, n)
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert_allclose(wilson(k, n, 0.95), (expected.low, expected.high), atol=1e-9)
    bounds = wilson_bounds(k, n, alpha=0.05)
    assert bounds.low <= k / n <= bounds.upper <= bounds.high + 1e-12


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson(0, 0, 0.95) == (0.0, 1.0)


@settings(max_examples=30)
@given(st.integers(5, 60), st.integers(0, 9))
def test_groups_are_even_and_keep_units_together(rows: int, seed: int) -> None:
    groups = deal_groups(rows, rng=np.random.default_rng(seed), groups=4)
    assert np.ptp(np.bincount(groups, minlength=4)) <= 1
    units = np.arange(rows) // 3
    dealt = deal_groups(rows, rng=np.random.default_rng(seed), units=units, groups=4)
    assert all(len(set(dealt[units == one])) == 1 for one in set(units))


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=50)
    left_out = (values.sum() - values) / 49
    assert jackknife_error(left_out) == pytest.approx(values.std(ddof=1) / np.sqrt(50))
    assert clustered_variance((values - values.mean()) / 50) == pytest.approx(values.var(ddof=1) / 50)


def test_bootstrap_weights_count_draws_with_replacement() -> None:
    weights = bootstrap_weights(40, 100, draws=300, rng=np.random.default_rng(5))
    assert weights.shape == (300, 40)
    assert (weights.sum(axis=1) == 100).all()
    assert weights.mean() == pytest.approx(2.5)
    assert weights.var() == pytest.approx(2.5 * (1 - 1 / 40), rel=0.1)

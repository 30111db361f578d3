"""Promises of the accounting: never less epsilon than there is, and hardly more than Renyi accounting finds."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.errors import BadInput
from synth_worker.privacy.accounting import (
    epsilon_of,
    exponential_epsilon,
    exponential_rho,
    gaussian_rho,
    gaussian_scale,
    pure_rho,
    rho_of,
)
from tests.privacy.accounted import SLACK, compositions

RHOS = st.floats(1e-9, 1e4)
DELTAS = st.floats(-12, -0.1).map(lambda power: 10.0**power)


def test_gaussians_cost_what_others_find() -> None:
    for one in compositions(200, seed=1):
        assert one.exact_delta(one.ours) <= one.delta
        assert one.ours == pytest.approx(one.renyi(orders=300), rel=SLACK)


def test_no_epsilon_is_below_that_of_the_privacy_loss_distribution() -> None:
    for one in compositions(12, seed=2):
        assert one.loss_distribution() <= one.ours <= 1.6 * one.loss_distribution()


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-3, 100), DELTAS)
def test_rho_is_the_inverse_and_never_too_large(epsilon: float, delta: float) -> None:
    rho = rho_of(epsilon, delta=delta)
    assert epsilon_of(rho, delta=delta) <= epsilon
    assert epsilon_of(rho * (1 + 1e-6), delta=delta) > epsilon * (1 - 1e-9)


@given(RHOS, st.floats(1.001, 10), DELTAS)
def test_more_rho_or_less_delta_is_more_epsilon(rho: float, factor: float, delta: float) -> None:
    assert epsilon_of(rho * factor, delta=delta) >= epsilon_of(rho, delta=delta)
    assert epsilon_of(rho, delta=delta / factor) >= epsilon_of(rho, delta=delta)


@given(RHOS, DELTAS)
def test_epsilon_is_at_most_the_first_conversion_found(rho: float, delta: float) -> None:
    # Bun and Steinke 2016, proposition 1.3: looser, so a bound from above.
    assert epsilon_of(rho, delta=delta) <= (rho + 2 * math.sqrt(rho * math.log(1 / delta))) * (1 + 1e-9) + 1e-9


@given(st.floats(1e-150, 1e100))
def test_costs_are_rounded_up(epsilon: float) -> None:
    assert Fraction(pure_rho(epsilon)) >= Fraction(epsilon) ** 2 / 2
    assert Fraction(exponential_rho(epsilon)) >= Fraction(epsilon) ** 2 / 8
    assert pure_rho(epsilon) <= epsilon * epsilon / 2 * (1 + 1e-15) + 5e-324
    assert exponential_rho(exponential_epsilon(epsilon)) <= epsilon


@given(st.floats(1e-3, 1e6), st.floats(1e-9, 1e6))
def test_scales_are_never_too_small(sensitivity: float, rho: float) -> None:
    scale = gaussian_scale(sensitivity=sensitivity, rho=rho)
    assert Fraction(sensitivity) ** 2 / (2 * Fraction(scale) ** 2) <= Fraction(rho)
    assert scale <= sensitivity / math.sqrt(2 * rho) * (1 + 1e-12)
    assert gaussian_rho(sensitivity=sensitivity, scale=scale) <= rho


def test_known_figures() -> None:
    assert pure_rho(2.0) == 2.0
    assert exponential_rho(2.0) == 0.5
    assert gaussian_rho(sensitivity=3.0, scale=1.5) == 2.0
    assert gaussian_scale(sensitivity=5.0, rho=2.0) == 2.5
    assert epsilon_of(0.0, delta=1e-9) == 0.0


def test_extremes_err_upward_and_end() -> None:
    for rho, delta in itertools.product((5e-324, 1e-100, 1e-12, 1e12, 1e300), (1e-300, 1e-12, 0.5, 1 - 1e-15)):
        epsilon = epsilon_of(rho, delta=delta)
        assert epsilon >= 0
        assert epsilon >= (rho - 2 * math.sqrt(rho * 800)) * 0.9
    assert pure_rho(1e-200) > 0
    assert pure_rho(1e200) == math.inf


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_figure_is_refused(wrong: float) -> None:
    for ask in (
        lambda: rho_of(wrong, delta=1e-6),
        lambda: rho_of(1.0, delta=wrong),
        lambda: epsilon_of(1.0, delta=wrong),
        lambda: pure_rho(wrong),
        lambda: exponential_epsilon(wrong),
        lambda: gaussian_scale(sensitivity=wrong, rho=1.0),
        lambda: gaussian_scale(sensitivity=1.0, rho=wrong),
    ):
        with pytest.raises(BadInput):
            ask()
    if wrong != 0:
        with pytest.raises(BadInput):
            epsilon_of(wrong, delta=1e-6)

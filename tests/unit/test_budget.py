"""Promises of costs and budgets: what something costs is never rounded down, what is allowed never up."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.errors import BadInput
from synth_worker.privacy.accounting import epsilon_of, rho_of
from synth_worker.privacy.budget import DELTA_UNITS, RHO_UNITS, Budget, Cost

RHOS = st.floats(min_value=0.0, max_value=1e6, allow_subnormal=True)
UNITS = st.integers(min_value=0, max_value=2**61)


@given(RHOS, st.floats(min_value=0.0, max_value=1.0))
def test_a_cost_is_never_rounded_down(rho: float, delta: float) -> None:
    cost = Cost.of_rho(rho, delta=delta)
    assert Fraction(rho) * RHO_UNITS <= cost.rho_nano < Fraction(rho) * RHO_UNITS + 1
    assert Fraction(delta) * DELTA_UNITS <= cost.delta_atto < Fraction(delta) * DELTA_UNITS + 1


@given(st.lists(RHOS.filter(lambda rho: rho > 0), min_size=1, max_size=50))
def test_a_sum_of_costs_is_never_below_the_sum(rhos: list[float]) -> None:
    total = Cost()
    for rho in rhos:
        total += Cost.of_rho(rho)
    assert total.rho_nano >= sum(Fraction(rho) for rho in rhos) * RHO_UNITS


@given(st.floats(min_value=1e-9, max_value=1e3))
def test_pure_epsilon_enters_as_half_its_square(epsilon: float) -> None:
    exact = Fraction(epsilon) ** 2 / 2 * RHO_UNITS
    assert exact <= Cost.of_pure(epsilon).rho_nano < exact + 1


def test_the_smallest_cost_is_a_unit_and_not_nothing() -> None:
    assert Cost.of_rho(5e-324) == Cost(1, 0)


@given(UNITS, UNITS, UNITS)
def test_adding_is_exact(a: int, b: int, c: int) -> None:
    assert (Cost(a) + Cost(b)).rho_nano == a + b
    assert Cost(a).within(Cost(b)) == (a <= b)
    assert Cost(0, a).within(Cost(0, b)) == (a <= b)
    assert Cost(a).left_of(Cost(c)) == Cost(max(c - a, 0))


@pytest.mark.parametrize("wrong", [-1e-9, math.nan, math.inf])
def test_what_is_no_cost_is_refused(wrong: float) -> None:
    for make in (Cost.of_rho, Cost.of_pure):
        with pytest.raises(BadInput, match="finite"):
            make(wrong)
    with pytest.raises(BadInput, match="finite"):
        Cost.of_rho(0.1, delta=wrong)
    with pytest.raises(BadInput, match="between 0"):
        Cost(-1)
    with pytest.raises(BadInput, match="whole number"):
        Cost(0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("epsilon", "delta", "additive"),
    [(0.0, 1e-6, 0.0), (math.nan, 1e-6, 0.0), (math.inf, 1e-6, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 0.0), (1, 1e-6, 1e-6)],
)
def test_what_is_no_budget_is_refused(epsilon: float, delta: float, additive: float) -> None:
    with pytest.raises(BadInput):
        Budget(epsilon, delta, additive)


@settings(deadline=None, max_examples=25)
@given(st.floats(min_value=0.01, max_value=20.0), st.floats(min_value=1e-12, max_value=1e-3))
def test_the_limit_holds_the_budget(epsilon: float, delta: float) -> None:
    limit = Budget(epsilon, delta).limit
    assert limit.rho <= rho_of(epsilon, delta=delta)
    assert epsilon_of(limit.rho, delta=delta) <= epsilon * (1 + 1e-9)


def test_a_part_of_delta_that_is_set_aside_does_not_convert() -> None:
    whole, divided = Budget(3.0, 1e-6).limit, Budget(3.0, 1e-6, 5e-7).limit
    assert divided.rho_nano < whole.rho_nano
    assert (whole.delta_atto, divided.delta_atto) == (0, 5 * 10**11)
    assert Cost.of_rho(0.1, delta=5e-7).within(divided)


@settings(deadline=None, max_examples=25)
@given(st.floats(min_value=0.01, max_value=20.0))
def test_a_mechanism_may_use_the_whole_of_a_limit(epsilon: float) -> None:
    limit = Budget(epsilon, 1e-6).limit
    assert Cost.of_rho(limit.rho) == limit


def test_what_is_spent_is_told_as_epsilon() -> None:
    budget = Budget(3.0, 1e-6)
    assert budget.epsilon_spent(Cost()) == 0.0
    assert budget.epsilon_spent(budget.limit) == pytest.approx(3.0, abs=1e-6)

"""Promises of the knob: copies turn it far, bounds alone once, and no search ends while a network is untried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.diagnosis import Diagnosis, FailureType
from synth_worker.gates import judge, profile
from synth_worker.generators.registry import GENERATORS
from synth_worker.metrics.base import Score
from synth_worker.run import Attempt, Measurement, Plan
from synth_worker.search import choosing, portfolio
from synth_worker.search.portfolio import Ask
from tests.unit.test_portfolio import GC, attempt

OVER, BOUND, NONE = 0.02, 0.002, -0.02
"""Values of ``copy_excess``: over its limit of .005, within it by the estimate alone, and by its bound too."""


def ask(attempts: int = 16, *, rows: int = 10_000, search: str = "auto", method: str = "auto") -> Ask:
    return Ask(method, 0, attempts, rows, seconds=None, search=search)


def copying(number: int, plan: Plan, copies: float, *, proven: bool = False) -> Attempt:
    """An attempt whose ``copy_excess`` is ``copies``, with a bound .012 above it."""
    plain = attempt(number, plan, c2st=0.6)
    score = Score(copies, upper=copies + 0.012, p_value=1e-9 if proven else 0.4, rows=900)
    scores = {**plain.scores, "copy_excess": score}
    return replace(plain, measurement=Measurement(scores, judge(scores, profile("standard")), 1.0))


def tree(number: int, privacy: float, copies: float = NONE, *, proven: bool = False) -> Attempt:
    return copying(number, Plan("cart", {"privacy": privacy}, 0), copies, proven=proven)


def searched(own: Ask, copies: Callable[[float], float]) -> list[Attempt]:
    """Search to its end, where ``copies`` gives the excess of trees at a setting."""
    done: list[Attempt] = []
    while (plan := choosing.next_plan(done, own)) is not None:
        number = len(done) + 1
        if plan.method == "cart":
            done.append(copying(number, plan, copies(float(plan.hyperparameters["privacy"]))))
        else:
            done.append(attempt(number, plan, c2st=0.95 if plan.method == "gc" else 0.6))
    return done


def knobs(done: list[Attempt]) -> list[float]:
    return [float(one.plan.hyperparameters["privacy"]) for one in done if one.plan.method == "cart"]


@pytest.mark.parametrize("copies", [OVER, BOUND])
@pytest.mark.parametrize("attempts", [3, 16])
def test_copies_turn_the_knob_by_more_than_half_of_the_rest(copies: float, attempts: int) -> None:
    plan = portfolio.next_plan([GC, tree(2, 0.5, copies)], ask(attempts))
    assert plan is not None
    assert plan.hyperparameters["privacy"] == 0.875
    assert "copies" in plan.why


def test_with_one_attempt_left_a_proven_leak_by_far_turns_the_knob_to_its_end() -> None:
    plan = portfolio.next_plan([GC, tree(2, 0.5, OVER, proven=True)], ask(3))
    assert plan is not None
    assert plan.hyperparameters["privacy"] == 1.0


def test_on_few_rows_copies_turn_the_knob_only_half_of_the_rest_for_there_is_no_way_back() -> None:
    plan = portfolio.next_plan([GC, tree(2, 0.5, OVER, proven=True)], ask(5, rows=1_500))
    assert plan is not None
    assert plan.hyperparameters["privacy"] == 0.75


def test_another_attack_turns_the_knob_by_half_also_after_copies() -> None:
    leaking = attempt(3, Plan("cart", {"privacy": 0.6}, 0), c2st=0.6, leaks=True)
    plan = portfolio.next_plan([GC, tree(2, 0.5, OVER), leaking], ask())
    assert plan is not None
    assert plan.hyperparameters["privacy"] == 0.8
    assert "attack" in plan.why


def test_what_holds_is_halved_back_before_a_network_is_trained() -> None:
    done = searched(ask(), lambda privacy: OVER if privacy < 0.65 else NONE)
    assert knobs(done)[:4] == [0.5, 0.875, 0.6875, 0.5938]
    assert done[5].plan.method == "arn"


def test_a_bound_that_stays_beyond_its_limit_says_that_rows_are_few() -> None:
    done = searched(ask(), lambda _privacy: BOUND)
    assert knobs(done)[:2] == [0.5, 0.875]
    assert done[3].plan.method == "arn"


def test_a_bound_counts_until_a_setting_far_on_the_private_side_was_tried() -> None:
    done = searched(ask(search="grid"), lambda _privacy: BOUND)
    assert 0.75 in knobs(done)[: [one.plan.method for one in done].index("arn")]


def test_where_no_setting_proves_it_the_most_faithful_without_copies_is_looked_for() -> None:
    done = searched(ask(), lambda privacy: OVER if privacy < 0.6 else BOUND)
    assert knobs(done)[:4] == [0.5, 0.875, 0.6875, 0.5938]


def test_the_knob_is_turned_to_its_end_where_nothing_else_holds() -> None:
    assert knobs(searched(ask(), lambda _privacy: OVER)) == [0.5, 0.875, 1.0]


def test_where_an_attack_leaked_a_network_is_trained_once_the_knob_holds_it() -> None:
    leaking = attempt(2, Plan("cart", {"privacy": 0.5}, 0), c2st=0.6, leaks=True)
    plan = portfolio.next_plan([GC, leaking, tree(3, 0.75)], ask())
    assert plan is not None
    assert plan.method == "arn"


def failed(number: int, plan: Plan) -> Attempt:
    """An attempt whose fit ended without a table."""
    return Attempt(number, plan, None, Diagnosis(FailureType.OUT_OF_MEMORY, ""), 1.0, 1.0)


def test_a_fit_that_failed_says_nothing_of_its_setting() -> None:
    wide, narrow = (Plan("cart", {"privacy": 0.5, "predictors": many}, 0) for many in (30, 15))
    done = [GC, failed(2, wide), copying(3, narrow, OVER, proven=True)]
    plan = portfolio.next_plan(done, ask())
    assert plan is not None
    assert (plan.method, plan.hyperparameters["privacy"]) == ("cart", 0.875)


def test_the_knob_is_turned_at_the_other_settings_of_the_last_attempt() -> None:
    short, longer = (Plan("arn", {"privacy": 0.3, "n_iter": length}, 0) for length in (100, 200))
    done = [attempt(1, short, c2st=0.6, dull=True), attempt(2, longer, c2st=0.6, leaks=True)]
    plan = portfolio.next_plan(done, ask(method="arn"))
    assert plan is not None
    assert float(plan.hyperparameters["privacy"]) > 0.3
    assert plan.hyperparameters["n_iter"] == 200


def test_an_attack_that_could_not_be_made_turns_no_knob() -> None:
    plain = tree(2, 0.5)
    scores = {**plain.scores, "mia_auc": Score.unmeasured("too few records to attack")}
    unmeasured = replace(plain, measurement=Measurement(scores, judge(scores, profile("standard")), 1.0))
    assert portfolio.next_plan([replace(unmeasured, number=1)], ask(method="cart")) is None
    plan = portfolio.next_plan([GC, unmeasured], ask())
    assert plan is not None
    assert plan.method == "arn"


def test_a_method_without_a_knob_is_shortened_to_no_length_that_was_tried() -> None:
    plan, done = Plan("tvae", {"n_iter": 600}, 0), [attempt(1, Plan("tvae", {"n_iter": 300}, 0), c2st=0.6, dull=True)]
    for number in (2, 3):
        done.append(attempt(number, plan, c2st=0.6, leaks=True))
        shorter = portfolio.next_plan(done, ask(method="tvae"))
        assert shorter is not None
        plan = shorter
    assert [one.plan.hyperparameters["n_iter"] for one in done] == [300, 600, 150]
    assert plan.hyperparameters["n_iter"] == 75


def test_an_attack_that_succeeded_turns_the_knob_though_another_could_not_be_made() -> None:
    leaking = attempt(1, Plan("cart", {"privacy": 0.5}, 0), c2st=0.6, leaks=True)
    scores = {**leaking.scores, "mia_tpr": Score.unmeasured("too few records to attack")}
    both = replace(leaking, measurement=Measurement(scores, judge(scores, profile("standard")), 1.0))
    for rows in (1_000, 10_000):
        plan = portfolio.next_plan([both], ask(rows=rows, method="cart"))
        assert plan is not None
        assert float(plan.hyperparameters["privacy"]) > 0.5


def test_a_setting_that_leaked_in_a_shorter_training_is_known_to_leak() -> None:
    def trained(number: int, privacy: float, length: int, *, leaks: bool = False) -> Attempt:
        return attempt(number, Plan("arn", {"privacy": privacy, "n_iter": length}, 0), c2st=0.6, leaks=leaks)

    done = [trained(1, 0.3, 100, leaks=True), trained(2, 0.65, 100), trained(3, 0.65, 200)]
    plan = portfolio.next_plan(done, ask(method="arn"))
    assert plan is not None
    assert plan.hyperparameters["privacy"] == pytest.approx(0.475)
    # What a longer training shows goes before it.
    plan = portfolio.next_plan([*done, trained(4, 0.2, 200)], ask(method="arn"))
    assert plan is not None
    assert float(plan.hyperparameters["privacy"]) < 0.2


def test_what_won_elsewhere_gives_its_other_settings_to_no_plan_after_it() -> None:
    foreign = Plan("cart", {"privacy": 0.3, "predictors": 4}, 0, portfolio.WON)
    plan = portfolio.next_plan([GC, attempt(2, foreign, c2st=0.6, leaks=True)], ask())
    assert plan is not None
    assert (plan.method, plan.hyperparameters["predictors"]) == ("cart", 30)


@pytest.mark.parametrize("rows", [1_000, 10_000])
def test_a_grid_makes_all_of_its_points_under_auto_too(rows: int) -> None:
    done: list[Attempt] = []
    while (plan := choosing.next_plan(done, ask(rows=rows, search="grid"))) is not None:
        done.append(attempt(len(done) + 1, plan, c2st=0.9 if plan.method == "gc" else 0.5))
    assert {0.25, 0.5, 0.75} <= set(knobs(done))


@settings(max_examples=40, deadline=None)
@given(
    over=st.floats(0.0, 1.1),
    proven=st.floats(0.0, 1.1),
    search=st.sampled_from(["auto", "grid", "bayesian"]),
)
def test_every_search_comes_to_the_networks_and_repeats_nothing(over: float, proven: float, search: str) -> None:
    def copies(privacy: float) -> float:
        return OVER if privacy < over else BOUND if privacy < proven else NONE

    done = searched(ask(search=search), copies)
    plans = [(one.plan.method, tuple(sorted(one.plan.hyperparameters.items()))) for one in done]
    assert len(set(plans)) == len(plans)
    methods = {method for method, _ in plans}
    if search == "auto":
        assert {name for name, spec in GENERATORS.items() if spec.escalates} <= methods
    # A Bayesian search has always another setting of the trees to try while these leak.
    elif search == "grid" or knobs(done)[0] >= max(over, proven):
        assert "arn" in methods

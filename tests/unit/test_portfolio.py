"""Promises of the policy: cheapest first, stop when green and good, bisect the knob, never repeat a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.diagnosis import Diagnosis, FailureType
from synth_worker.gates import judge, profile
from synth_worker.generators.registry import GENERATORS
from synth_worker.metrics.base import Score
from synth_worker.run import Attempt, Measurement, Plan
from synth_worker.search.portfolio import Ask, best_of, next_plan
from tests.unit.test_gates import GREEN_SCORES


def attempt(number: int, plan: Plan, *, c2st: float, leaks: bool = False, dull: bool = False) -> Attempt:
    scores = {**GREEN_SCORES, "c2st_auc": Score(c2st)}
    kind = FailureType.NONE
    if leaks:
        scores["mia_auc"] = Score(0.8, upper=0.85, p_value=1e-9, rows=1000)
        kind = FailureType.HIGH_MIA
    if dull:
        scores["ks_mean"] = Score(0.3, upper=0.31, rows=5000)
        kind = FailureType.HIGH_KS
    verdict = judge(scores, profile("standard"))
    return Attempt(number, plan, Measurement(scores, verdict), Diagnosis(kind, ""), 1.0, 1.0)


def ask(method: str = "auto", attempts: int = 8, *, rows: int = 10_000, seconds: float | None = 1.0) -> Ask:
    """A second leaves no room for a network."""
    return Ask(method, 0, attempts, rows, seconds=seconds)


def test_auto_begins_with_the_cheapest_and_goes_on_while_not_good() -> None:
    first = next_plan([], ask())
    assert first is not None
    assert first.method == "gc"
    second = next_plan([attempt(1, first, c2st=0.95)], ask())
    assert second is not None
    assert second.method == "cart"


def test_auto_stops_when_green_and_good() -> None:
    plan = Plan("cart", {"privacy": 0.5}, 0)
    done = [attempt(1, Plan("gc", {}, 0), c2st=0.95), attempt(2, plan, c2st=0.53)]
    assert next_plan(done, ask()) is None


def test_a_leak_turns_the_knob_to_private_and_a_dull_table_to_faithful() -> None:
    gc = attempt(1, Plan("gc", {}, 0), c2st=0.95)
    leaking = attempt(2, Plan("cart", {"privacy": 0.5}, 0), c2st=0.5, leaks=True)
    dull = attempt(2, Plan("cart", {"privacy": 0.5}, 0), c2st=0.9, dull=True)
    up, down = next_plan([gc, leaking], ask()), next_plan([gc, dull], ask())
    assert up is not None
    assert down is not None
    assert float(up.hyperparameters["privacy"]) > 0.5 > float(down.hyperparameters["privacy"])


def test_a_column_to_be_given_is_drawn_first_by_every_plan_of_a_method_with_an_order() -> None:
    asked = replace(ask(), first="died")
    begun = next_plan([], asked)
    assert begun is not None
    assert "first" not in begun.hyperparameters
    gc = attempt(1, begun, c2st=0.95)
    second = next_plan([gc], asked)
    assert second is not None
    third = next_plan([gc, attempt(2, second, c2st=0.5, leaks=True)], asked)
    assert third is not None
    assert [one.hyperparameters["first"] for one in (second, third)] == ["died", "died"]


def test_a_bound_beyond_its_limit_turns_the_knob_to_private_where_rows_are_many() -> None:
    gc = attempt(1, Plan("gc", {}, 0), c2st=0.95)
    plan = Plan("cart", {"privacy": 0.5}, 0)
    scores = {**GREEN_SCORES, "c2st_auc": Score(0.55), "copy_excess": Score(0.004, upper=0.016, p_value=0.2, rows=900)}
    found = Measurement(scores, judge(scores, profile("standard")), 1.0)
    short = Attempt(2, plan, found, Diagnosis(FailureType.NONE, ""), 1.0, 1.0)
    following = next_plan([gc, short], ask())
    assert following is not None
    assert float(following.hyperparameters["privacy"]) > 0.5


@settings(max_examples=30, deadline=None)
@given(threshold=st.floats(0, 1), method=st.sampled_from(["cart", "auto"]))
def test_bisection_closes_in_and_never_repeats(threshold: float, method: str) -> None:
    done: list[Attempt] = []
    while (plan := next_plan(done, ask(method))) is not None:
        leaks = float(plan.hyperparameters.get("privacy", 1.0)) < threshold
        done.append(attempt(len(done) + 1, plan, c2st=0.7, leaks=leaks))
    plans = [(one.plan.method, tuple(sorted(one.plan.hyperparameters.items()))) for one in done]
    assert len(set(plans)) == len(plans)
    assert len(done) <= 8
    settings_tried = sorted(
        float(one.plan.hyperparameters.get("privacy", 1.0)) for one in done if one.plan.method == "cart"
    )
    if 0.05 < threshold < 0.95 and len(done) >= 6:
        assert min(abs(one - threshold) for one in settings_tried) < 0.13


def test_the_number_of_attempts_is_a_limit() -> None:
    assert next_plan([attempt(1, Plan("gc", {}, 0), c2st=0.9)], ask(attempts=1)) is None


@pytest.mark.parametrize("prefer", ["privacy", "balanced", "utility"])
def test_feasible_comes_before_faithful(prefer: str) -> None:
    leaking = attempt(1, Plan("cart", {"privacy": 0.0}, 0), c2st=0.50, leaks=True)
    safe = attempt(2, Plan("gc", {}, 0), c2st=0.97)
    best = best_of([leaking, safe], prefer=prefer)
    assert best is not None
    assert best.number == 2


def test_a_failed_fit_is_never_the_best() -> None:
    failed = Attempt(1, Plan("gc", {}, 0), None, Diagnosis(FailureType.DIVERGED, "x"), 1.0, 1.0, failure="x")
    assert best_of([failed]) is None
    assert next_plan([failed], ask()) is not None


GC = attempt(1, Plan("gc", {}, 0), c2st=0.95)


def cart(*, c2st: float, **more: bool) -> list[Attempt]:
    return [GC, attempt(2, Plan("cart", {"privacy": 0.5}, 0), c2st=c2st, **more)]


def method_of(plan: Plan | None) -> str:
    return "" if plan is None else plan.method


@pytest.mark.parametrize("seconds", [600.0, None])
def test_a_network_is_tried_where_the_cheap_ones_are_not_faithful_and_only_there(seconds: float | None) -> None:
    own = ask(seconds=seconds)
    assert method_of(next_plan(cart(c2st=0.7), own)) == "arn"
    assert method_of(next_plan(cart(c2st=0.9, dull=True), own)) == "arn"
    assert next_plan(cart(c2st=0.53), own) is None
    leaking = next_plan(cart(c2st=0.5, leaks=True), own)
    assert leaking is not None
    assert (leaking.method, leaking.hyperparameters["privacy"]) == ("cart", 0.75)


def test_a_network_is_not_tried_without_time_rows_or_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    done = cart(c2st=0.7)
    assert method_of(next_plan(done, ask(seconds=20.0))) == "cart"
    assert method_of(next_plan(done, ask(seconds=600.0, rows=1_999))) != "arn"
    monkeypatch.setattr("synth_worker.search.portfolio.has_torch", lambda: False)
    assert method_of(next_plan(done, ask(seconds=600.0))) == "cart"


def test_after_the_networks_the_trees_are_tuned() -> None:
    done = cart(c2st=0.7)
    seen: list[str] = []
    while (plan := next_plan(done, ask(seconds=None, attempts=12))) is not None:
        seen.append(plan.method)
        done.append(attempt(len(done) + 1, plan, c2st=0.7))
    trained = [name for name, spec in GENERATORS.items() if spec.escalates]
    assert sorted(seen[: len(trained)]) == sorted(trained)
    assert set(seen[len(trained) :]) == {"cart"}
    found = attempt(3, Plan("arn", {"n_iter": 300}, 0), c2st=0.52)
    assert next_plan([*cart(c2st=0.7), found], ask(seconds=None)) is None


def test_a_network_that_leaks_is_trained_half_as_long_and_else_left_alone() -> None:
    own = ask("ddpm", seconds=None)
    done: list[Attempt] = []
    lengths: list[object] = []
    while (plan := next_plan(done, own)) is not None:
        lengths.append(plan.hyperparameters["n_iter"])
        done.append(attempt(len(done) + 1, plan, c2st=0.6, leaks=True))
    assert lengths == [400, 200, 100, 50, 25, 12]
    assert next_plan([attempt(1, Plan("ddpm", {"n_iter": 300}, 0), c2st=0.9, dull=True)], own) is None

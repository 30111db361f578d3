"""Promises of the note on a more realistic attempt: told only where one lacks nothing but rows and is far better."""

from __future__ import annotations

import pytest

from synth_worker.diagnosis import Diagnosis, FailureType
from synth_worker.gates import judge, profile
from synth_worker.metrics.base import Score
from synth_worker.run import Attempt, Measurement, Plan
from synth_worker.search.passed_over import passed_over
from tests.unit.test_gates import GREEN_SCORES

SHORT = Score(0.001, upper=0.012, rows=3_000)
OVER = Score(0.02, upper=0.03, p_value=0.2, rows=3_000)
LEAKS = Score(0.2, upper=0.25, p_value=1e-9, rows=3_000)


def attempt(number: int, method: str, c2st: float, copies: Score | None = None) -> Attempt:
    changed = {} if copies is None else {"copy_excess": copies}
    scores = {**GREEN_SCORES, "c2st_auc": Score(c2st), **changed}
    found = Measurement(scores, judge(scores, profile("standard")))
    return Attempt(number, Plan(method, {}, 0), found, Diagnosis(FailureType.NONE, ""), 1.0, 1.0)


def test_a_far_more_realistic_attempt_that_lacks_only_rows_is_told() -> None:
    best, other = attempt(1, "gc", 0.84), attempt(2, "cart", 0.56, SHORT)
    told = passed_over([best, other], best, asked="auto")
    assert "attempt 2 (cart)" in told
    assert "0.56 against 0.84" in told
    assert "copy_excess" in told
    assert "--method cart" in told


@pytest.mark.parametrize("copies", [OVER, LEAKS], ids=["over a limit", "leaks"])
def test_one_that_is_over_a_limit_is_not(copies: Score) -> None:
    best = attempt(1, "gc", 0.84)
    assert passed_over([best, attempt(2, "cart", 0.56, copies)], best, asked="auto") == ""


def test_nor_one_that_is_hardly_better_nor_any_beside_a_table_that_is_not_green() -> None:
    best = attempt(1, "gc", 0.6)
    assert passed_over([best, attempt(2, "cart", 0.56, SHORT)], best, asked="auto") == ""
    amber = attempt(1, "gc", 0.84, SHORT)
    assert passed_over([amber, attempt(2, "cart", 0.56, SHORT)], amber, asked="auto") == ""


def test_who_asked_for_that_method_is_not_sent_back_to_it() -> None:
    best, other = attempt(1, "cart", 0.84), attempt(2, "cart", 0.56, SHORT)
    assert "--method" not in passed_over([best, other], best, asked="cart")

"""Promises of the searches: pure, never the same twice, inside the ranges, warm starts first, epsilon untouched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.diagnosis import Action, Cause, Diagnosis, FailureType, Finding
from synth_worker.gates import judge, profile
from synth_worker.generators.neural import has_torch
from synth_worker.generators.registry import GENERATORS, build
from synth_worker.metrics.base import Score
from synth_worker.optimizing.applying import fingerprint
from synth_worker.run import Attempt, Measurement, Plan
from synth_worker.search import bayesian, grid
from synth_worker.search.choosing import SEARCHES, ending, next_plan
from synth_worker.search.portfolio import Ask
from synth_worker.search.space import axes_of
from synth_worker.select import OVERSAMPLE
from synth_worker.synthesis import synthesize
from tests.unit.test_portfolio import attempt

OPEN = [name for name, spec in GENERATORS.items() if not spec.guarantee]
CHEAP = ["gc", "cart"]
needs_model = pytest.mark.skipif(not has_torch(), reason="needs PyTorch")


def run(ask: Ask, *, c2st: list[float], leaks: list[bool]) -> list[Attempt]:
    """Return the attempts of a search whose figures come from these lists, in turn."""
    made: list[Attempt] = []
    while (plan := next_plan(made, ask)) is not None:
        number = len(made)
        figure, leak = c2st[number % len(c2st)], leaks[number % len(leaks)]
        made.append(attempt(number + 1, plan, c2st=figure, leaks=leak))
    return made


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("method", ["auto", *CHEAP])
@given(
    c2st=st.lists(st.floats(0.5, 1.0), min_size=1, max_size=4),
    leaks=st.lists(st.booleans(), min_size=1, max_size=4),
    seed=st.integers(0, 5),
)
@settings(max_examples=25, deadline=None)
def test_no_settings_and_seed_are_tried_twice_and_the_search_is_a_function_of_the_attempts(
    search: str, method: str, *, c2st: list[float], leaks: list[bool], seed: int
) -> None:
    ask = Ask(method, seed, 7, 3_000, seconds=1.0, search=search, warm=(("cart", (("privacy", 0.6),)),))
    made = run(ask, c2st=c2st, leaks=leaks)
    assert len({(fingerprint(one.plan), one.plan.seed) for one in made}) == len(made)
    for end in range(len(made)):
        assert next_plan(made[:end], ask) == made[end].plan


@pytest.mark.parametrize("method", OPEN)
@pytest.mark.parametrize("search", ["bayesian", "grid"])
def test_the_first_proposals_can_be_built(method: str, search: str) -> None:
    ask = Ask(method, 3, 3, 6_000, search=search)
    for one in run(ask, c2st=[0.8], leaks=[False]):
        build(one.plan.method, {name: value for name, value in one.plan.hyperparameters.items() if name != OVERSAMPLE})
        assert one.plan.seed == 3


def test_what_won_on_a_similar_table_is_tried_first_then_what_the_tables_suggest() -> None:
    warm = (("ddpm", (("n_iter", 350),)), ("cart", (("privacy", 0.9),)))
    ask = Ask("ddpm", 0, 4, 2_000, search="bayesian", warm=warm)
    made = run(ask, c2st=[0.9], leaks=[False])[:2]
    assert [one.plan.hyperparameters["n_iter"] for one in made] == [350, 300]
    assert made[0].plan.why == "won on a similar table"


def test_auto_ends_with_the_warm_start_where_that_is_good() -> None:
    ask = Ask("auto", 0, 8, 10_000, seconds=1.0, warm=(("cart", (("privacy", 0.6),)),))
    first = next_plan([], ask)
    assert first is not None
    assert (first.method, first.hyperparameters["privacy"]) == ("cart", 0.6)
    assert next_plan([attempt(1, first, c2st=0.51)], ask) is None


def test_a_warm_start_that_failed_is_followed_by_the_portfolio() -> None:
    ask = Ask("auto", 0, 8, 10_000, seconds=1.0, warm=(("cart", (("privacy", 0.6),)),))
    first = next_plan([], ask)
    assert first is not None
    second = next_plan([attempt(1, first, c2st=0.9)], ask)
    assert second is not None
    assert second.method == "gc"


@pytest.mark.parametrize("search", SEARCHES)
def test_no_search_by_figures_of_the_data_touches_an_epsilon(search: str) -> None:
    ask = Ask("auto", 0, 9, 3_000, seconds=1.0, search=search, warm=(("mst", (("epsilon", 9.0),)),))
    for one in run(ask, c2st=[0.9, 0.8], leaks=[True, False]):
        assert "epsilon" not in one.plan.hyperparameters
    for name, spec in GENERATORS.items():
        assert not spec.guarantee or axes_of(spec, 3_000) == ()
        assert all("epsilon" not in point for point in grid.points(name, 3_000))


@needs_model
def test_the_model_proposes_the_same_from_the_same_attempts_and_stays_inside() -> None:
    ask = Ask("ddpm", 1, 9, 2_000, search="bayesian")
    made = [
        attempt(number, Plan("ddpm", {"n_iter": length, "learning_rate_factor": 1.0}, 1), c2st=c2st)
        for number, (length, c2st) in enumerate([(200, 0.95), (300, 0.8), (500, 0.6)], start=1)
    ]
    made[0] = replace(made[0], measurement=None, failure="out of memory")
    first, again = bayesian.next_plan(made, ask), bayesian.next_plan(made, ask)
    # What the tables suggest was not tried with all its settings, so it comes first.
    assert first == again
    assert first is not None
    made.append(attempt(4, first, c2st=0.62))
    fourth, again = bayesian.next_plan(made, ask), bayesian.next_plan(made, ask)
    assert fourth == again
    assert fourth is not None
    assert fourth.why.startswith("where the model")
    for axis in axes_of(GENERATORS["ddpm"], 2_000):
        assert axis.low <= float(fourth.hyperparameters[axis.name]) <= axis.high


def test_a_gate_that_was_not_measured_is_a_constraint_that_is_missed() -> None:
    one = attempt(1, Plan("cart", {}, 0), c2st=0.6)
    found = bayesian.constraints_of(one, ["ks_mean", "no such gate"])
    assert found["ks_mean"] <= 0 < found["no such gate"]
    leaking = bayesian.constraints_of(attempt(1, Plan("cart", {}, 0), c2st=0.6, leaks=True), ["mia_auc"])
    assert leaking["mia_auc"] > 0
    failed = bayesian.constraints_of(replace(one, measurement=None, failure="x"), ["ks_mean"])
    assert failed["fit"] > 0 < failed["ks_mean"]


@pytest.mark.parametrize(("rows", "more"), [(10_000, False), (500, True)])
def test_a_bayesian_search_ends_with_what_is_good_where_that_can_be_told(rows: int, *, more: bool) -> None:
    ask = Ask("cart", 0, 8, rows, seconds=1.0, search="bayesian")
    first = next_plan([], ask)
    assert first is not None
    assert (next_plan([attempt(1, first, c2st=0.51)], ask) is not None) == more


def test_the_grid_goes_through_every_point_once_and_ends() -> None:
    ask = Ask("ddpm", 0, 99, 2_000, search="grid")
    made = run(ask, c2st=[0.9], leaks=[False])
    assert [one.plan.hyperparameters["n_iter"] for one in made] == [200, 300, 400, 500]
    assert next_plan(made, ask) is None


@pytest.mark.parametrize("balance", [None, "sex"])
def test_a_grid_that_was_gone_through_is_settled(tmp_path: Path, balance: str | None) -> None:
    """Also where a column is no part of the model, and where another one is drawn first."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": [f"p{number:05d}" for number in range(300)],
            "age": rng.integers(20, 90, 300),
            "sex": rng.choice(["f", "m"], 300, p=[0.8, 0.2]),
            "days": rng.integers(0, 40, 300),
        }
    )
    done = synthesize(frame, out=tmp_path / "run", method="cart", search="grid", attempts=4, balance=balance)
    assert len(done.attempts) == 3
    assert done.data.columns == 4
    assert ending(done) == "settled"


def test_a_second_warm_start_is_not_tried_where_the_first_is_good() -> None:
    warm = (("cart", (("privacy", 0.6),)), ("cart", (("privacy", 0.8),)))
    ask = Ask("auto", 0, 8, 10_000, seconds=1.0, warm=warm)
    first = next_plan([], ask)
    assert first is not None
    assert next_plan([attempt(1, first, c2st=0.51)], ask) is None
    second = next_plan([attempt(1, first, c2st=0.9)], ask)
    assert second is not None
    assert second.hyperparameters["privacy"] == 0.8


@pytest.mark.parametrize(
    ("rows", "seconds", "method", "length"),
    [(500, None, "ddpm", 400), (10_000, 1.0, "ddpm", 400), (10_000, 300.0, "ddpm", 5_000), (10_000, None, "tvae", 300)],
)
def test_a_network_that_won_elsewhere_is_not_tried_where_auto_would_try_none(
    rows: int, seconds: float | None, method: str, length: int
) -> None:
    asked = Ask("auto", 0, 3, rows, seconds=seconds, warm=((method, (("n_iter", length),)),))
    plan = next_plan([], asked)
    assert plan is not None
    assert plan.method == "gc"
    named = next_plan([], replace(asked, method=method))
    assert named is not None
    assert named.hyperparameters["n_iter"] == length


def test_a_network_that_won_elsewhere_is_tried_where_auto_would_train_it() -> None:
    plan = next_plan([], Ask("auto", 0, 3, 10_000, seconds=300.0, warm=(("ddpm", (("n_iter", 400),)),)))
    assert plan is not None
    assert plan.method == "ddpm"


def test_a_gate_that_a_table_has_nothing_for_is_a_constraint_that_holds() -> None:
    plain = attempt(1, Plan("arn", {"privacy": 0.3}, 0), c2st=0.6)
    scores = {**plain.scores, "tvd_mean": Score.not_applicable("no categorical column")}
    own = replace(plain, measurement=Measurement(scores, judge(scores, profile("standard"))))
    assert own.verdict is not None
    assert own.verdict == "green"
    assert all(over <= 0 for over in bayesian.constraints_of(own, [one.metric for one in own.verdict.rulings]).values())


def test_names_that_look_like_values_hide_nothing_that_can_be_mended() -> None:
    longer = Action("train longer", knob="n_iter", step=100)
    named = Finding(FailureType.SCHEMA_MISMATCH, Cause.HEADER_MISSING, "no header")
    short = Finding(FailureType.HIGH_KS, Cause.TOO_FEW_STEPS, "still falling", actions=(longer,))
    dull = attempt(1, Plan("ddpm", {"n_iter": 400}, 0), c2st=0.9, dull=True)
    told = Diagnosis(named.failure_type, named.sentence, (), (), named.cause, (named, short))
    plan = next_plan([replace(dull, diagnosis=told)], Ask("ddpm", 0, 12, 10_000))
    assert plan is not None
    assert plan.hyperparameters["n_iter"] == 500

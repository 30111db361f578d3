"""Promises of the failure analysis: every type and cause is reached by its evidence, and no action does harm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.diagnosis import Action, Cause, Diagnosis, FailureType
from synth_worker.errors import BadInput
from synth_worker.gates import judge, profile
from synth_worker.generators.base import LOSS_ROSE, MEMORISING, NO_NUMBER, PACE, PLATEAU, Value
from synth_worker.generators.registry import GENERATORS
from synth_worker.metrics.base import Score
from synth_worker.optimizer import Evidence, diagnose, get_optimizer
from synth_worker.optimizing.applying import applied, fingerprint, first_new
from synth_worker.optimizing.evidence import STILL_FALLING
from synth_worker.optimizing.remedies import REMEDIES, actions_for
from synth_worker.optimizing.tables import length_range
from synth_worker.run import CurvePoint, Plan
from synth_worker.straying import Stray
from tests.unit.test_gates import GREEN_SCORES

BAD: Mapping[str, Score] = {
    "ks_mean": Score(0.3, upper=0.31, rows=5000, detail={"column:age": 0.4, "column:bmi": 0.2}),
    "corr_delta": Score(0.3, upper=0.31, rows=5000),
    "mia_auc": Score(0.8, upper=0.85, p_value=1e-9, rows=1000),
    "dup_rate": Score(0.2, upper=0.22, p_value=1e-9, rows=1000),
    "dcr_share": Score(0.7, upper=0.72, p_value=1e-9, rows=1000),
    "wrong_dtype": Score(1.0, upper=1.0, reason="age: more than 0 decimals"),
}
SETTINGS: Mapping[str, Mapping[str, Value]] = {name: spec.defaults() for name, spec in GENERATORS.items()}


def evidence(method: str = "ddpm", *bad: str, **more: object) -> Evidence:
    """Return the evidence of an attempt that fails the gates named ``bad`` on a table of 4,000 rows of 12 columns."""
    scores = {**GREEN_SCORES, **{name: BAD[name] for name in bad}}
    verdict = judge(scores, profile("standard"))
    return replace(Evidence(method, SETTINGS[method], 4_000, 12, verdict, scores), **more)  # pyright: ignore[reportArgumentType]


def curve(*held: float, member: float | None = None, note: str = "") -> tuple[CurvePoint, ...]:
    """Return a curve of held-out losses, evenly apart up to the end of the training."""
    last = len(held)
    return tuple(
        CurvePoint(
            place, last, loss=loss, held=loss, member=loss if member is None else member, note=note * (place == last)
        )
        for place, loss in enumerate(held, start=1)
    )


FALLING, AT_REST = (4.0, 3.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.0), (4.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
CASES = {
    "met": (evidence(), FailureType.NONE, Cause.NONE),
    "short": (evidence("ddpm", "ks_mean", hyperparameters={"n_iter": 200}), FailureType.HIGH_KS, Cause.TOO_FEW_STEPS),
    "far too short": (
        evidence("ddpm", "ks_mean", hyperparameters={"n_iter": 4}, curve=curve(*AT_REST)),
        FailureType.UNDERTRAINED,
        Cause.TOO_FEW_STEPS,
    ),
    "still falling": (
        evidence("ddpm", "corr_delta", curve=curve(*FALLING)),
        FailureType.UNDERTRAINED,
        Cause.TOO_FEW_STEPS,
    ),
    "dull network": (
        evidence("ddpm", "corr_delta", hyperparameters={"n_iter": 900}, curve=curve(*AT_REST, note=PLATEAU)),
        FailureType.HIGH_CORR_DELTA,
        Cause.UNKNOWN,
    ),
    "rate": (
        evidence("ddpm", "ks_mean", curve=curve(*AT_REST, note=f"{LOSS_ROSE} 1e9: back")),
        FailureType.DIVERGED,
        Cause.RATE_TOO_HIGH,
    ),
    "fast": (
        evidence("ddpm", "ks_mean", hyperparameters={"n_iter": 300, PACE: 100.0}, curve=curve(*AT_REST)),
        FailureType.HIGH_KS,
        Cause.RATE_TOO_HIGH,
    ),
    "broken fit": (
        evidence(failed=FailureType.UNMEASURED, failure=f"diverged: {LOSS_ROSE} 14,000"),
        FailureType.DIVERGED,
        Cause.RATE_TOO_HIGH,
    ),
    "no number": (
        evidence(failed=FailureType.UNMEASURED, failure=f"diverged 4 times: {NO_NUMBER}"),
        FailureType.DIVERGED,
        Cause.LOSS_NO_NUMBER,
    ),
    "other fit": (
        evidence(failed=FailureType.UNMEASURED, failure="ValueError: singular"),
        FailureType.UNMEASURED,
        Cause.FIT_FAILED,
    ),
    "time": (evidence(failed=FailureType.TIMEOUT, failure="late"), FailureType.TIMEOUT, Cause.TIME),
    "memory": (evidence(failed=FailureType.OUT_OF_MEMORY, failure="killed"), FailureType.OUT_OF_MEMORY, Cause.MEMORY),
    "budget": (evidence(failed=FailureType.BUDGET_SPENT, failure="costs 1"), FailureType.BUDGET_SPENT, Cause.BUDGET),
    "gap": (
        evidence("arn", "mia_auc", curve=curve(*AT_REST, member=0.2)),
        FailureType.MEMORISED,
        Cause.MEMORISATION,
    ),
    "ended by memory": (
        evidence("tvae", "mia_auc", curve=curve(*AT_REST, note=MEMORISING)),
        FailureType.MEMORISED,
        Cause.MEMORISATION,
    ),
    "faithful trees": (
        evidence("cart", "mia_auc", hyperparameters={"privacy": 0.0}),
        FailureType.HIGH_MIA,
        Cause.MEMORISATION,
    ),
    "copies": (evidence("gc", "dup_rate"), FailureType.HIGH_DUP_RATE, Cause.MEMORISATION),
    "near": (evidence("cart", "dcr_share"), FailureType.HIGH_DCR, Cause.MEMORISATION),
    "collapse": (
        evidence("ctgan", "ks_mean", strays=(Stray("ward", ordered=False, lost=0.4),)),
        FailureType.CATEGORY_COLLAPSE,
        Cause.CATEGORY_COLLAPSE,
    ),
    "few values": (
        evidence("ctgan", "corr_delta", strays=(Stray("age", ordered=True, variety=0.1),)),
        FailureType.CATEGORY_COLLAPSE,
        Cause.CATEGORY_COLLAPSE,
    ),
    "saturated": (
        evidence("ddpm", "ks_mean", strays=(Stray("age", ordered=True, ends=0.5),)),
        FailureType.HIGH_KS,
        Cause.SATURATION,
    ),
    "constant": (
        replace(
            evidence("gc", strays=(Stray("site", ordered=True, constant=True),)),
            verdict=judge({**GREEN_SCORES, "corr_delta": Score.unmeasured("x")}, profile("standard")),
        ),
        FailureType.UNMEASURED,
        Cause.CONSTANT_COLUMN,
    ),
    "form": (evidence("cart", "wrong_dtype"), FailureType.SCHEMA_MISMATCH, Cause.WRONG_DTYPE),
    "names": (evidence(names=("63.0", "1.0")), FailureType.SCHEMA_MISMATCH, Cause.HEADER_MISSING),
    "private": (evidence("cart", "ks_mean"), FailureType.HIGH_KS, Cause.TOO_PRIVATE),
    "weak": (evidence("gc", "corr_delta"), FailureType.HIGH_CORR_DELTA, Cause.WEAK_METHOD),
    "noise": (evidence("mst", "ks_mean"), FailureType.EPSILON_TOO_LOW, Cause.NOISE_TOO_LARGE),
    "few rows": (
        replace(
            evidence("gc"),
            verdict=judge(
                {**GREEN_SCORES, "mia_auc": Score(0.63, upper=0.75, p_value=0.04, rows=60, floor=0.5)},
                profile("standard"),
            ),
        ),
        FailureType.HIGH_MIA,
        Cause.TOO_FEW_ROWS,
    ),
}


@pytest.mark.parametrize(("pace", "wanted"), [(100.0, 1.0), (2.0, 0.2)])
def test_a_learning_rate_beyond_all_searches_goes_back_to_the_methods_own_at_once(pace: float, wanted: float) -> None:
    shown = evidence("ddpm", "ks_mean", hyperparameters={PACE: pace}, curve=curve(*AT_REST, note=f"{LOSS_ROSE} 50"))
    assert actions_for(Cause.RATE_TOO_HIGH, shown)[0].value == wanted


@pytest.mark.parametrize("name", CASES)
def test_the_failure_is_named_by_type_and_cause(name: str) -> None:
    given_, kind, cause = CASES[name]
    found = diagnose(given_)
    assert (found.failure_type, found.cause) == (kind, cause)
    assert (found.findings == ()) == (kind is FailureType.NONE)
    assert found.actions or kind is FailureType.NONE


def test_every_failure_type_and_cause_can_be_reached() -> None:
    assert {kind for _, kind, _ in CASES.values()} == set(FailureType)
    assert {cause for _, _, cause in CASES.values()} == set(Cause)
    assert set(REMEDIES) == set(Cause)


def test_all_failures_are_named_privacy_first_and_the_worst_columns() -> None:
    found = diagnose(evidence("cart", "ks_mean", "mia_auc", "corr_delta"))
    assert [one.metric for one in found.findings] == ["mia_auc", "ks_mean", "corr_delta"]
    assert found.others == (FailureType.HIGH_KS, FailureType.HIGH_CORR_DELTA)
    assert "age 0.40, bmi 0.20" in found.findings[1].sentence


def test_fidelity_that_only_its_bound_misses_is_a_failure_where_rows_are_many() -> None:
    scores = {**GREEN_SCORES, "corr_delta": Score(0.099, upper=0.102, rows=5000)}
    verdict = judge(scores, profile("standard"))
    assert verdict == "amber"
    near = Evidence("ddpm", {"n_iter": 60}, 4_000, 12, verdict, scores)
    assert diagnose(near).failure_type is FailureType.HIGH_CORR_DELTA
    assert "0.102" in diagnose(near).root_cause
    few = diagnose(replace(near, rows=400))
    assert (few.failure_type, few.root_cause) == (FailureType.NONE, "no gate failed; evidence is short for corr_delta")


def test_the_gate_behind_a_more_precise_type_is_among_the_others() -> None:
    found = diagnose(evidence("ddpm", "ks_mean", curve=curve(*FALLING)))
    assert (found.failure_type, found.others) == (FailureType.UNDERTRAINED, (FailureType.HIGH_KS,))


def test_a_training_that_came_to_rest_is_not_called_too_short_for_its_loss() -> None:
    assert (Evidence("ddpm", {}, 100, 3, curve=curve(*AT_REST)).still_falling or 0.0) <= STILL_FALLING
    assert Evidence("ddpm", {}, 100, 3, curve=curve(*FALLING, note=PLATEAU)).still_falling is None
    assert Evidence("ddpm", {}, 100, 3, curve=curve(*FALLING)[:-2]).still_falling is None
    early = [point if place < 4 else replace(point, held=None) for place, point in enumerate(curve(*FALLING))]
    assert Evidence("ddpm", {}, 100, 3, curve=early).still_falling is None


def test_the_specification_s_call() -> None:
    kind, cause, suggestions = get_optimizer().analyze_failure(
        metrics={"utility": {"ks_mean": 0.14, "corr_delta": 0.05}, "privacy": {"mia_auc": 0.52, "dup_rate": 0.0}},
        hyperparams={"n_iter": 200},
        method="ddpm",
        dataset_size=(1000, 20),
    )
    assert kind is FailureType.HIGH_KS
    assert isinstance(cause, str)
    assert isinstance(suggestions, list)
    assert "Increase n_iter to 300" in suggestions


def test_nothing_failed_says_so_in_the_specification_s_words() -> None:
    metrics = {"ks_mean": 0.05, "corr_delta": 0.05, "mia_auc": 0.5, "dup_rate": 0.0}
    found = get_optimizer().analyze_failure(metrics=metrics, hyperparams={}, method="ddpm", dataset_size=(1000, 20))
    assert tuple(found) == (FailureType.NONE, "all gates met", [])


@pytest.mark.parametrize("value", [None, math.nan, "low", True])
@pytest.mark.parametrize("metric", ["ks_mean", "corr_delta", "mia_auc", "dup_rate"])
def test_a_missing_metric_is_never_green(metric: str, value: object) -> None:
    metrics: dict[str, object] = {"ks_mean": 0.05, "corr_delta": 0.05, "mia_auc": 0.5, "dup_rate": 0.0, metric: value}
    found = get_optimizer().analyze_failure(metrics=metrics, hyperparams={}, method="gc", dataset_size=(1000, 20))
    assert found.failure_type is FailureType.UNMEASURED
    assert metric in found.root_cause
    assert found.suggestions


def test_a_figure_given_twice_with_two_values_is_refused() -> None:
    with pytest.raises(BadInput, match="given twice"):
        get_optimizer().analyze_failure(
            metrics={"ks_mean": 0.05, "utility": {"ks_mean": 0.5}}, hyperparams={}, method="gc", dataset_size=(9, 2)
        )


@pytest.mark.parametrize("method", GENERATORS)
@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("metric", ["", *BAD])
def test_an_action_moves_a_knob_that_is_there_and_never_epsilon(method: str, cause: Cause, metric: str) -> None:
    knobs = {knob.name for knob in GENERATORS[method].knobs} | {"oversample", "epochs"}
    for action in actions_for(cause, evidence(method), metric=metric):
        assert action.sentence
        assert not action.knob or action.knob in knobs
        assert action.knob not in {"epsilon", "delta", "max_rows_per_unit", "domain"}
        assert not action.method or action.method in GENERATORS
        # A method with a guarantee never becomes one without.
        assert not (action.method and GENERATORS[method].guarantee)


@settings(max_examples=200, deadline=None)
@given(
    method=st.sampled_from(sorted(GENERATORS)),
    step=st.floats(-1e6, 1e6) | st.none(),
    value=st.floats(-1e6, 1e6) | st.integers(-10, 10_000),
    data=st.data(),
)
def test_an_applied_action_stays_in_range_and_changes_something(
    method: str, step: float | None, value: float, data: st.DataObject
) -> None:
    spec = GENERATORS[method]
    numbers = [knob for knob in spec.knobs if isinstance(knob.default, int | float) and not knob.choices]
    if not numbers:
        return
    knob = data.draw(st.sampled_from(numbers))
    plan = Plan(method, spec.defaults(), 0)
    after = applied(Action("x", knob=knob.name, step=step, value=value), plan, spec)
    if after is None:
        return
    changed = after.hyperparameters[knob.name]
    assert isinstance(changed, int | float)
    assert float(knob.low or 0.0) <= changed <= float(math.inf if knob.high is None else knob.high)
    assert isinstance(changed, type(knob.default))
    assert {**after.hyperparameters, knob.name: knob.default} == plan.hyperparameters != after.hyperparameters


def test_what_was_tried_is_not_tried_again_but_gone_beyond() -> None:
    spec, plan = GENERATORS["ddpm"], Plan("ddpm", {**SETTINGS["ddpm"], "n_iter": 200}, 0)
    actions = (Action("longer", knob="n_iter", value=300), Action("wider", knob="width", value=512))
    first = first_new(actions, plan, spec, tried={fingerprint(plan)})
    assert first is not None
    assert first.hyperparameters["n_iter"] == 300
    second = first_new(actions, plan, spec, tried={fingerprint(plan), fingerprint(first)})
    assert second is not None
    assert (second.hyperparameters["n_iter"], second.hyperparameters["width"]) == (300, 512)


def test_a_training_under_attack_is_cut_to_a_quarter_and_one_without_proof_to_half() -> None:
    def cut_from(length: int, *bad: str) -> Value | None:
        asked = evidence("tvae", *bad, hyperparameters={"n_iter": length}, rows=560)
        return actions_for(Cause.MEMORISATION, asked, metric="mia_auc")[0].value

    assert cut_from(200) == 100
    assert cut_from(200, "mia_auc") == 50
    # Far too long a training goes to the tables' shortest at least, whatever half or a quarter of it is.
    shortest = length_range("tvae", 560)[0]
    assert cut_from(10_000) == cut_from(10_000, "mia_auc") == shortest


def test_an_unpacked_diagnosis_has_three_parts() -> None:
    assert len(list(Diagnosis(FailureType.NONE, "all gates met"))) == 3

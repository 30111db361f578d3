"""Promises of the judge: nothing unmeasured passes, red needs evidence, amber is never green."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_worker.errors import UnknownName
from synth_worker.gates import PROFILES, Facts, Gate, GateSet, Light, Ruling, judge, profile, rule
from synth_worker.metrics.base import Score

MIA = Gate("mia_auc", 0.60, 0.65)
KS = Gate("ks_mean", 0.10, 0.10, alpha=0.01, group="utility")

GREEN_SCORES = {
    "ks_mean": Score(0.02, upper=0.03),
    "corr_delta": Score(0.02, upper=0.03),
    "tvd_mean": Score(0.02, upper=0.03),
    "missing_delta": Score(0.0, upper=0.01),
    "wrong_dtype": Score(0.0, upper=0.0),
    "mia_auc": Score(0.51, upper=0.54),
    "mia_tpr": Score(0.0, upper=0.01),
    "dup_rate": Score(0.0, upper=0.001),
    "copy_excess": Score(0.0, upper=0.001),
    "dcr_share": Score(0.5, upper=0.52),
}


def test_all_gates_met_is_green() -> None:
    verdict = judge(GREEN_SCORES, profile("standard"))
    assert verdict == "green"
    assert verdict.exit_code == 0
    assert verdict.may_release


@pytest.mark.parametrize("metric", sorted(GREEN_SCORES))
def test_a_removed_metric_is_not_green(metric: str) -> None:
    scores = {name: score for name, score in GREEN_SCORES.items() if name != metric}
    assert judge(scores, profile("standard")) != "green"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_not_a_number_is_unmeasured(value: float | None) -> None:
    assert rule(KS, Score(value, upper=0.0)).ruling is Ruling.UNMEASURED
    assert judge({**GREEN_SCORES, "ks_mean": Score(value, upper=0.0)}, profile("standard")) == "red"


def test_no_gates_is_no_pass() -> None:
    assert judge(GREEN_SCORES, GateSet("none", (), "")) == "red"


def test_red_needs_evidence_and_amber_names_the_rows() -> None:
    weak = rule(MIA, Score(0.63, upper=0.75, p_value=0.04, rows=60, floor=0.5))
    assert weak.ruling is Ruling.AMBER_OVER
    assert weak.rows_needed is not None
    assert weak.rows_needed > 60
    assert rule(MIA, Score(0.63, upper=0.66, p_value=1e-5, rows=3000)).ruling is Ruling.RED


def test_an_excess_that_fresh_rows_often_show_is_chance_up_to_the_upper_limit() -> None:
    often = rule(MIA, Score(0.63, upper=0.75, p_value=0.05, rows=60, floor=0.5))
    assert often.ruling is Ruling.AMBER_PASS
    assert often.over
    assert often.rows_needed is not None
    assert "fresh real rows" in often.reason
    assert rule(MIA, Score(0.63, upper=0.75, p_value=0.049, rows=60)).ruling is Ruling.AMBER_OVER
    # Nothing over the upper limit is chance, however few the rows; and where both limits are one, nothing is.
    assert rule(MIA, Score(0.66, upper=0.9, p_value=0.5, rows=10)).ruling is Ruling.AMBER_OVER
    assert rule(Gate("copy_excess", 0.005, 0.005), Score(0.006, upper=0.1, p_value=0.9)).ruling is Ruling.AMBER_OVER
    # No evidence either way is no evidence for chance.
    assert rule(MIA, Score(0.63, low=0.5, upper=0.75, rows=60)).ruling is Ruling.AMBER_OVER


def test_an_audit_that_sees_nothing_excuses_nothing() -> None:
    scores = {**GREEN_SCORES, "mia_auc": Score(0.63, upper=0.75, p_value=0.5, rows=60)}
    assert judge(scores, profile("standard"), facts=Facts()).may_release
    blind = judge(scores, profile("standard"), facts=Facts(underpowered="sees nothing"))
    assert not blind.may_release
    assert {one.metric: one.ruling for one in blind.failures}["mia_auc"] is Ruling.AMBER_OVER


def test_a_wide_interval_within_the_limit_is_amber_pass() -> None:
    judged = rule(MIA, Score(0.55, upper=0.70, p_value=0.2, rows=100))
    assert judged.ruling is Ruling.AMBER_PASS
    assert judged.rows_needed == 230  # 100 x (.15 / .10)^2 = 225, in two figures upwards


def test_standard_releases_on_amber_pass_but_no_profile_on_amber_over() -> None:
    passing = {**GREEN_SCORES, "mia_auc": Score(0.55, upper=0.70, p_value=0.2, rows=100)}
    over = {**GREEN_SCORES, "mia_auc": Score(0.70, upper=0.80, p_value=0.04, rows=100)}
    assert judge(passing, profile("standard")).may_release
    assert judge(passing, profile("standard")) == "amber"
    assert judge(passing, profile("standard")).exit_code == 4
    for name in PROFILES:
        assert not judge(over, profile(name)).may_release


def test_suspicious_is_ruled_like_red() -> None:
    scores = {**GREEN_SCORES, "mia_auc": Score(0.40, upper=0.45, suspicious=True, reason="below .5")}
    verdict = judge(scores, profile("standard"))
    assert verdict.light is Light.RED
    assert verdict.exit_code == 3


def test_not_applicable_is_not_unmeasured() -> None:
    scores = {**GREEN_SCORES, "ks_mean": Score.not_applicable("no numeric column")}
    assert judge(scores, profile("standard")) == "green"


def test_utility_below_2000_rows_needs_its_null() -> None:
    assert rule(KS, Score(0.12, upper=0.2, p_value=0.3, rows=50)).ruling is Ruling.AMBER_OVER
    assert rule(KS, Score(0.12, upper=0.2, p_value=0.001, rows=50)).ruling is Ruling.RED
    assert rule(KS, Score(0.12, upper=0.2, rows=5000)).ruling is Ruling.RED


def test_an_underpowered_audit_is_amber_at_best() -> None:
    verdict = judge(GREEN_SCORES, profile("standard"), facts=Facts(underpowered="sees nothing"))
    assert verdict == "amber"


def test_clinical_strict_demands_differential_privacy() -> None:
    scores = {
        **GREEN_SCORES,
        "outlier_auc": Score(0.5, upper=0.55),
        "attribute_risk": Score(0.0, upper=0.01),
        "linkability_risk": Score(0.0, upper=0.01),
        "singling_out_risk": Score(0.0, upper=0.01),
    }
    strict = profile("clinical_strict")
    assert judge(scores, strict, facts=Facts(certified_rows=20_000)) == "red"
    assert judge(scores, strict, facts=Facts(certified_rows=20_000, epsilon=1.0)) == "green"
    assert judge(scores, strict, facts=Facts(certified_rows=100, epsilon=1.0)) == "amber"


def test_an_unknown_profile_is_an_error() -> None:
    with pytest.raises(UnknownName, match="standard"):
        profile("lax")


@given(
    value=st.floats(0, 1), upper=st.floats(0, 1), p=st.one_of(st.none(), st.floats(0, 1)), rows=st.integers(0, 10_000)
)
def test_green_never_exceeds_a_limit(value: float, upper: float, p: float | None, rows: int) -> None:
    judged = rule(MIA, Score(value, upper=upper, p_value=p, rows=rows))
    if judged.ruling is Ruling.GREEN:
        assert value <= 0.60
        assert upper <= 0.65
    if judged.ruling is Ruling.RED:
        assert value > 0.60

"""Promises of the front: what is on it is what no other beats, weights move along it one way, gates stay hard."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_worker.errors import BadInput, UnknownName
from synth_worker.gates import judge, profile
from synth_worker.generators.registry import build
from synth_worker.metrics.base import Score
from synth_worker.record import attempt_json, read_attempt
from synth_worker.run import Attempt, Measurement, Plan
from synth_worker.search.pareto import (
    Point,
    Weights,
    chosen,
    dominates,
    front,
    front_json,
    front_of,
    point_of,
    read_weights,
    weighed,
)
from synth_worker.search.portfolio import best_of
from tests.unit.test_gates import GREEN_SCORES
from tests.unit.test_portfolio import attempt

# Few values, so that ties are common.
LOSS = st.sampled_from([0.0, 0.1, 0.1 + 1e-12, 0.3, 0.5, 0.9])
STANDING = st.integers(0, 3)
POINTS = st.lists(
    st.builds(
        Point,
        number=st.just(0),
        standing=STANDING,
        privacy=LOSS,
        detection=LOSS,
        trend=LOSS,
        usefulness=st.none() | LOSS,
    ),
    max_size=9,
).map(lambda found: [replace(one, number=place) for place, one in enumerate(found, start=1)])
WEIGHT = st.fractions(0, 1, max_denominator=40)


def tried(
    number: int, *, attack: float, c2st: float, corr: float = 0.03, method: str = "cart", **more: Score
) -> Attempt:
    """Return an attempt with these figures."""
    scores = {
        **GREEN_SCORES,
        "mia_auc": Score(attack, upper=attack, p_value=1e-9, rows=1000),
        "c2st_auc": Score(c2st),
        "corr_delta": Score(corr, upper=corr, rows=5000),
        **more,
    }
    own = attempt(number, Plan(method, {"privacy": number / 10}, 7), c2st=c2st)
    return replace(own, measurement=Measurement(scores, judge(scores, profile("standard"))))


@given(points=POINTS)
def test_the_front_is_what_no_other_beats(points: list[Point]) -> None:
    def beaten(one: Point) -> bool:
        for other in points:
            gaps = [mine - its for mine, its in zip(one.losses, other.losses, strict=True)]
            if other.standing <= one.standing and min(gaps) >= 0 and max(gaps) > 0:
                return True
        return False

    assert {one.number for one in front(points)} == {one.number for one in points if not beaten(one)}
    assert bool(front(points)) == bool(points)


@given(points=POINTS)
def test_dominance_has_no_circle(points: list[Point]) -> None:
    for one in points:
        assert not dominates(one, one)
        assert not any(dominates(one, other) and dominates(other, one) for other in points)


@given(points=POINTS, less=WEIGHT, more=WEIGHT)
def test_more_weight_on_privacy_never_chooses_a_less_private_point(
    points: list[Point], less: Fraction, more: Fraction
) -> None:
    less, more = sorted((less, more))
    low, high = weighed(points, Weights(less)), weighed(points, Weights(more))
    if low is None or high is None:
        assert not points
        return
    assert high.privacy <= low.privacy
    assert low in front(points)
    assert low.standing == min(one.standing for one in points)


@given(points=POINTS)
def test_the_ends_are_the_most_private_and_the_most_useful(points: list[Point]) -> None:
    most = weighed(points, Weights(Fraction(1)))
    if most is not None:
        own = [one for one in points if one.standing == most.standing]
        assert most.privacy == min(one.privacy for one in own)


def test_weights_move_the_choice_along_a_run() -> None:
    made = [tried(1, attack=0.52, c2st=0.80), tried(2, attack=0.54, c2st=0.60), tried(3, attack=0.58, c2st=0.55)]
    found = [chosen(made, prefer=f"privacy={own},utility={10 - own}") for own in (10, 8, 5, 0)]
    numbers = [one.number for one in found if one is not None]
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1]) == (1, 3)
    assert len(set(numbers)) == 3


def test_no_weight_buys_a_way_past_a_gate() -> None:
    leaking = tried(1, attack=0.8, c2st=0.5, corr=0.0)
    safe = tried(2, attack=0.55, c2st=0.95)
    assert chosen([leaking, safe], prefer="privacy=0,utility=1") is safe


@pytest.mark.parametrize("name", ["privacy", "balanced", "utility"])
def test_names_choose_as_the_search_does(name: str) -> None:
    made = [tried(1, attack=0.52, c2st=0.80), tried(2, attack=0.56, c2st=0.60)]
    assert chosen(made, prefer=name) is best_of(made, prefer=name)


@pytest.mark.parametrize("metric", ["mia_auc", "c2st_auc", "corr_delta"])
@pytest.mark.parametrize("absent", [Score.unmeasured("no rows"), Score(float("nan"), upper=float("nan")), None])
def test_what_was_not_measured_is_never_on_the_front_nor_green(metric: str, absent: Score | None) -> None:
    whole = tried(1, attack=0.55, c2st=0.7)
    scores = {**whole.scores, metric: absent} if absent else {k: v for k, v in whole.scores.items() if k != metric}
    verdict = judge(scores, profile("standard"))  # pyright: ignore[reportArgumentType]
    lacking = replace(whole, number=2, measurement=Measurement(scores, verdict))  # pyright: ignore[reportArgumentType]
    assert point_of(lacking) is None
    assert [one.number for one in front_of([whole, lacking])] == [1]
    if metric != "c2st_auc":  # no gate is on it
        assert verdict != "green"
    for prefer in ("balanced", "privacy", "utility=1,privacy=1"):
        assert chosen([lacking, whole], prefer=prefer) is whole


def test_a_table_of_one_column_has_a_front() -> None:
    lone = {name: Score.not_applicable("one column") for name in ("corr_delta", "trend")}
    point = point_of(tried(1, attack=0.52, c2st=0.6, **lone))
    assert point is not None
    assert point.trend == 0


def test_a_failed_fit_is_no_point() -> None:
    failed = replace(tried(1, attack=0.5, c2st=0.5), measurement=None, failure="out of memory")
    assert point_of(failed) is None
    assert chosen([failed], prefer="privacy=1,utility=1") is None


def test_every_point_says_how_to_make_it_again() -> None:
    made = [tried(1, attack=0.52, c2st=0.80), tried(2, attack=0.56, c2st=0.60), tried(3, attack=0.57, c2st=0.90)]
    found = front_json(made)
    assert [one["number"] for one in found] == [1, 2]
    for one in found:
        build(str(one["method"]), one["hyperparameters"])  # type: ignore[arg-type]
        assert one["seed"] == 7


def test_the_front_survives_being_written_down() -> None:
    made = [tried(1, attack=0.52, c2st=0.80), tried(2, attack=0.56, c2st=0.60)]
    back = [read_attempt(attempt_json(one), profile="standard") for one in made]
    assert front_json(back) == front_json(made)


@pytest.mark.parametrize("text", ["privacy=1", "privacy=0,utility=0", "privacy=-1,utility=2", "speed=1,utility=1", "privacy=a,utility=1", "privacy=1,privacy=1"])  # fmt: skip # noqa: E501
def test_weights_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_weights(text)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(UnknownName, match="utility"):
        read_weights("speed")

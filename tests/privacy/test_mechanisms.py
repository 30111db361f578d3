"""Promises of the mechanisms: exact laws of the noise, and no more told of one unit than is claimed."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.errors import BadInput
from synth_worker.privacy import mechanisms
from synth_worker.privacy.accounting import rho_of
from synth_worker.privacy.mechanisms import (
    dp_quantiles,
    dp_range,
    gaussian_counts,
    laplace_counts,
    laplace_scale,
    noisy_max,
    stable_histogram,
    threshold_of,
    truth_of,
)
from synth_worker.privacy.noise import LARGEST_SCALE, ScriptedNoise, opendp_noise
from tests.privacy.audited import (
    DELTA,
    MECHANISMS,
    Pair,
    answer_pair,
    choice_pair,
    gaussian_pair,
    label_pair,
    laplace_pair,
    pairs,
    samplers,
)
from tests.privacy.auditing import chi_square, lower_epsilon
from tests.privacy.checks import named_chance, tail

NOISE = opendp_noise()
STILL = ScriptedNoise(still=True)
SURE = 1 - 1e-6
"""A test suite runs often: at 99.9 % one of its fifty bounds would be too high in one of some hundred runs."""


def lower(pair: Pair, times: int) -> float:
    return lower_epsilon(pair.draw(NOISE, 0, times), pair.draw(NOISE, 1, times), delta=pair.delta, confidence=SURE)


@pytest.mark.parametrize("setting", list(samplers(12)), ids=lambda one: f"{one.name}-{one.about}")
def test_samplers_follow_their_exact_laws(setting) -> None:
    assert chi_square(setting.draw(NOISE, 2_000), setting.law) > 1e-6


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_no_mechanism_tells_more_of_a_unit_than_it_claims(mechanism: str) -> None:
    for pair in pairs(mechanism, 3, seed=1):
        assert lower(pair, 1_000) <= pair.epsilon, pair.about


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.sampled_from(MECHANISMS), st.integers(2, 10_000))
def test_no_pair_that_hypothesis_finds_tells_more(mechanism: str, seed: int) -> None:
    (pair,) = pairs(mechanism, 1, seed=seed)
    assert lower(pair, 600) <= pair.epsilon, pair.about


@pytest.mark.parametrize(
    ("part", "broken", "pair", "times"),
    [
        (
            "laplace_scale",
            lambda whole: lambda sensitivity, *, epsilon: whole(sensitivity, epsilon=epsilon) / 2,
            laplace_pair(1.0, 1, np.array([1]), np.array([7])),
            6_000,
        ),
        (
            "laplace_scale",
            lambda whole: lambda sensitivity, *, epsilon: whole(sensitivity, epsilon=epsilon) / 2,
            choice_pair(1.0, 1.0, np.array([-3.0, 0.0]), np.array([1.0, -1.0])),
            6_000,
        ),
        (
            "gaussian_scale",
            lambda whole: lambda *, sensitivity, rho: whole(sensitivity=sensitivity, rho=rho) / 4,
            gaussian_pair(rho_of(1.0, delta=DELTA), 1, np.array([1]), np.array([7])),
            8_000,
        ),
        (
            "truth_of",
            lambda whole: lambda epsilon, *, categories: whole(2 * epsilon, categories=categories),
            answer_pair(1.0, 3),
            4_000,
        ),
        (
            "threshold_of",
            lambda _whole: lambda _rho, *, delta, most_rows: most_rows + 1,
            label_pair(0.02, 1e-3, most_rows=1, labels=1, known=0),
            1_000,
        ),
    ],
    ids=["half the laplace noise", "half the noise of a choice", "a quarter of gaussian noise", "truth", "threshold"],
)
def test_the_auditor_catches_a_broken_mechanism(monkeypatch, part, broken, *, pair: Pair, times: int) -> None:
    monkeypatch.setattr(mechanisms, part, broken(getattr(mechanisms, part)))
    assert lower(pair, times) > pair.epsilon


def test_the_auditor_comes_near_the_truth() -> None:
    laplace, answers = laplace_pair(1.0, 1, np.array([1]), np.array([7])), answer_pair(1.0, 3)
    assert 0.7 * laplace.epsilon < lower(laplace, 12_000) <= laplace.epsilon
    assert 0.7 * answers.epsilon < lower(answers, 12_000) <= answers.epsilon


@given(st.floats(1e-3, 1e3), st.floats(1e-6, 50))
def test_laplace_scales_are_never_too_small(sensitivity: float, epsilon: float) -> None:
    scale = laplace_scale(sensitivity, epsilon=epsilon)
    assert Fraction(scale) * Fraction(epsilon) >= Fraction(sensitivity)
    assert scale * epsilon <= sensitivity * (1 + 1e-12)


@given(st.floats(1e-12, 60), st.integers(2, 1_000))
def test_the_truth_is_never_told_too_often(epsilon: float, categories: int) -> None:
    truth = Fraction(truth_of(epsilon, categories=categories))
    if truth < 1:
        odds = truth * (categories - 1) / (1 - truth)
        assert math.log(odds) <= epsilon
        assert math.log(odds) >= epsilon * (1 - 1e-9) - 1e-2 or epsilon > 25


@given(st.floats(0.005, 5), st.floats(-9, -1), st.integers(1, 12), st.data())
def test_the_threshold_hides_what_only_one_unit_holds_and_is_nearly_the_least_that_does(rho, power, rows, data) -> None:
    delta = 10.0**power
    threshold = threshold_of(rho, delta=delta, most_rows=rows)
    left, parts = rows, []
    while left:
        parts.append(data.draw(st.integers(1, left)))
        left -= parts[-1]
    scale = rows / math.sqrt(2 * rho)
    assert threshold > rows
    for held in (parts, [rows], [1] * rows):
        assert sum(tail(scale, threshold - part) for part in held) <= delta * (1 + 1e-9)
    assert threshold <= rows + 2 or named_chance(rows, rho=rho, limit=threshold - 2) > delta


def test_gaussian_noise_names_more_labels_than_laplace_noise_of_the_same_cost_would() -> None:
    for rho in (0.001, 0.02, 0.5):
        laplace = 1 + math.log(1 / (2 * 1e-7)) / math.sqrt(2 * rho)
        assert threshold_of(rho, delta=1e-7, most_rows=1) < 0.5 * laplace


def test_noise_is_added_to_empty_cells_too_and_anew_for_each() -> None:
    for drawn in (
        gaussian_counts(np.zeros((20, 5), dtype=int), rho=0.01, sensitivity=2.0, noise=NOISE),
        laplace_counts(np.zeros((20, 5), dtype=int), epsilon=0.1, sensitivity=2.0, noise=NOISE),
    ):
        assert drawn.shape == (20, 5)
        assert (drawn == 0).mean() < 0.3
        assert len(np.unique(drawn)) > 15
        assert drawn.dtype == np.int64


def test_scales_grow_with_what_a_unit_can_change() -> None:
    spread = [gaussian_counts(np.zeros(400, dtype=int), rho=0.5, sensitivity=one, noise=NOISE).std() for one in (1, 8)]
    assert spread[1] > 6 * spread[0]


def test_large_noise_is_not_cut_off() -> None:
    # Noise that is cut off at the ends of 32 bits gives away the count beneath it.
    for drawn in (NOISE.discrete_gaussian(60, scale=1e11), NOISE.discrete_laplace(60, scale=1e11)):
        assert len(np.unique(drawn)) > 50
    for scale in (0.0, -1.0, math.nan, math.inf, LARGEST_SCALE * 2):
        for draw in (NOISE.discrete_gaussian, NOISE.discrete_laplace, STILL.discrete_gaussian):
            with pytest.raises(BadInput, match="scale"):
                draw(3, scale=scale)


def test_only_opendp_is_private() -> None:
    assert NOISE.private
    assert not ScriptedNoise(1).private


def test_answers_without_noise_are_right() -> None:
    counts = np.array([0, 9, 30, 9, 0])
    assert dp_range(counts, rho=2.0, sensitivity=1.0, noise=STILL) == (1, 3)
    assert dp_range(np.zeros(3, dtype=int), rho=2.0, sensitivity=1.0, noise=STILL) is None
    assert dp_quantiles(counts, (0.0, 0.1, 0.5, 0.9, 1.0), rho=1.0, sensitivity=1.0, noise=STILL).tolist() == [
        0,
        1,
        2,
        3,
        3,
    ]
    assert noisy_max(np.array([1.0, 3.0, 2.0]), epsilon=1.0, sensitivity=1.0, noise=STILL) == 1
    held = {"often": 50, "rare": 1, "never": 0, "also": 40}
    assert stable_histogram(held, rho=0.5, delta=1e-6, most_rows=1, noise=STILL) == {"also": 40, "often": 50}


def test_what_cannot_be_answered_is_refused() -> None:
    for wrong in (
        lambda: gaussian_counts(np.array([0.5]), rho=1.0, sensitivity=1.0, noise=NOISE),  # type: ignore[arg-type]
        lambda: gaussian_counts(np.array([1]), rho=0.0, sensitivity=1.0, noise=NOISE),
        lambda: laplace_counts(np.array([1]), epsilon=1.0, sensitivity=0.0, noise=NOISE),
        lambda: laplace_counts(np.array([1]), epsilon=1e-300, sensitivity=1.0, noise=NOISE),
        lambda: noisy_max(np.array([]), epsilon=1.0, sensitivity=1.0, noise=NOISE),
        lambda: noisy_max(np.array([1.0, math.nan]), epsilon=1.0, sensitivity=1.0, noise=NOISE),
        lambda: truth_of(1.0, categories=1),
        lambda: truth_of(1e-13, categories=2),
        lambda: threshold_of(1.0, delta=0.0, most_rows=1),
        lambda: threshold_of(1.0, delta=0.1, most_rows=0),
    ):
        with pytest.raises(BadInput):
            wrong()

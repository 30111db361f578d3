"""The Gaussian copula: marginals kept, latent correlations found again, conditions honoured exactly."""

from __future__ import annotations

import numpy as np
import pytest

from synth_worker.encoding.direction import widen
from synth_worker.generators.normal import correlation_of, draw_in_box, interval_means, normal_cdf, normal_quantile
from synth_worker.generators.registry import build
from synth_worker.schema import Column, Kind
from synth_worker.table import Table
from tests.tables import adult_like, continuous, labels, whole
from tests.tables import build as make


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(train: Table, *, rows: int, **given: float | str) -> Table:
    return build("gc", {}).fit(train.modelled().narrowed(), rng=rng()).sample(rows, rng=rng(1), given=given or None)


def latent(rows: int, correlation: float, seed: int = 0) -> np.ndarray:
    first, second = rng(seed).normal(size=(2, rows))
    return np.stack([first, correlation * first + np.sqrt(1 - correlation**2) * second], axis=1)


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.3, 0.7])
@pytest.mark.parametrize("cuts", [(), (0.0,), (-1.0, 0.5, 1.2)])
def test_a_latent_correlation_is_found_behind_thresholds(correlation: float, cuts: tuple[float, ...]) -> None:
    scores = latent(20_000, correlation)
    if cuts:
        ends = np.concatenate([[0.0], [(scores[:, 1] <= cut).mean() for cut in cuts], [1.0]])
        level = np.searchsorted(np.array(cuts), scores[:, 1])
        scores[:, 1] = interval_means(ends[level], ends[level + 1])
    assert abs(correlation_of(scores)[0, 1] - correlation) < 0.04


def test_the_correlation_matrix_is_positive_definite_on_few_rows_and_many_columns() -> None:
    found = correlation_of(rng().normal(size=(30, 80)))
    assert np.linalg.eigvalsh(found).min() > 0
    assert np.allclose(np.diag(found), 1)


def test_noise_is_shrunk_and_signal_is_not() -> None:
    noise = correlation_of(rng().normal(size=(2_000, 30)))
    assert np.abs(noise[np.triu_indices(30, 1)]).mean() < 0.018 / 1.5
    assert abs(correlation_of(latent(2_000, 0.8))[0, 1] - 0.8) < 0.02


def test_pairs_with_missing_values_use_the_rows_that_have_both() -> None:
    scores = latent(20_000, 0.5)
    scores[rng(1).random(20_000) < 0.4, 0] = np.nan
    scores[rng(2).random(20_000) < 0.3, 1] = np.nan
    assert abs(correlation_of(scores)[0, 1] - 0.5) < 0.03


def test_box_draws_agree_with_rejection_sampling() -> None:
    matrix = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, 0.5], [0.3, 0.5, 1.0]])
    box = {0: (0.5, 1.5), 1: (-np.inf, 0.2)}
    found = draw_in_box(matrix, box, 20_000, rng())
    plain = draw_in_box(matrix, {}, 400_000, rng(1))
    inside = plain[(plain[:, 0] > 0.5) & (plain[:, 0] < 1.5) & (plain[:, 1] < 0.2)]
    assert ((found[:, 0] >= 0.5) & (found[:, 0] <= 1.5) & (found[:, 1] <= 0.2)).all()
    assert np.allclose(found.mean(axis=0), inside.mean(axis=0), atol=0.03)
    assert np.allclose(np.cov(found.T), np.cov(inside.T), atol=0.04)


def test_quantiles_and_the_distribution_function_are_inverse() -> None:
    levels = rng().random(100)
    assert np.allclose(normal_cdf(normal_quantile(levels)), levels)


def test_marginals_are_kept() -> None:
    train = adult_like(3_000, 1)
    made = drawn(train, rows=6_000)
    for name in ("education", "relation", "country"):
        real = np.bincount(train.codes(name) + 1, minlength=60) / train.rows
        own = np.bincount(made.schema[name].categories and _codes_like(made, train, name) + 1, minlength=60) / made.rows
        assert np.abs(real - own).sum() / 2 < 0.04, name
    assert abs((train.numbers("gain") == 0).mean() - (made.numbers("gain") == 0).mean()) < 0.02


def _codes_like(made: Table, train: Table, name: str) -> np.ndarray:
    place = {label: at for at, label in enumerate(train.schema[name].categories)}
    return np.array([place[one] for one in made.frame[name]])


def test_missing_values_stay_where_they_belong_together() -> None:
    made = drawn(adult_like(2_000, 1), rows=4_000)
    work, job = made.missing("work"), made.missing("job")
    assert abs(work.mean() - 0.06) < 0.02
    assert (work & job).sum() / max(work.sum(), 1) > 0.8


def test_numbers_keep_their_correlation() -> None:
    made = drawn(continuous(1_000, 5, 3), rows=5_000)
    assert abs(np.corrcoef(made.frame.to_numpy().T)[np.triu_indices(5, 1)].mean() - 0.5) < 0.04


def test_labels_without_an_order_get_one_that_carries_dependence() -> None:
    codes = rng().integers(6, size=3_000)
    # The alphabet says nothing: labels 0, 2, 4 go with small numbers.
    number = np.round(10 * (codes % 2) + rng(1).normal(size=3_000) * 3, 2)
    train = make(
        {"kind": labels("kind", "abcdef"), "x": Column("x", Kind.NUMERIC, decimals=2)}, {"kind": codes, "x": number}
    )
    made = drawn(train, rows=4_000)
    odd = made.codes("kind") % 2 == 1
    assert made.numbers("x")[odd].mean() - made.numbers("x")[~odd].mean() > 5.0


def test_a_given_label_is_exact_and_moves_the_others() -> None:
    train = adult_like(3_000, 1)
    rich, poor = drawn(train, rows=3_000, income="high"), drawn(train, rows=3_000, income="low")
    want = [train.numbers("hours")[train.codes("income") == code].mean() for code in (1, 0)]
    found = rich.numbers("hours").mean() - poor.numbers("hours").mean()
    assert 0.4 < found / (want[0] - want[1]) < 1.6


def test_a_given_column_is_never_missing() -> None:
    made = drawn(adult_like(1_000, 1), rows=300, bmi=25.0)
    assert (made.numbers("bmi") == 25.0).all()


def test_label_positions_do_not_look_at_the_column_itself() -> None:
    train = make({"k": labels("k", "ab"), "x": whole("x")}, {"k": np.array([0, 1, 0, 1]), "x": np.zeros(4)})
    assert (widen(train).label_positions("k", train.codes("k"), 2) == 0).all()

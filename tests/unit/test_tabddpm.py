"""Diffusion: schedules that add up, samplers that are exact where the answer is known, dependence found and obeyed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, kstest

from synth_worker.encoding.table_encoder import fit_encoder
from synth_worker.errors import BadModel, UnknownName
from synth_worker.generators.base import Value
from synth_worker.generators.diffusion import HIGHEST, LOWEST, levels, scaling
from synth_worker.generators.multinomial import Labels, cosine
from synth_worker.generators.persistence import load_model, save_model
from synth_worker.generators.registry import build, load
from synth_worker.generators.segments import drawn_states, log_shares, segments_of, starts_of
from synth_worker.generators.tabddpm_drawing import Walk, draw
from synth_worker.generators.tabddpm_endpoint import Endpoint
from synth_worker.generators.weights import repeatable
from synth_worker.schema import Column, Kind
from synth_worker.table import Table
from tests.tables import adult_like, labels
from tests.tables import build as make

CPU = torch.device("cpu")
QUICK: dict[str, dict[str, Value]] = {
    "endpoint": {"n_iter": 100, "width": 48, "layers": 1, "batch_size": 128},
    "kotelnikov2023": {
        "n_iter": 300,
        "width": 64,
        "batch_size": 128,
        "variant": "kotelnikov2023",
        "timesteps": 80,
    },
}
VARIANTS = sorted(QUICK)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pair(rows: int, seed: int = 0) -> Table:
    """Return two normal columns that correlate by 0.8."""
    first, second = rng(seed).normal(size=(2, rows))
    columns = {name: Column(name, Kind.NUMERIC, dtype="float64") for name in ("x", "y")}
    return make(columns, {"x": first, "y": 0.8 * first + 0.6 * second}).narrowed()


def parity(rows: int, seed: int = 0) -> Table:
    """Return two fair labels and a third that says whether they differ, with a state that never occurs."""
    first, second = rng(seed).integers(0, 2, size=(2, rows))
    columns = {
        "a": labels("a", ("no", "yes")),
        "b": labels("b", ("no", "yes", "never")),
        "c": labels("c", ("same", "other"), nullable=True),
    }
    return make(columns, {"a": first, "b": second, "c": first ^ second})


def columns_of(widths: tuple[int, ...]) -> Labels:
    segments = segments_of(widths)
    return Labels(starts_of(widths), segments, torch.tensor(widths, dtype=torch.float32)[segments])


@pytest.fixture(scope="module", params=VARIANTS)
def numbers(request: pytest.FixtureRequest):
    return build("ddpm", QUICK[request.param]).fit(pair(1_500), rng=rng())


@pytest.fixture(scope="module", params=VARIANTS)
def named(request: pytest.FixtureRequest):
    return build("ddpm", QUICK[request.param]).fit(parity(1_000), rng=rng())


def test_levels_fall_from_the_highest_to_none() -> None:
    path = levels(25)
    assert len(path) == 26
    assert path[0] == pytest.approx(HIGHEST)
    assert path[-2:] == [pytest.approx(LOWEST), 0.0]
    assert all(lower < level for level, lower in pairwise(path))


def test_the_scaled_input_and_the_target_have_unit_variance_at_every_level() -> None:
    scores, noise = torch.randn(2, 200_000, generator=torch.Generator().manual_seed(0))
    for level in (0.02, 0.5, 2.0, 20.0):
        found = scaling(torch.tensor(level))
        noisy = scores + level * noise
        assert float((found.inside * noisy).std()) == pytest.approx(1, abs=0.01)
        assert float(((scores - found.skip * noisy) / found.out).std()) == pytest.approx(1, abs=0.01)


def test_an_untrained_network_draws_independent_columns_with_their_own_distributions() -> None:
    train = adult_like(800, 1).modelled().narrowed()
    encoder = fit_encoder(train)
    variant = Endpoint(dropout=0.0)
    net = variant.net(encoder, {"width": 32}, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        net.states.weight.zero_()
    with repeatable():
        made = draw(net, encoder, 2_000, values={}, rng=rng())
    for number, place in enumerate(encoder.numbers):
        body = made.states[:, place] == 0
        assert kstest(made.scores[body, number], "norm").pvalue > 0.001
        assert (made.scores[~body, number] == 0).all()
    for place, counts in enumerate(encoder.counts):
        shares = np.bincount(made.states[:, place], minlength=len(counts)) / 2_000
        assert np.abs(shares - counts / counts.sum()).max() < 0.04


def test_steps_along_the_arc_keep_the_spread_that_straight_steps_lose() -> None:
    encoder = fit_encoder(pair(300))
    net = Endpoint().net(encoder, {"width": 8, "layers": 1}, generator=torch.Generator().manual_seed(0))
    with repeatable():
        arc, straight = (
            draw(net, encoder, 20_000, values={}, rng=rng(), walk=Walk(steps=25, straight=one)).scores.std(axis=0)
            for one in (False, True)
        )
    assert arc == pytest.approx(1, abs=0.02)
    assert straight.max() < 0.95


def test_states_are_drawn_as_often_as_their_logits_say() -> None:
    logits = torch.tensor([[0.0, 1.0, -1.0, 2.0, -torch.inf]])
    where = {"starts": starts_of((2, 3)), "segments": segments_of((2, 3))}
    states = drawn_states(logits.repeat(40_000, 1), **where, generator=torch.Generator().manual_seed(0))
    wanted = log_shares(logits, **where).exp()[0].numpy()
    found = np.concatenate([np.bincount(states[:, at], minlength=width) for at, width in enumerate((2, 3))]) / 40_000
    assert np.abs(found - wanted).max() < 0.01
    assert found[-1] == 0


def test_one_step_back_is_bayes_rule() -> None:
    """Compare with all products of one-step transition matrices, on a column of three states beside one of two."""
    schedule, step, where = cosine(10, device=CPU), 6, columns_of((3, 2))
    moves = [float(a) * np.eye(3) + (1 - float(a)) / 3 for a in schedule.alphas]
    reach = np.linalg.multi_dot(moves[:step])
    start = torch.tensor([[0.5, 0.3, 0.2, 0.5, 0.5]])
    now = where.one_hot(torch.tensor([[1, 0]]))
    found = where.before(start.log(), now, schedule, torch.tensor([[step]])).exp()[0, :3].numpy()
    wanted = (start[0, :3].numpy() @ reach) * moves[step][:, 1]
    assert found == pytest.approx(wanted / wanted.sum(), abs=1e-4)


def test_the_cosine_schedule_ends_in_noise() -> None:
    schedule = cosine(1_000, device=CPU)
    assert float(schedule.kept[0]) > 0.9999
    assert float(schedule.kept[-1]) < 1e-4
    assert torch.allclose(schedule.before[1:], schedule.kept[:-1])


def test_a_correlation_is_recovered(numbers) -> None:
    made = numbers.sample(2_000, rng=rng(1))
    x, y = made.numbers("x"), made.numbers("y")
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(0.8, abs=0.06)
    assert x.std() == pytest.approx(1, abs=0.08)
    assert y.std() == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("variant", VARIANTS)
def test_numbers_beside_many_labels_do_not_pile_up_at_their_ends(variant: str) -> None:
    train = adult_like(600, 2).modelled().narrowed()
    made = build("ddpm", QUICK[variant] | {"n_iter": 60}).fit(train, rng=rng()).sample(1_000, rng=rng(1))
    for column in train.schema:
        if column.continuous:
            real, own = train.numbers(column.name), made.numbers(column.name)
            assert ks_2samp(real[~np.isnan(real)], own[~np.isnan(own)]).statistic < 0.2, column.name


def test_a_given_number_moves_the_other(numbers) -> None:
    made = numbers.sample(500, rng=rng(1), given={"x": 1.0})
    assert (made.numbers("x") == 1.0).all()
    # The published variant is not exact here.
    assert made.numbers("y").mean() == pytest.approx(0.8, abs=0.25)
    assert made.numbers("y").std() == pytest.approx(0.6, abs=0.15)


def test_no_score_lies_beyond_those_of_the_training_rows(numbers) -> None:
    train, made = pair(1_500), numbers.sample(3_000, rng=rng(2))
    for name in ("x", "y"):
        assert train.numbers(name).min() <= made.numbers(name).min()
        assert made.numbers(name).max() <= train.numbers(name).max()
        assert (made.numbers(name) == made.numbers(name).max()).mean() < 0.005


def test_what_two_labels_determine_is_recovered(named) -> None:
    made = named.sample(2_000, rng=rng(1))
    wrong = (made.codes("a") ^ made.codes("b")) != made.codes("c")
    assert wrong.mean() < 0.06
    for name in "abc":
        assert made.codes(name).mean() == pytest.approx(parity(1_000).codes(name).mean(), abs=0.06)


def test_unseen_states_are_never_drawn(named) -> None:
    made = named.sample(2_000, rng=rng(1))
    assert (made.codes("b") < 2).all()
    assert not made.missing("c").any()


def test_given_labels_fix_what_follows_from_them(named) -> None:
    made = named.sample(500, rng=rng(1), given={"a": "yes", "c": "same"})
    assert (made.codes("a") == 1).all()
    assert (made.codes("c") == 0).all()
    assert made.codes("b").mean() > 0.8


def test_saved_and_loaded_it_draws_the_same(named, tmp_path: Path) -> None:
    named.save(tmp_path)
    assert load(tmp_path).sample(200, rng=rng(3)).frame.equals(named.sample(200, rng=rng(3)).frame)


def test_a_model_of_an_unknown_variant_is_refused(named, tmp_path: Path) -> None:
    named.save(tmp_path)
    stored = load_model(tmp_path, method="ddpm")
    state = {**stored.state, "hyperparameters": {"variant": "nobody"}}
    save_model(tmp_path, method="ddpm", schema=stored.schema, state=state, arrays=stored.arrays)
    with pytest.raises(BadModel):
        load(tmp_path)
    with pytest.raises(UnknownName):
        build("ddpm", {"variant": "nobody"})


def test_rows_that_break_the_dependence_cost_more(named) -> None:
    true = parity(300, 5)
    flipped = make(
        {column.name: column for column in true.schema},
        {"a": true.codes("a"), "b": true.codes("b"), "c": 1 - true.codes("c")},
    )
    right, wrong = named.row_loss(true, rng=rng()), named.row_loss(flipped, rng=rng())
    assert right.shape == (300,)
    assert wrong.mean() > right.mean() + 0.2

"""What the conditional adversarial network promises on tables whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from synth_worker.encoding.table_encoder import fit_encoder
from synth_worker.errors import BadModel
from synth_worker.generators.column_logits import Segments
from synth_worker.generators.ctgan import Ctgan
from synth_worker.generators.ctgan_conditions import Conditions, Matching
from tests.tables import adult_like, known

ROWS = 1_200


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def model() -> Ctgan:
    return Ctgan({"n_iter": 60, "width": 96}).fit(known(ROWS), rng=rng())


def test_a_correlation_and_both_margins_are_kept(model: Ctgan) -> None:
    made = model.sample(4_000, rng=rng(1))
    x, y = made.numbers("x"), made.numbers("y")
    assert abs(np.corrcoef(x, y)[0, 1] - 0.8) < 0.12
    assert abs(x.std() - 1) < 0.1
    assert abs(y.std() - 1) < 0.1


def test_a_label_follows_its_number(model: Ctgan) -> None:
    made = model.sample(4_000, rng=rng(1))
    x, side = made.numbers("x"), made.codes("side")
    assert (side[x > 0.7] == 1).mean() > 0.85
    assert (side[x < -0.7] == 0).mean() > 0.85


def test_a_rare_class_keeps_its_share_and_an_unseen_one_is_never_drawn(model: Ctgan) -> None:
    codes = model.sample(6_000, rng=rng(1)).codes("rare")
    assert 0.03 < (codes == 1).mean() < 0.07
    assert not (codes == 2).any()


def test_given_cells_are_exact_and_move_the_others(model: Ctgan) -> None:
    high, low = (model.sample(1_000, rng=rng(1), given={"side": value}) for value in ("high", "low"))
    assert (high.codes("side") == 1).all()
    assert high.numbers("x").mean() > low.numbers("x").mean() + 1
    near = model.sample(1_000, rng=rng(1), given={"x": 1.5})
    assert (near.numbers("x") == 1.5).all()
    assert near.numbers("y").mean() > 0.7


def test_saved_and_loaded_it_draws_the_same(model: Ctgan, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = Ctgan.load(tmp_path)
    assert loaded.sample(300, rng=rng(2)).frame.equals(model.sample(300, rng=rng(2)).frame)
    assert loaded.row_loss(known(50), rng=rng()) is None


def test_a_model_with_a_falling_curve_is_refused(model: Ctgan, tmp_path: Path) -> None:
    assert model._model is not None
    curve = model._model.curve
    try:
        curve[:] = curve[:, ::-1].copy()
        model.save(tmp_path)
    finally:
        curve[:] = curve[:, ::-1].copy()
    with pytest.raises(BadModel, match="curves"):
        Ctgan.load(tmp_path)


def test_rows_for_a_condition_meet_it_and_every_one_is_found() -> None:
    train = adult_like(400, 0).modelled().narrowed()
    encoder = fit_encoder(train)
    states = torch.as_tensor(encoder.encode(train, rng=rng()).states)
    segments, generator = Segments(encoder.widths), torch.Generator().manual_seed(0)
    conditions = Conditions(segments, encoder.counts, device=torch.device("cpu"))
    columns, wanted = conditions.draw(20_000, even=True, generator=generator)
    rows = Matching(states, segments).rows_for(columns, wanted, generator=generator)
    assert (states[rows, columns] == wanted).all()
    assert len(rows.unique()) == 400


def test_conditions_follow_the_shares_and_in_training_favour_what_is_rare() -> None:
    counts = [np.array([950, 50]), np.array([1_000, 0])]
    conditions = Conditions(Segments((2, 2)), counts, device=torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    columns, real = conditions.draw(20_000, even=False, generator=generator)
    _, even = conditions.draw(20_000, even=True, generator=generator)
    assert (columns == 0).all()
    assert abs(real.float().mean() - 0.05) < 0.01
    assert abs(even.float().mean() - np.log(51) / (np.log(951) + np.log(51))) < 0.02

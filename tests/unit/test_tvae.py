"""What the variational autoencoder promises on tables whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from synth_worker.errors import BadModel
from synth_worker.generators.tvae import Tvae
from synth_worker.table import Table
from tests.tables import known

ROWS = 1_200


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def model() -> Tvae:
    return Tvae({"n_iter": 120}).fit(known(ROWS), rng=rng())


def test_a_correlation_and_both_margins_are_kept(model: Tvae) -> None:
    made = model.sample(4_000, rng=rng(1))
    x, y = made.numbers("x"), made.numbers("y")
    assert abs(np.corrcoef(x, y)[0, 1] - 0.8) < 0.06
    assert abs(x.std() - 1) < 0.1
    assert abs(y.std() - 1) < 0.1


def test_a_label_follows_its_number(model: Tvae) -> None:
    made = model.sample(4_000, rng=rng(1))
    x, side = made.numbers("x"), made.codes("side")
    assert (side[x > 0.7] == 1).mean() > 0.93
    assert (side[x < -0.7] == 0).mean() > 0.93


def test_a_rare_class_keeps_its_share_and_an_unseen_one_is_never_drawn(model: Tvae) -> None:
    codes = model.sample(6_000, rng=rng(1)).codes("rare")
    assert 0.03 < (codes == 1).mean() < 0.07
    assert not (codes == 2).any()


def test_given_cells_are_exact_and_move_the_others(model: Tvae) -> None:
    high, low = (model.sample(1_000, rng=rng(1), given={"x": value}) for value in (1.5, -1.5))
    assert (high.numbers("x") == 1.5).all()
    assert abs(high.numbers("y").mean() - 1.2) < 0.25
    assert (high.codes("side") == 1).mean() > 0.9
    assert (low.codes("side") == 1).mean() < 0.1


def test_saved_and_loaded_it_draws_and_judges_the_same(model: Tvae, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = Tvae.load(tmp_path)
    assert loaded.sample(300, rng=rng(2)).frame.equals(model.sample(300, rng=rng(2)).frame)
    fresh = known(200, 1)
    one, two = (own.row_loss(fresh, rng=rng(3)) for own in (model, loaded))
    assert one is not None
    assert two is not None
    assert np.array_equal(one, two)


def test_an_odd_row_has_a_greater_loss(model: Tvae) -> None:
    usual = known(300, 2)
    frame = usual.frame.assign(y=-usual.frame["y"] - 2 * np.sign(usual.frame["x"]))
    odd = Table(usual.schema, frame)
    one, two = (model.row_loss(table, rng=rng(3)) for table in (usual, odd))
    assert one is not None
    assert two is not None
    assert two.mean() > one.mean() + 5


def test_a_model_with_another_distribution_of_codes_is_refused(model: Tvae, tmp_path: Path) -> None:
    assert model._model is not None
    centre = model._model.codes.centre
    held = centre.clone()
    try:
        centre[0] = torch.nan
        model.save(tmp_path)
    finally:
        centre.copy_(held)
    with pytest.raises(BadModel, match="codes"):
        Tvae.load(tmp_path)

"""Promises of the any-order network: exact conditions, what it learns, what it never draws, what it loses on a row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from synth_worker.encoding.table_encoder import fit_encoder
from synth_worker.errors import BadInput
from synth_worker.generators.registry import build, load
from synth_worker.table import Table
from tests.tables import build as make
from tests.tables import labels, whole


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def paired(rows: int, seed: int = 0) -> Table:
    """Return a label, a number that depends on it, another label that repeats the first, and a following number."""
    draw = rng(seed)
    kind = draw.integers(3, size=rows)
    size = np.round(draw.normal(50 + 30 * kind, 5)).clip(0, 200)
    return make(
        {"kind": labels("kind", ("a", "b", "c")), "size": whole("size"), "twin": labels("twin", ("x", "y", "z"))},
        {"kind": kind, "size": size, "twin": kind},
    ).narrowed()


@pytest.fixture(scope="module")
def train() -> Table:
    return paired(600)


@pytest.fixture(scope="module")
def model(train: Table):
    return build("arn", {"n_iter": 60, "width": 64}).fit(train, rng=rng())


def test_a_column_is_conditioned_on_in_any_direction(model) -> None:
    made = model.sample(400, rng=rng(), given={"kind": "c"})
    assert abs(made.numbers("size").mean() - 110) < 6
    back = model.sample(400, rng=rng(), given={"size": 50})
    assert (back.codes("kind") == 0).mean() > 0.9


def test_a_column_that_follows_from_another_is_kept_and_can_be_given(model) -> None:
    made = model.sample(300, rng=rng())
    assert (made.codes("kind") == made.codes("twin")).all()
    given = model.sample(100, rng=rng(), given={"twin": "y"})
    assert (given.codes("kind") == 1).all()
    assert (given.codes("twin") == 1).all()
    with pytest.raises(BadInput, match="follows from"):
        model.sample(5, rng=rng(), given={"twin": "y", "kind": "a"})


def test_its_own_rows_lose_less_than_rows_that_cannot_be(model, train: Table) -> None:
    own = model.row_loss(train, rng=rng())
    assert own is not None
    assert own.shape == (train.rows,)
    frame = train.frame.copy()
    frame["size"] = frame["size"].to_numpy()[::-1].copy()
    broken = model.row_loss(Table(train.schema, frame), rng=rng())
    assert own.mean() < broken.mean() - 0.3


def test_a_training_that_is_interrupted_and_taken_up_ends_the_same(train: Table, tmp_path: Path) -> None:
    from synth_worker.generators.base import Progress, Signal

    class Killed(Exception):
        pass

    def dies(progress: Progress, sample: object) -> Signal:
        if sample is not None and progress.done > 0.55 * progress.total:
            raise Killed
        return Signal.GO_ON

    settings = {"n_iter": 20, "width": 32}
    whole_run = build("arn", settings).fit(train, rng=rng(3)).sample(50, rng=rng())
    with pytest.raises(Killed):
        build("arn", settings).fit(train, rng=rng(3), watch=dies, keep=tmp_path)
    notes: list[str] = []

    def listens(progress: Progress, _sample: object) -> Signal:
        notes.append(progress.note)
        return Signal.GO_ON

    resumed = build("arn", settings).fit(train, rng=rng(3), watch=listens, keep=tmp_path).sample(50, rng=rng())
    assert "resumed from a checkpoint" in notes
    assert resumed.frame.equals(whole_run.frame)


def test_missing_cells_are_filled_from_the_others(model, train: Table) -> None:
    frame = train.frame.copy()
    frame.loc[:199, "size"] = np.nan
    frame.loc[100:299, "kind"] = np.nan
    holes = Table(train.schema.having([replace(column, nullable=True) for column in train.schema]), frame)
    whole_again = model.impute(holes, rng=rng())
    assert not whole_again.frame.isna().any().any()
    assert (whole_again.numbers("size")[300:] == train.numbers("size")[300:]).all()
    real, made = train.codes("kind")[200:300], whole_again.codes("kind")[200:300]
    assert (real == made).mean() > 0.95
    assert abs(np.corrcoef(train.numbers("size")[:100], whole_again.numbers("size")[:100])[0, 1]) > 0.9


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_either_precision_learns(train: Table, precision: str) -> None:
    made = (
        build("arn", {"n_iter": 30, "width": 32, "precision": precision})
        .fit(train, rng=rng())
        .sample(400, rng=rng(), given={"kind": "c"})
    )
    assert abs(made.numbers("size").mean() - 110) < 12


def test_a_column_added_is_a_column_known_from_the_start(model, train: Table) -> None:
    import torch

    inner = model._model
    encoded = inner.encoder.encode(train, rng=rng())
    states, scores = torch.as_tensor(encoded.states), torch.as_tensor(encoded.scores)
    known = torch.zeros(states.shape)
    with torch.no_grad():
        step = inner.net.entered(states, scores, known)
        for column in range(states.shape[1]):
            number = column in inner.encoder.numbers
            at = inner.encoder.numbers.index(column) if number else 0
            step = step + inner.net.also(column, states[:, column], scores[:, at] if number else None)
            known[:, column] = 1.0
            assert torch.allclose(step, inner.net.entered(states, scores, known), atol=1e-4)


def test_saved_it_conditions_as_before(model, tmp_path: Path) -> None:
    model.save(tmp_path)
    given = {"twin": "z"}
    assert (
        load(tmp_path).sample(20, rng=rng(), given=given).frame.equals(model.sample(20, rng=rng(), given=given).frame)
    )


def test_the_encoder_is_undone_by_its_own_decoder(train: Table) -> None:
    encoder = fit_encoder(train)
    back = encoder.decode(encoder.encode(train, rng=rng()), rng=rng())
    for column, values in zip(train.schema, back, strict=True):
        real = train.numbers(column.name) if column.continuous else train.codes(column.name)
        if column.continuous:
            # Between ranks values are interpolated: near the real one, seldom the very same.
            assert np.abs(values - real).max() <= 25
            assert abs(np.corrcoef(values, real)[0, 1]) > 0.99
        else:
            assert (values == real).all()

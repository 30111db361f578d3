"""Promises where there is a GPU: the same code trains there, twice alike, and its models are read on a CPU.

Skipped, aloud, where PyTorch sees none. By hand: ``python -m pytest tests/gpu``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from synth_worker.encoding.table_encoder import fit_encoder
from synth_worker.generators.base import Generator, Progress, Signal, Value, Watch, unwatched
from synth_worker.generators.captured import WARM_UP, Captured
from synth_worker.generators.learner import SingleLoss
from synth_worker.generators.registry import build, load
from synth_worker.generators.tabddpm_endpoint import Endpoint
from synth_worker.generators.weights import repeatable
from synth_worker.table import Table
from tests.tables import adult_like

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU here")

ROWS = 1_500


class Case(NamedTuple):
    """Name a method and give it quick settings."""

    method: str
    hyperparameters: dict[str, Value]


CASES = (
    Case("ddpm", {"n_iter": 60, "width": 64}),
    Case("ddpm", {"n_iter": 60, "width": 64, "precision": "float32"}),
    Case("ddpm", {"n_iter": 60, "width": 64, "variant": "kotelnikov2023", "timesteps": 50}),
    Case("arn", {"n_iter": 60, "width": 64}),
    Case("arn", {"n_iter": 60, "width": 64, "precision": "float32"}),
    Case("tvae", {"n_iter": 60}),
    Case("ctgan", {"n_iter": 60, "width": 64}),
)
each = pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, (case[0], *case[1].values()))))


def fitted(case: Case, *, device: str = "auto", keep: Path | None = None, watch: Watch | None = None) -> Generator:
    made = build(case.method, {**case.hyperparameters, "device": device})
    return made.fit(adult_like(ROWS, 0), rng=np.random.default_rng(1), keep=keep, watch=watch or unwatched)


def drawn(made: Generator, rows: int = 400, given: dict[str, Value] | None = None) -> Table:
    return made.sample(rows, rng=np.random.default_rng(2), given=given)


def same(one: Table, other: Table) -> bool:
    return one.frame.equals(other.frame)


def alike(one: Table, other: Table) -> bool:
    """Tell whether labels occur about as often: the streams of the two devices differ, the model does not."""
    first, second = (np.bincount(table.codes("marital"), minlength=7) / table.rows for table in (one, other))
    return bool(np.abs(first - second).max() < 0.06)


@each
def test_trains_there_and_twice_alike(case: Case) -> None:
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    first = drawn(fitted(case))
    assert torch.cuda.max_memory_allocated() > held
    assert same(first, drawn(fitted(case)))


@each
def test_a_model_is_read_on_the_other_device(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fitted(case, device="cuda")
    made.save(tmp_path)
    there = load(tmp_path)
    assert same(drawn(made), drawn(there))
    with monkeypatch.context() as gone:
        gone.setattr(torch.cuda, "is_available", lambda: False)
        here = load(tmp_path)
        assert alike(drawn(here, 2_000), drawn(made, 2_000))


def test_a_run_can_say_which_gpu_it_needs_to_be_repeated() -> None:
    notes: list[str] = []

    def hear(progress: Progress, sample: object) -> Signal:
        notes.append(progress.note)
        return Signal.GO_ON

    fitted(CASES[0], watch=hear)
    assert any(torch.cuda.get_device_name() in one for one in notes)


@each
def test_conditions_hold_there(case: Case) -> None:
    found = drawn(fitted(case), given={"income": "high"})
    assert set(found.codes("income")) == {found.schema["income"].categories.index("high")}


@each
def test_a_training_cut_short_goes_on_there(case: Case, tmp_path: Path) -> None:
    class Killed(Exception):
        """Stands for the end of the process."""

    def kill(progress: Progress, sample: object) -> Signal:
        if sample is not None and progress.done > progress.total // 2:
            raise Killed
        return Signal.GO_ON

    with pytest.raises(Killed):
        fitted(case, keep=tmp_path, watch=kill)
    assert same(drawn(fitted(case, keep=tmp_path)), drawn(fitted(case)))


def learner(*, recorded: bool) -> SingleLoss:
    train = adult_like(ROWS, 0)
    encoder = fit_encoder(train)
    generator = torch.Generator(device="cuda").manual_seed(5)
    way = Endpoint()
    net = way.net(encoder, {"width": 64}, generator=generator).to("cuda")
    encoded = encoder.encode(train, rng=np.random.default_rng(0))
    loss = way.loss(net, encoder, encoded, hyperparameters={}, device=generator.device)
    made = SingleLoss(net, loss, generator=generator)
    assert made.captured is not None
    made.captured.recordable = recorded
    return made


def test_a_recorded_step_does_what_its_kernels_do() -> None:
    losses: list[list[float]] = []
    with repeatable():
        for recorded in (False, True):
            made = learner(recorded=recorded)
            batches = [torch.arange(at, at + 128, device="cuda") for at in range(40)]
            losses.append([float(made.step(rows, rate=1e-3 / (at + 1))) for at, rows in enumerate(batches)])
            assert made.captured is not None
            assert (made.captured.graph is not None) == recorded
    assert losses[0] == losses[1]
    assert len(set(losses[0])) > 30


def test_a_step_whose_gradient_is_no_number_is_left_out() -> None:
    with repeatable():
        made = learner(recorded=True)
        rows = torch.arange(128, device="cuda")
        for _ in range(2 * WARM_UP):
            made.step(rows, rate=1e-3)
        before = made.state()
        scores = made.row_loss.scores  # pyright: ignore[reportAttributeAccessIssue]
        kept = scores.clone()
        scores.fill_(torch.nan)
        assert not torch.isfinite(made.step(rows, rate=1e-3))
        scores.copy_(kept)
        assert all(torch.equal(value, before[name]) for name, value in made.state().items())
        assert torch.isfinite(made.step(rows, rate=1e-3))
        assert any(not torch.equal(value, before[name]) for name, value in made.state().items())


def test_a_step_that_cannot_be_recorded_is_taken_nevertheless() -> None:
    seen: list[float] = []
    generator = torch.Generator(device="cuda").manual_seed(0)

    def step(rows: torch.Tensor) -> torch.Tensor:
        noise = torch.rand(len(rows), generator=generator, device="cuda")
        seen.append(float(noise.sum()))  # asks the GPU for a number, which a recording cannot
        return rows.float().mean()

    rows = torch.arange(10, device="cuda")
    taken, stream = Captured(generator=generator), torch.cuda.current_stream()
    for _ in range(WARM_UP):
        taken(step, rows, rate=0.0)
    with pytest.warns(UserWarning, match="cannot be recorded"):
        assert float(taken(step, rows, rate=0.0)) == 4.5
    assert float(taken(step, rows, rate=0.0)) == 4.5
    assert torch.cuda.current_stream() == stream
    again = torch.Generator(device="cuda").manual_seed(0)
    assert seen == [float(torch.rand(10, generator=again, device="cuda").sum()) for _ in seen]

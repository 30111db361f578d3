"""Promises of the training loop: it ends, it rescues, it keeps the best, it goes on where it was killed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from synth_worker.errors import Cancelled, TrainingFailed
from synth_worker.generators.base import LOSS_ROSE, Progress, Signal, unwatched
from synth_worker.generators.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint, write_checkpoint
from synth_worker.generators.learner import SingleLoss
from synth_worker.generators.steps import batch_of, steps_of
from synth_worker.generators.training import (
    ASKED,
    LOOKS,
    MEMORISING,
    SPENT,
    Schedule,
    Setting,
    Trained,
    hold_out,
    train,
)
from synth_worker.generators.weights import repeatable
from tests.tables import adult_like

SCHEDULE = Schedule(steps=400, batch=20, rate=0.05, average=0.9, patience=100)


class Line:
    """Learn y = 2 x from noisy pairs; ``spoil`` may change the loss of a step."""

    def __init__(self, *, rows: int = 200, wide: int = 1, noise: float = 0.1, seed: int = 0) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.net = nn.utils.skip_init(nn.Linear, wide, 1, bias=False)
        with torch.no_grad():
            self.net.weight.zero_()
        self.x = torch.randn(rows, wide, generator=self.generator)
        self.y = 2 * self.x[:, 0] + noise * torch.randn(rows, generator=self.generator)
        self.steps = 0
        self.learner = SingleLoss(self.net, self.loss, generator=self.generator)

    def loss(self, rows: Tensor, *, generator: torch.Generator, learning: bool) -> Tensor:
        del generator
        self.steps += learning
        loss = (self.net(self.x[rows])[:, 0] - self.y[rows]) ** 2
        return self.spoil(loss) if learning else loss

    def spoil(self, loss: Tensor) -> Tensor:
        return loss

    def setting(self, **changes: object) -> Setting:
        own, held = hold_out(len(self.x), np.random.default_rng(0))
        base = Setting(own, held, self.generator, unwatched, lambda rows: adult_like(rows, 0))
        return replace(base, **changes)  # type: ignore[arg-type]

    @property
    def weight(self) -> float:
        return float(self.net.weight.detach()[0, 0])


def run(line: Line, schedule: Schedule = SCHEDULE, **changes: object) -> Trained:
    with repeatable():
        return train(line.learner, line.setting(**changes), schedule=schedule)


def test_it_learns_and_looks_at_every_twentieth() -> None:
    line = Line()
    found = run(line)
    assert abs(line.weight - 2) < 0.05
    assert found.ended == SPENT
    assert len(found.looks) == LOOKS
    assert found.looks[-1].held is not None


def test_a_step_that_is_no_number_changes_nothing_and_is_said() -> None:
    class Spoilt(Line):
        def spoil(self, loss: Tensor) -> Tensor:
            return loss * (math.nan if self.steps == 7 else 1.0)

    line = Spoilt()
    found = run(line)
    assert abs(line.weight - 2) < 0.1
    assert [look.note for look in found.looks if look.note] == ["1 steps without a sound gradient were left out"]


def test_a_rate_a_thousand_times_too_high_is_lowered_until_it_works_or_said_to_fail() -> None:
    line = Line()
    try:
        run(line, replace(SCHEDULE, rate=50.0))
    except TrainingFailed as error:
        assert "diverged" in str(error)
    else:
        assert abs(line.weight - 2) < 1


def test_a_loss_that_rises_with_the_first_steps_is_measured_against_that_before_them() -> None:
    class Jumping(Line):
        def spoil(self, loss: Tensor) -> Tensor:
            return loss * (30.0 if 2 <= self.steps <= 5 else 1.0)

    notes = [look.note for look in run(Jumping()).looks if look.note]
    assert len(notes) == 1
    assert notes[0].startswith(LOSS_ROSE)


def test_single_losses_far_above_the_others_are_no_divergence() -> None:
    class Spiky(Line):
        def spoil(self, loss: Tensor) -> Tensor:
            return loss + (1e4 if self.steps % 7 == 3 else 0.0)

    line = Spiky()
    assert not [look.note for look in run(line).looks if look.note]
    assert abs(line.weight - 2) < 0.05


def test_a_loss_that_is_never_a_number_fails_with_its_step() -> None:
    class Broken(Line):
        def spoil(self, loss: Tensor) -> Tensor:
            return loss * math.nan

    with pytest.raises(TrainingFailed, match="diverged 4 times"):
        run(Broken())


def test_memorising_ends_early_and_the_best_weights_are_kept() -> None:
    line = Line(rows=80, wide=70, noise=2.0)
    found = run(line, replace(SCHEDULE, steps=2_000, patience=4))
    assert found.ended == MEMORISING
    assert found.looks[-1].step < 2_000
    best = min(look.held for look in found.looks if look.held is not None)
    _own, held = hold_out(80, np.random.default_rng(0))
    rows = torch.as_tensor(held)
    kept = float(line.loss(rows, generator=line.generator, learning=False).detach().mean())
    assert abs(kept - best) < 5e-3 * (1 + best)


@pytest.mark.parametrize("at", [0.0, 0.5])
def test_it_stops_when_told_and_keeps_what_it_has(at: float) -> None:
    line = Line()

    def watch(progress: Progress, sample: object) -> Signal:
        return Signal.STOP if progress.done >= at * progress.total and (sample or not at) else Signal.GO_ON

    if not at:
        with pytest.raises(Cancelled):
            run(line, watch=watch)
        return
    found = run(line, watch=watch)
    assert found.ended == ASKED
    assert found.looks[-1].step == 200


def test_told_to_adjust_it_learns_more_slowly() -> None:
    line = Line()

    def watch(_progress: Progress, sample: object) -> Signal:
        return Signal.ADJUST if sample else Signal.GO_ON

    found = run(line, watch=watch)
    assert "more slowly" in found.looks[0].note


def test_killed_and_taken_up_it_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def dies(progress: Progress, sample: object) -> Signal:
        if sample and progress.done >= 240:
            raise Killed
        return Signal.GO_ON

    straight = Line()
    expected = run(straight)
    line = Line()
    with pytest.raises(Killed):
        run(line, watch=dies, keep=tmp_path, fingerprint="mine")
    again = Line()
    found = run(again, keep=tmp_path, fingerprint="mine")
    assert again.weight == straight.weight
    assert found.looks == expected.looks
    other = Line()
    assert run(other, keep=tmp_path, fingerprint="another").looks[0] == expected.looks[0]


def test_a_damaged_checkpoint_is_none(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, Checkpoint({"a": torch.arange(3)}, {"n": 1}), fingerprint="f")
    found = read_checkpoint(tmp_path, fingerprint="f")
    assert found is not None
    assert found.tensors["a"].tolist() == [0, 1, 2]
    assert found.facts == {"n": 1}
    assert read_checkpoint(tmp_path, fingerprint="g") is None
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:100])
    assert read_checkpoint(tmp_path, fingerprint="f") is None


def test_no_global_stream_is_touched() -> None:
    before = torch.get_rng_state()
    run(Line())
    from synth_worker.generators.registry import build

    build("arn", {"n_iter": 1, "width": 16}).fit(adult_like(80, 0).modelled(), rng=np.random.default_rng(0)).sample(
        5, rng=np.random.default_rng(0)
    )
    assert torch.equal(torch.get_rng_state(), before)


def test_steps_grow_with_the_root_of_the_rows_and_batches_fit_the_table() -> None:
    assert steps_of(200, 302) == 1_000
    assert steps_of(300, 40_000) == 12_000
    assert batch_of(256, 10) == 10

"""Promises of an interrupted training: it is taken up where it was and ends as if it had never been interrupted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from synth_worker.generators.base import Progress, Signal
from synth_worker.generators.checkpoint import CHECKPOINT, fingerprint_of, read_checkpoint
from synth_worker.generators.registry import GENERATORS, build
from synth_worker.keeping import build as build_keeping
from synth_worker.storage import RunFolder
from synth_worker.table import Table
from tests.constrained import stays
from tests.quick import quick
from tests.tables import adult_like

SMALL = {"n_iter": 20, "width": 32}
NEURAL = sorted(name for name, spec in GENERATORS.items() if spec.trained)


class Killed(BaseException):
    """What a kill looks like from within: nothing is tidied up."""


def killing(share: float) -> Callable[[Progress, object], Signal]:
    """Return a watch that ends the training after ``share`` of it."""

    def watch(progress: Progress, _sample: object) -> Signal:
        if progress.done >= share * progress.total:
            raise Killed
        return Signal.GO_ON

    return watch


def train() -> Table:
    return adult_like(400, 3).modelled().narrowed()


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def same(one: Table, two: Table) -> bool:
    return one.schema == two.schema and one.frame.equals(two.frame)


@pytest.mark.parametrize("method", NEURAL)
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_killed_training_ends_as_one_that_was_left_alone(method: str, share: float, tmp_path: Path) -> None:
    whole = build(method, quick(method, **SMALL)).fit(train(), rng=rng()).sample(200, rng=rng(1))
    with pytest.raises(Killed):
        build(method, quick(method, **SMALL)).fit(train(), rng=rng(), watch=killing(share), keep=tmp_path)
    assert (tmp_path / CHECKPOINT).exists()
    steps: list[int] = []

    def watch(progress: Progress, _sample: object) -> Signal:
        steps.append(progress.done)
        return Signal.GO_ON

    resumed = build(method, quick(method, **SMALL)).fit(train(), rng=rng(), watch=watch, keep=tmp_path)
    assert steps[0] > 0, "it began anew"
    assert same(resumed.sample(200, rng=rng(1)), whole)


def test_what_is_seen_at_a_look_does_not_depend_on_an_interruption(tmp_path: Path) -> None:
    def seen(keep: Path | None, share: float) -> dict[int, Table]:
        found: dict[int, Table] = {}

        def watch(progress: Progress, sample: Callable[[int], Table] | None) -> Signal:
            if sample is not None:
                found[progress.done] = sample(50)
            return killing(share)(progress, None)

        with suppress(Killed):
            build("arn", SMALL).fit(train(), rng=rng(), watch=watch, keep=keep)
        return found

    whole = seen(None, 2.0)
    before, after = seen(tmp_path, 0.6), seen(tmp_path, 2.0)
    assert len(before) > 2
    assert len(after) > 2
    assert min(after) > min(before)
    for found in (before, after):
        assert all(same(table, whole[step]) for step, table in found.items())


def test_a_training_that_had_ended_early_does_not_go_on(tmp_path: Path) -> None:
    first = build("arn", {"n_iter": 400, "width": 32}).fit(adult_like(120, 1), rng=rng(), keep=tmp_path)
    assert first.ended != "all steps were taken"
    again = build("arn", {"n_iter": 400, "width": 32}).fit(adult_like(120, 1), rng=rng(), keep=tmp_path)
    assert same(first.sample(50, rng=rng(1)), again.sample(50, rng=rng(1)))
    assert first.looks == again.looks


def test_a_checkpoint_of_something_else_or_a_damaged_one_is_not_taken_up(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        build("arn", SMALL).fit(train(), rng=rng(), watch=killing(0.5), keep=tmp_path)

    def begins_at(table: Table, seed: int, **more: int) -> int:
        steps: list[int] = []

        def watch(progress: Progress, _sample: object) -> Signal:
            steps.append(progress.done)
            raise Killed

        with pytest.raises(Killed):
            build("arn", {**SMALL, **more}).fit(table, rng=rng(seed), watch=watch, keep=tmp_path)
        return steps[0]

    assert begins_at(train(), 0) > 0
    assert begins_at(train(), 1) == 0
    assert begins_at(adult_like(400, 4).modelled().narrowed(), 0) == 0
    assert begins_at(train(), 0, batch_size=64) == 0
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:1_000])
    assert begins_at(train(), 0) == 0
    assert read_checkpoint(tmp_path, fingerprint="") is None


def test_a_training_told_to_stop_between_two_looks_keeps_what_it_has() -> None:
    def stopping(progress: Progress, _sample: object) -> Signal:
        return Signal.STOP if progress.done >= 0.03 * progress.total > 0 and progress.done else Signal.GO_ON

    made = build("arn", {**SMALL, "n_iter": 200}).fit(train(), rng=rng(), watch=stopping)
    assert made.ended == "it was told to stop; what it had learnt is kept"
    assert len(made.looks) == 1
    fresh = build("arn", {**SMALL, "n_iter": 1}).fit(train(), rng=rng())
    assert not same(made.sample(50, rng=rng(1)), fresh.sample(50, rng=rng(1)))


def test_a_table_with_constraints_keeps_checkpoints_and_is_seen_as_it_will_be_drawn(tmp_path: Path) -> None:
    table = stays(300).modelled().narrowed()
    seen: list[Table] = []

    def watch(_progress: Progress, sample: Callable[[int], Table] | None) -> Signal:
        if sample is not None:
            seen.append(sample(40))
        return Signal.GO_ON

    build_keeping("arn", {"n_iter": 2, "width": 16}, train=table).fit(table, rng=rng(), watch=watch, keep=tmp_path)
    assert (tmp_path / CHECKPOINT).exists()
    assert seen[-1].rows > 0
    assert all(one.schema == table.schema for one in seen)


def test_the_fingerprint_is_of_the_stream_before_it_is_drawn_from() -> None:
    stream = rng()
    before = fingerprint_of(train(), hyperparameters={}, rng=stream)
    assert before == fingerprint_of(train(), hyperparameters={}, rng=rng())
    stream.random()
    assert before != fingerprint_of(train(), hyperparameters={}, rng=stream)


def test_a_resumed_run_keeps_checkpoints_and_no_other_private_file(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.open({"profile": "standard"}, resume=False)
    for name in ("checkpoint-01", "train", "attempt-01"):
        (folder.work / name).mkdir()
    folder.open({"profile": "standard"}, resume=True)
    assert [one.name for one in folder.work.iterdir()] == ["checkpoint-01"]
    assert folder.work.stat().st_mode & 0o777 == 0o700

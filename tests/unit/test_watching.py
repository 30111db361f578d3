"""Promises of watching: a training is measured on validation rows, slowed down where it goes astray, and stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from synth_worker.diagnosis import FailureType
from synth_worker.exchange import load_table, save_table
from synth_worker.fitting import fit_job
from synth_worker.gates import profile
from synth_worker.generators.base import RESUMED, Progress, Signal
from synth_worker.generators.registry import build
from synth_worker.glimpse import glimpse_at
from synth_worker.loop import Drawn, Event, Task, attempts
from synth_worker.run import CurvePoint, Plan
from synth_worker.schema import Schema
from synth_worker.search.portfolio import Ask
from synth_worker.seeds import Streams
from synth_worker.splitting import split
from synth_worker.table import Table
from synth_worker.watching import MOST_SLOWED, OUT_OF_TIME, SLOWER, Watching
from tests.tables import adult_like

REAL = adult_like(600, 1).modelled().narrowed()
SMALL = {"n_iter": 2_000, "width": 8, "layers": 1}


def fresh(rows: int) -> Table:
    return adult_like(rows, 2).modelled()


def piled_up(rows: int) -> Table:
    """What a diverged diffusion draws: every number is the smallest or the largest one."""
    frame = fresh(rows).frame.copy()
    rng = np.random.default_rng(0)
    for column in REAL.schema:
        if column.continuous:
            values = REAL.numbers(column.name)
            frame[column.name] = np.where(rng.random(rows) < 0.5, np.nanmin(values), np.nanmax(values))
    return Table(fresh(rows).schema, frame)


def collapsed(rows: int) -> Table:
    """What a collapsed generator draws: a few rows again and again."""
    return fresh(12).take(np.arange(rows) % 12)


class Clock:
    def __init__(self, per_sample: float = 0.0) -> None:
        self.now, self.per_sample = 0.0, per_sample

    def __call__(self) -> float:
        return self.now


def watched(
    draw: Callable[[int], Table], *, looks: int = 20, clock: Clock | None = None, **more: object
) -> tuple[list[Signal], list[Mapping[str, object]], Watching]:
    """Run through a training of ``looks`` looks of a second each; return the answers, what was told, the watching."""
    clock = clock or Clock()
    told: list[Mapping[str, object]] = []
    watching = Watching(REAL, report=told.append, clock=clock, **more)  # type: ignore[arg-type]

    def sample(rows: int) -> Table:
        clock.now += clock.per_sample
        return draw(rows)

    signals = [watching(Progress(0, looks, "training"), None)]
    for step in range(1, looks + 1):
        clock.now += 1.0
        signals.append(watching(Progress(step, looks, "training", 1.0 / step, held=1.1 / step), sample))
        if signals[-1] is Signal.STOP:
            break
    return signals, told, watching


def test_fresh_real_rows_are_not_astray_and_two_ways_of_being_so_are_seen() -> None:
    good = glimpse_at(fresh(500), real=REAL)
    assert good.astray == ""
    assert all(one is not None and one < 0.1 for one in (good.ks_mean, good.tvd_mean, good.corr_delta))
    assert "ends of their range" in glimpse_at(piled_up(500), real=REAL).astray
    assert "different values" in glimpse_at(collapsed(500), real=REAL).astray


def test_a_table_of_one_column_or_without_numbers_can_be_looked_at() -> None:
    for names in (["age"], ["sex", "job"], ["sex"]):
        real, own = (
            Table(Schema(tuple(table.schema[name] for name in names)), table.frame[names])
            for table in (REAL, fresh(200))
        )
        seen = glimpse_at(own, real=real)
        assert seen.astray == ""
        assert (seen.ks_mean is None) == ("age" not in names)
        assert (seen.corr_delta is None) == (len(names) == 1)


def test_each_look_is_a_point_and_half_of_them_are_measured() -> None:
    signals, told, watching = watched(fresh)
    assert set(signals) == {Signal.GO_ON}
    assert [one.step for one in watching.points] == list(range(1, 21))
    assert [one.step for one in watching.points if one.ks_mean is not None] == list(range(2, 21, 2))
    assert [one["step"] for one in told if one.get("look")] == list(range(1, 21))
    assert watching.points[3].held == pytest.approx(1.1 / 4)


def test_where_looking_is_dear_only_the_sure_looks_are_left() -> None:
    _, _, watching = watched(fresh, clock=Clock(per_sample=5.0))
    assert [one.step for one in watching.points if one.ks_mean is not None] == [2, 4, 8, 12, 16, 20]
    _, _, watching = watched(fresh, sure_only=True)
    assert [one.step for one in watching.points if one.ks_mean is not None] == [4, 8, 12, 16, 20]


@pytest.mark.parametrize("draw", [piled_up, collapsed])
@pytest.mark.parametrize("per_sample", [0.0, 5.0])
def test_a_training_that_goes_astray_is_slowed_down_at_the_same_steps_however_slow_the_machine(
    draw: Callable[[int], Table], per_sample: float
) -> None:
    signals, _, watching = watched(draw, clock=Clock(per_sample))
    assert [step for step, one in enumerate(signals) if one is Signal.ADJUST] == [4, 8]
    assert sum(SLOWER in one.note for one in watching.points) == MOST_SLOWED


def test_at_the_deadline_it_is_told_to_stop() -> None:
    signals, _, watching = watched(fresh, deadline=7.5)
    assert signals.index(Signal.STOP) == 8
    assert OUT_OF_TIME in watching.points[-1].note


def test_what_is_said_at_the_same_step_joins_its_point() -> None:
    watching = Watching(REAL, report=lambda _message: None)
    watching(Progress(4, 20, "training", 1.0, held=2.0), fresh)
    watching(Progress(4, 20, "training", note="all steps were taken"), None)
    (point,) = watching.points
    assert (point.held, point.note) == (2.0, "all steps were taken")
    assert point.ks_mean is not None


def test_a_training_that_is_taken_up_has_the_whole_curve(tmp_path: Path) -> None:
    _, _, whole = watched(fresh, keep=tmp_path)
    told: list[Mapping[str, object]] = []
    resumed = Watching(REAL, report=told.append, keep=tmp_path)
    resumed(Progress(12, 20, "training", note=RESUMED), None)
    assert resumed.points == whole.points[:12]
    assert {one["done"] for one in told} == {12}
    anew = Watching(REAL, report=told.append, keep=tmp_path)
    anew(Progress(0, 20, "training"), None)
    assert anew.points == []


def test_a_sample_that_cannot_be_drawn_does_not_end_the_training() -> None:
    def broken(_rows: int) -> Table:
        raise ValueError("no such state")

    signals, _, watching = watched(broken)
    assert set(signals) == {Signal.GO_ON}
    assert "no such state" in watching.points[-1].note


class Told:
    """Deliver real rows and tell of a training; fail where it is asked to."""

    def __init__(self, synthetic: Table, failure: Exception | None = None) -> None:
        self.synthetic, self.failure = synthetic, failure

    def train(self, plan: Plan, *, number: int, event: Event) -> Drawn:
        for step in (1, 2, 2):
            event({"event": "fit", "number": number, "done": 2, "total": 2, "look": True, "step": step, "loss": 0.5})
        if self.failure is not None:
            raise self.failure
        return Drawn(self.synthetic)


@pytest.mark.parametrize("failure", [None, TimeoutError("too late")])
def test_the_attempt_holds_the_curve_also_where_it_failed(failure: Exception | None) -> None:
    table = adult_like(400, 3).modelled()
    own = split(table, key="k", certified=False)
    task = Task(own, profile("standard"), Ask("gc", 0, 1, 400), Streams(0))
    (attempt,) = attempts(task, trainer=Told(fresh(400), failure))
    assert attempt.curve == (CurvePoint(1, 2, 0.5), CurvePoint(2, 2, 0.5))
    assert (attempt.diagnosis.failure_type is FailureType.TIMEOUT) == (failure is not None)


def fit(folder: Path, *, seconds: float | None) -> tuple[Mapping[str, object], list[Mapping[str, object]]]:
    build("arn", {**SMALL, "n_iter": 1}).fit(
        adult_like(40, 0).modelled().narrowed(), rng=np.random.default_rng(0)
    )  # loads PyTorch
    save_table(adult_like(300, 3).modelled().narrowed(), folder / "train")
    save_table(adult_like(100, 4).modelled(), folder / "validation")
    told: list[Mapping[str, object]] = []
    payload = {
        "train": str(folder / "train"), "validation": str(folder / "validation"), "out": str(folder / "out"),
        "method": "arn", "hyperparameters": SMALL, "rows": 50, "seed": 0, "path": ["x"], "threads": 1,
        "keep": str(folder / "keep"), "seconds": seconds,
    }  # fmt: skip
    return fit_job(payload, told.append), told


def test_a_training_out_of_time_delivers_what_it_has_learnt(tmp_path: Path) -> None:
    answer, told = fit(tmp_path, seconds=0.6)
    assert answer["rows"] == 50
    assert load_table(tmp_path / "out" / "drawn").rows == 50
    last = [one for one in told if one.get("look")][-1]
    assert 0 < int(str(last["step"])) < int(str(last["total"]))
    assert OUT_OF_TIME in str(last["note"])


def test_no_time_at_all_is_said_so(tmp_path: Path) -> None:
    answer, _ = fit(tmp_path, seconds=0.0)
    assert "timed_out" in answer
    assert not (tmp_path / "out").exists()

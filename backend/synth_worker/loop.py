"""Close the loop: plan, fit, sample, measure, judge, diagnose, plan again - an iterator of attempts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, cast

from synth_worker.diagnosis import FailureType
from synth_worker.errors import TrainingFailed
from synth_worker.evaluation import measure
from synth_worker.exchange import load_table
from synth_worker.fitting import fit_and_sample
from synth_worker.gates import GateSet
from synth_worker.generators.base import Generator
from synth_worker.generators.registry import GENERATORS
from synth_worker.lossgap import AskLosses, asking, losses_of, with_losses
from synth_worker.metrics.base import Comparison, Losses
from synth_worker.optimizer import Evidence, diagnose
from synth_worker.optimizing.naming import value_like
from synth_worker.process import FAILURES, Worker, never, silent
from synth_worker.run import Attempt, CurvePoint, Plan
from synth_worker.search.choosing import next_plan
from synth_worker.search.portfolio import Ask
from synth_worker.seeds import Streams
from synth_worker.straying import strays
from synth_worker.table import Split, Table
from synth_worker.watching import Watching

CHECKPOINT = "checkpoint-"
"""What the folders begin with that outlive the process."""

STOP_SHARE = 0.85
"""A training is told to stop after this share of the time that is left: rows have to be drawn from it too."""

GRACE = 30.0
"""Seconds that drawing may take at least beyond the time budget before the process is killed."""

Event = Callable[[Mapping[str, object]], None]
"""Told what happens: ``{"event": "plan" | "fit" | "measure" | "attempt" | ..., ...}``."""


@dataclass(frozen=True)
class Drawn:
    """Hold what a fit delivered: the table as measured, columns whose form broke, CPU seconds of another process.

    ``losses`` asks the model how well it fits records, where the method can tell.
    """

    synthetic: Table
    broken: Mapping[str, str] = field(default_factory=dict[str, str])
    cpu_seconds: float = 0.0
    losses: AskLosses | None = None


class Trainer(Protocol):
    """Fit one plan and deliver its table. Raises TrainingFailed, TimeoutError, Cancelled."""

    def train(self, plan: Plan, *, number: int, event: Event) -> Drawn:
        """Fit ``plan`` as attempt ``number``."""
        ...


@dataclass(frozen=True)
class Task:
    """Hold what the loop works on: the split, the gates, what is asked, where random numbers come from.

    ``deadline`` is a ``time.monotonic()`` instant after which no attempt begins.
    """

    split: Split
    gates: GateSet
    ask: Ask
    streams: Streams
    target: str | None = None
    threads: int = 1
    deadline: float | None = None


def attempts(
    task: Task, *, trainer: Trainer, earlier: Sequence[Attempt] = (), event: Event = silent
) -> Iterator[Attempt]:
    """Yield attempts until the policy, the number of attempts or the time budget ends the search.

    ``earlier`` attempts (of the run that is resumed) count, and are not yielded again. A failed fit is an attempt
    with a reason, not the end.
    """
    done = list(earlier)
    while (plan := next_plan(done, task.ask)) is not None:
        if task.deadline is not None and done and time.monotonic() > task.deadline:
            event({"event": "stopped", "why": "the time budget is spent"})
            return
        number = len(done) + 1
        event({"event": "plan", "number": number, "of": task.ask.attempts, "method": plan.method, "why": plan.why})
        attempt = make_attempt(task, plan, number=number, trainer=trainer, event=event)
        done.append(attempt)
        yield attempt
    if len(done) < task.ask.attempts:
        event({"event": "stopped", "why": "nothing more is worth trying on this table"})


def make_attempt(task: Task, plan: Plan, *, number: int, trainer: Trainer, event: Event) -> Attempt:
    """Make one attempt: train, deliver, measure on validation rows, judge, diagnose. A failed fit has a reason."""
    start, cpu = time.monotonic(), time.process_time()
    curve: list[CurvePoint] = []

    def heard(message: Mapping[str, object]) -> None:
        if message.get("look"):
            point = _point(message)
            curve[:] = [one for one in curve if one.step < point.step] + [point]
        event(message)

    try:
        drawn = trainer.train(plan, number=number, event=heard)
    except (TrainingFailed, TimeoutError) as error:
        seconds = time.monotonic() - start
        told = diagnose(
            replace(_evidence(task, plan, curve), failed=_kind(error), failure=str(error)),
        )
        return Attempt(number, plan, None, told, seconds, 0.0, failure=str(error), curve=tuple(curve))

    def step(family: str, done: int, total: int) -> None:
        event({"event": "measure", "number": number, "what": family, "done": done, "total": total})

    comparison = Comparison.of(
        train=task.split.train,
        holdout=task.split.validation,
        synthetic=drawn.synthetic,
        streams=task.streams.child("measure"),
        target=task.target,
        quick=True,
        threads=task.threads,
    )
    comparison, _ = with_losses(comparison, drawn.losses, train=task.split.train, holdout=task.split.validation)
    found = measure(comparison, task.gates, broken=drawn.broken, step=step)
    return Attempt(
        number,
        plan,
        found,
        diagnose(
            replace(
                _evidence(task, plan, curve),
                verdict=found.verdict,
                scores=found.scores,
                strays=() if found.verdict == "green" else strays(comparison.train, comparison.synthetic),
            )
        ),
        seconds=time.monotonic() - start,
        cpu_seconds=drawn.cpu_seconds + time.process_time() - cpu,
        curve=tuple(curve),
    )


def _evidence(task: Task, plan: Plan, curve: Sequence[CurvePoint]) -> Evidence:
    train = task.split.train.modelled()
    return Evidence(
        plan.method,
        plan.hyperparameters,
        train.rows,
        len(train.schema),
        curve=tuple(curve),
        names=value_like(train.schema.names),
    )


def _kind(error: Exception) -> FailureType:
    if isinstance(error, TimeoutError):
        return FailureType.TIMEOUT
    return FailureType.OUT_OF_MEMORY if "memory" in str(error).lower() else FailureType.UNMEASURED


def _point(message: Mapping[str, object]) -> CurvePoint:
    own = {name: message.get(name) for name in ("loss", "held", "member", "ks_mean", "tvd_mean", "corr_delta")}
    step, total = int(str(message["step"])), int(str(message["total"]))
    return CurvePoint(step, total, **cast("dict[str, float | None]", own), note=str(message.get("note") or ""))


@dataclass(frozen=True)
class InlineTrainer:
    """Fit in this very process: for cross-fitting, where the caller already is a process of its own."""

    split: Split
    rows: int
    streams: Streams
    drawn: dict[int, Table]
    models: dict[int, Generator] = field(default_factory=dict[int, Generator])

    def train(self, plan: Plan, *, number: int, event: Event) -> Drawn:
        """Fit ``plan`` and keep the drawn table and the model under its number."""
        event({"event": "fit", "number": number, "what": plan.method})

        def progress(message: Mapping[str, object]) -> None:
            event({"event": "fit", "number": number, **message})

        try:
            fitted = fit_and_sample(
                self.split.train.modelled(),
                method=plan.method,
                hyperparameters=plan.hyperparameters,
                rows=self.rows,
                streams=self.streams.child("attempt", number),
                watch=Watching(self.split.validation, report=progress, sure_only=True),
            )
        except FAILURES as error:
            raise TrainingFailed(f"{type(error).__name__}: {error}") from error
        self.drawn[number] = fitted.synthetic
        self.models[number] = fitted.generator

        def ask(members: Table, others: Table) -> Losses | None:
            return losses_of(fitted.generator, members, others=others, streams=self.streams.child("attempt", number))

        return Drawn(fitted.synthetic, losses=ask if GENERATORS[plan.method].trained else None)


@dataclass(frozen=True)
class ProcessTrainer:
    """Fit in a subprocess; ``deliver`` turns what was drawn into the delivered file and reads it back.

    ``work`` is a private folder: ``work/train`` and ``work/validation`` hold the rows, ``work/attempt-NN`` what becomes
    of them, and ``work/checkpoint-NN`` the state of a training, which a resumed run takes up, until the attempt has
    ended. At the ``deadline`` a method that is trained step by step is told to stop and keeps what it has learnt, and
    gets some grace to draw from it; any other is killed.
    """

    worker: Worker
    work: Path
    rows: int
    streams: Streams
    deliver: Callable[[Table, Path], Drawn]
    threads: int = 1
    cancelled: Callable[[], bool] = never
    deadline: float | None = None

    def train(self, plan: Plan, *, number: int, event: Event) -> Drawn:
        """Fit ``plan`` in the child."""
        out = self.folder(number)
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        left = None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)
        trained = GENERATORS[plan.method].trained

        def progress(message: Mapping[str, object]) -> None:
            event({"event": "fit", "number": number, **message})

        answer = self.worker.call(
            "synth_worker.fitting:fit_job",
            {
                "train": str(self.work / "train"),
                "validation": str(self.work / "validation"),
                "out": str(out),
                "method": plan.method,
                "hyperparameters": dict(plan.hyperparameters),
                "rows": self.rows,
                "seed": plan.seed,
                "path": [*self.streams.path, "attempt", str(number)],
                "threads": self.threads,
                "keep": str(self.checkpoint(number)),
                "seconds": None if left is None or not trained else STOP_SHARE * left,
            },
            progress=progress,
            cancelled=self.cancelled,
            deadline=self.deadline if left is None or not trained else time.monotonic() + left + max(GRACE, left / 2),
        )
        if "timed_out" in answer:
            raise TimeoutError(str(answer["timed_out"]))
        drawn = load_table(out / "drawn")
        shutil.rmtree(out / "drawn")
        delivered = self.deliver(drawn, out)
        streams = self.streams.child("attempt", number)
        ask = asking(self.worker, out / "model", work=self.work, streams=streams, cancelled=self.cancelled)
        return replace(delivered, cpu_seconds=float(str(answer["cpu_seconds"])), losses=ask if trained else None)

    def ended(self, number: int) -> None:
        """Remove what only served to take attempt ``number`` up again."""
        shutil.rmtree(self.checkpoint(number), ignore_errors=True)

    def checkpoint(self, number: int) -> Path:
        """Return the folder that holds the state of the training of attempt ``number``."""
        return self.work / f"{CHECKPOINT}{number:02d}"

    def folder(self, number: int) -> Path:
        """Return the folder in which attempt ``number`` is being made."""
        return self.work / f"attempt-{number:02d}"

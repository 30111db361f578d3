"""Train a network: the one loop of all neural methods.

A method brings a ``Learner``. The loop gives it batches, lowers the learning rate, averages the weights, watches the
loss on rows held out from the training table, keeps the best, rescues a training that diverges, writes checkpoints, and
ends early where more steps would only memorise. No global stream of random numbers is touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from synth_worker.errors import Cancelled, TrainingFailed
from synth_worker.generators.base import (
    ASKED,
    LOSS_ROSE,
    MEMORISING,
    NO_NUMBER,
    ON_GPU,
    PLATEAU,
    RESUMED,
    SPENT,
    Progress,
    Signal,
    Watch,
)
from synth_worker.generators.checkpoint import Checkpoint, State, read_checkpoint, write_checkpoint
from synth_worker.generators.learner import Learner, copied, write
from synth_worker.table import Ints, Table

LOOKS = 20
"""How often the held-out loss is measured, a sample offered to ``watch`` and a checkpoint written."""

PULSES = 4
"""How often progress is told between two looks."""

PATIENCE = 4
"""Looks without a better held-out loss after which a training ends."""

LEAST_GAIN = 5e-4
WARM_UP = 0.03
LAST_RATE = 0.05
AVERAGE = 0.998
RESCUES = 3
RESCUE_RATE = 0.2
SOUND_EVERY = 25
"""Steps between two looks at whether the loss is a number: on an accelerator a look waits for it."""

BLOWN_UP = 5.0
"""A loss so far above that before the first step (in units of 1 + its size) has diverged; an autoencoder's at three
times its learning rate comes to 3.7 and gets over it."""

HELD_SHARE, HELD_LEAST, HELD_MOST = 0.1, 20, 4_000
FEWEST_TO_HOLD = 60
LEAST_EVALUATED = 2_000
"""Noise is drawn anew for so many evaluations at least: the held-out loss of few rows would be mostly noise."""


@dataclass(frozen=True)
class Schedule:
    """Say how long and how fast to train. ``average`` is the decay of the averaged weights (0: the last ones)."""

    steps: int
    batch: int
    rate: float
    average: float = AVERAGE
    patience: int = PATIENCE

    @property
    def every(self) -> int:
        """Return the steps between two looks."""
        return max(1, self.steps // LOOKS)

    def rate_at(self, step: int) -> float:
        """Return the learning rate: a short rise, then a cosine down to a twentieth (Loshchilov and Hutter 2017)."""
        share = step / self.steps
        rise = min(1.0, (step + 1) / (WARM_UP * self.steps))
        return self.rate * rise * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * share)))


@dataclass(frozen=True)
class Look:
    """Record one look: the step, the mean loss of batches, held-out and training rows, and what was done about it."""

    step: int
    loss: float
    held: float | None = None
    member: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Trained:
    """Hold how a training went: what was seen, and why it ended. The learner holds the best averaged weights."""

    looks: tuple[Look, ...]
    ended: str


@dataclass(frozen=True)
class Setting:
    """Hold what surrounds a training.

    ``own`` and ``held`` are positions in the training table; ``generator`` draws batches and noise; ``sample`` draws
    rows from the present weights. With ``keep`` a checkpoint is written into that folder at each look, and a training
    that was killed goes on from it as if nothing had happened; ``fingerprint`` says whose checkpoint it is.
    ``glimpses`` is the stream that ``sample`` draws from: it begins anew at each look, so that what is seen there
    depends neither on how often was looked before nor on an interruption.
    """

    own: Ints
    held: Ints
    generator: torch.Generator
    watch: Watch
    sample: Callable[[int], Table]
    keep: Path | None = None
    fingerprint: str = ""
    glimpses: np.random.Generator | None = None


def hold_out(rows: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Divide row positions into those a network is trained on and those it is watched by.

    >>> [len(part) for part in hold_out(1_000, np.random.default_rng(0))]
    [900, 100]
    """
    if rows < FEWEST_TO_HOLD:
        return np.arange(rows), np.empty(0, dtype=np.int64)
    order = rng.permutation(rows)
    held = int(np.clip(round(rows * HELD_SHARE), HELD_LEAST, HELD_MOST))
    return np.sort(order[held:]), np.sort(order[:held])


def train(learner: Learner, setting: Setting, *, schedule: Schedule) -> Trained:
    """Train to the end of the schedule, or until the held-out loss says so.

    Raises Cancelled where ``watch`` stops it before the first step, TrainingFailed where it diverges again and again.
    """
    return _Run(learner, setting, schedule).through()


@dataclass
class _State:
    """Hold the numbers that change while training."""

    step: int = 0
    scale: float = 1.0
    rescues: int = 0
    worse: int = 0
    best: float = math.inf
    best_member: float = math.inf
    first: float | None = None
    ended: str = ""
    looks: list[Look] = field(default_factory=list[Look])


class _Run:
    def __init__(self, learner: Learner, setting: Setting, schedule: Schedule) -> None:
        self.learner, self.setting, self.schedule = learner, setting, schedule
        self.device = next(iter(learner.drawn_from().values())).device
        self.own, self.held = (torch.as_tensor(one, device=self.device) for one in (setting.own, setting.held))
        # As many members as held-out rows: the difference of their losses shows how far a network has memorised.
        places = np.linspace(0, len(setting.own) - 1, min(len(setting.own), max(len(setting.held), 1)))
        self.members = self.own[torch.as_tensor(places.astype(np.int64), device=self.device)]
        self.now = _State()
        self.average = copied(learner.drawn_from())
        self.best = copied(self.average)
        self.safe = learner.state()
        self.order = self.own[:0]
        self.losses: list[Tensor] = []
        self.glimpses = None if setting.glimpses is None else int(setting.glimpses.integers(2**62))

    def through(self) -> Trained:
        if self._resumed():
            self._tell(RESUMED)
        elif self.setting.watch(self._progress(), None) is Signal.STOP:
            raise Cancelled("stopped before the training began")
        if self.device.type == "cuda":
            self._tell(f"{ON_GPU} {torch.cuda.get_device_name(self.device)}")
        ended = self.now.ended
        while not ended and self.now.step < self.schedule.steps:
            rate = self.schedule.rate_at(self.now.step) * self.now.scale
            self.losses.append(self.learner.step(self._batch(), rate=rate))
            self.now.step += 1
            self._average()
            ended = self._checked()
        write(self.learner.drawn_from(), self.best)
        self._tell(ended or SPENT)
        return Trained(tuple(self.now.looks), ended or SPENT)

    def _batch(self) -> Tensor:
        if len(self.order) < self.schedule.batch:
            self.order = self.own[torch.randperm(len(self.own), generator=self.setting.generator, device=self.device)]
        batch, self.order = self.order[: self.schedule.batch], self.order[self.schedule.batch :]
        return batch

    def _checked(self) -> str:
        """Do what is due after a step; return why to end, or nothing."""
        step, every = self.now.step, self.schedule.every
        look = step % every == 0 or step == self.schedule.steps
        if not look and step % SOUND_EVERY and step % max(1, every // PULSES):
            return ""
        mean, middle, odd = _told_by(self.losses)
        if self.now.first is None:
            # Not the mean: at far too high a rate the loss rises with the very first steps.
            self.now.first = _first_of(self.losses)
        if self._diverged(middle):
            self._rescue(middle)
            return ""
        if look:
            self.losses = []
            return self._look(mean, f"{odd} steps without a sound gradient were left out" if odd else "")
        if step % max(1, every // PULSES) == 0 and self.setting.watch(self._progress(mean), None) is Signal.STOP:
            self.losses = []
            self._look(mean, "")  # so that what was learnt since the last look is kept where it is better
            return ASKED
        return ""

    def _average(self) -> None:
        # Short at first, so that the beginning is soon forgotten.
        decay = min(self.schedule.average, (1 + self.now.step) / (10 + self.now.step))
        with torch.no_grad():
            for name, value in self.learner.drawn_from().items():
                own = self.average[name]
                own.lerp_(value, 1 - decay) if own.is_floating_point() else own.copy_(value)

    def _diverged(self, middle: float) -> bool:
        """Judge by the median: where losses have a long tail a single batch moves the mean of a sound training."""
        first = self.now.first
        return not math.isfinite(middle) or (first is not None and middle > first + BLOWN_UP * (1 + abs(first)))

    def _rescue(self, middle: float) -> None:
        now = self.now
        now.rescues += 1
        why = f"{LOSS_ROSE} {middle:.3g}" if math.isfinite(middle) else NO_NUMBER
        if now.rescues > RESCUES:
            raise TrainingFailed(
                f"the training diverged {now.rescues} times, the last time at step {now.step:,}: {why}",
                hint="choose another method, or a lower learning rate",
            )
        now.scale *= RESCUE_RATE
        self.learner.restore(self.safe)
        write(self.average, {name: self.safe_average[name] for name in self.average})
        self.losses, self.order = [], self.order[:0]
        note = f"{why}: back to the last look, at {RESCUE_RATE:g} of the learning rate"
        now.looks.append(Look(now.step, middle, note=note))
        self._tell(note)

    def _look(self, mean: float, note: str) -> str:
        """Measure with the averaged weights, keep the best, write a checkpoint; return why to end, or nothing."""
        now = self.now
        live = copied(self.learner.drawn_from())
        write(self.learner.drawn_from(), self.average)
        held, member = self._mean(self.held), self._mean(self.members)
        self._glimpse_anew()
        signal = self.setting.watch(replace(self._progress(mean), held=held, member=member), self.setting.sample)
        write(self.learner.drawn_from(), live)
        if signal is Signal.ADJUST:
            note = "; ".join(filter(None, [note, "told to train more slowly"]))
        now.looks.append(Look(now.step, mean, held, member, note))
        now.scale *= RESCUE_RATE if signal is Signal.ADJUST else 1.0
        # Batches begin anew at each look, so that a training taken up from a checkpoint draws the same ones.
        self.order = self.order[:0]
        why = now.ended = self._judged(held, member)
        self._save()
        return ASKED if signal is Signal.STOP else why

    def _glimpse_anew(self) -> None:
        stream = self.setting.glimpses
        if stream is not None and self.glimpses is not None:
            fresh = np.random.default_rng((self.glimpses, self.now.step)).bit_generator
            stream.bit_generator.state = fresh.state

    def _judged(self, held: float | None, member: float | None) -> str:
        now = self.now
        if held is None or held < now.best - LEAST_GAIN * (1 + abs(held)):
            now.best, now.worse = (math.inf if held is None else held), 0
            now.best_member = math.inf if member is None else member
            self.best = copied(self.average)
            return ""
        now.worse += 1
        if now.worse < self.schedule.patience:
            return ""
        return MEMORISING if member is not None and member < now.best_member else PLATEAU

    def _mean(self, rows: Tensor) -> float | None:
        if not len(self.held):
            return None
        rows = rows.repeat(-(-LEAST_EVALUATED // len(rows)))
        fixed = torch.Generator(device=self.device).manual_seed(0)  # the same noise at each look
        found = self.learner.loss(rows, generator=fixed)
        return None if found is None else float(found.mean())

    def _progress(self, loss: float | None = None, note: str = "") -> Progress:
        return Progress(self.now.step, self.schedule.steps, "training", loss, note=note)

    def _tell(self, note: str) -> None:
        self.setting.watch(self._progress(note=note), None)

    def _save(self) -> None:
        self.safe, self.safe_average = self.learner.state(), copied(self.average)
        if self.setting.keep is None:
            return
        tensors: State = {"generator": self.setting.generator.get_state()}
        for part, own in (("learner", self.safe), ("average", self.average), ("best", self.best)):
            tensors |= {f"{part}.{name}": value for name, value in own.items()}
        write_checkpoint(
            self.setting.keep, Checkpoint(tensors, {"now": asdict(self.now)}), fingerprint=self.setting.fingerprint
        )

    def _resumed(self) -> bool:
        """Take up a checkpoint of this training, if there is one."""
        self.safe_average = copied(self.average)
        if self.setting.keep is None:
            return False
        found = read_checkpoint(self.setting.keep, fingerprint=self.setting.fingerprint)
        if found is None:
            return False

        def part(name: str) -> State:
            start = f"{name}."
            return {
                key.removeprefix(start): value.to(self.device)
                for key, value in found.tensors.items()
                if key.startswith(start)
            }

        self.learner.restore(part("learner"))
        self.average, self.best = part("average"), part("best")
        self.safe, self.safe_average = self.learner.state(), copied(self.average)
        self.setting.generator.set_state(found.tensors["generator"])
        now = cast("dict[str, object]", found.facts["now"])
        looks = [Look(**one) for one in cast("list[dict[str, object]]", now.pop("looks"))]  # pyright: ignore[reportArgumentType]
        self.now = _State(**now, looks=looks)  # pyright: ignore[reportArgumentType]
        return True


def _first_of(losses: Sequence[Tensor]) -> float | None:
    """Return the first sound loss, None where there is none."""
    return next((float(one) for one in losses if math.isfinite(float(one))), None)


def _told_by(losses: Sequence[Tensor]) -> tuple[float, float, int]:
    """Return mean and median of the sound losses, NaN where most are no numbers, and how many of them are none."""
    whole = torch.stack(list(losses))
    sound = whole[torch.isfinite(whole)]
    odd = len(whole) - len(sound)
    if 2 * odd > len(whole):
        return math.nan, math.nan, odd
    return float(sound.mean()), float(sound.median()), odd

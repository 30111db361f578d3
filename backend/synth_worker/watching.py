"""Watch a training: measure small samples on validation rows, tell its curve, slow it down or stop it.

What a training is told depends on where it is and on what it draws, and never on the clock, but for the end of the
time budget: the same table, settings and seed train the same model on any machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import cast

from synth_worker.errors import BadInput
from synth_worker.evaluation import INCOMPUTABLE
from synth_worker.generators.base import RESUMED, Progress, Signal
from synth_worker.glimpse import FEWEST_ROWS, MOST_ROWS, Glimpse, glimpse_at
from synth_worker.run import CurvePoint
from synth_worker.table import Table
from synth_worker.whole import write_text_whole

Report = Callable[[Mapping[str, object]], None]
Sample = Callable[[int], Table]

CURVE = "curve.json"
SURE_LOOKS = 5
"""A training is looked at in so many places, evenly apart, whatever that costs; there it can be told to slow down."""

MORE_LOOKS = 10
"""It is looked at in so many places where looking is cheap."""

LOOKING_SHARE = 0.15
"""Looking is cheap while it has taken no more than this share of the training's time."""

MOST_SLOWED = 2
SLOWER = "trained more slowly from here on"
NEAR = 0.1
OUT_OF_TIME = "the time budget is spent"


class Watching:
    """Be the ``watch`` of one training.

    ``validation`` are the rows that samples are measured on. ``report`` is told each step, with ``look: True`` where it
    is a point of the curve. With ``keep`` the curve lies there beside the checkpoint, so that a training that is taken
    up again has it whole. At the ``deadline``, an instant of ``clock``, the training is told to stop. ``sure_only``
    leaves out the looks that only serve the eye.
    """

    def __init__(
        self,
        validation: Table | None,
        *,
        report: Report,
        keep: Path | None = None,
        deadline: float | None = None,
        sure_only: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.validation, self.report, self.deadline, self.sure_only = validation, report, deadline, sure_only
        self.keep = keep
        self.clock = clock
        self.points: list[CurvePoint] = []
        self._began: float | None = None
        self._looking = 0.0

    def __call__(self, progress: Progress, sample: Sample | None) -> Signal:
        """Take in a step, and answer what to do."""
        if self._began is None:
            self._began = self.clock()
            self._take_up(progress)
        if sample is not None or (progress.note and progress.note != RESUMED):
            return self._point(progress, sample)
        self.report(_said(progress))
        return Signal.STOP if self._late() else Signal.GO_ON

    def _point(self, progress: Progress, sample: Sample | None) -> Signal:
        seen, notes = None, [progress.note]
        if sample is not None and self._wanted(progress):
            start = self.clock()
            try:
                seen = self._look(sample)
            except (*INCOMPUTABLE, BadInput) as error:
                notes.append(f"no sample could be measured: {error}")
            self._looking += self.clock() - start
        signal = self._signal(progress, seen)
        if seen is not None and seen.astray:
            notes.append(f"{seen.astray}: {SLOWER}" if signal is Signal.ADJUST else seen.astray)
        if signal is Signal.STOP and sample is not None and progress.done < progress.total:
            notes.append(OUT_OF_TIME)
        self._add(progress, seen, notes)
        return signal

    def _wanted(self, progress: Progress) -> bool:
        """Tell whether to look here: in few places for sure, in others where that has been cheap."""
        if self.validation is None or self.validation.rows < FEWEST_ROWS:
            return False
        if _falls_due(progress, SURE_LOOKS):
            return True
        spent = self.clock() - (self._began or 0.0)
        return not self.sure_only and _falls_due(progress, MORE_LOOKS) and self._looking <= LOOKING_SHARE * spent

    def _look(self, sample: Sample) -> Glimpse | None:
        if self.validation is None:
            return None
        drawn = sample(min(max(self.validation.rows, FEWEST_ROWS), MOST_ROWS))
        return None if drawn.rows < FEWEST_ROWS else glimpse_at(drawn, real=self.validation)

    def _signal(self, progress: Progress, seen: Glimpse | None) -> Signal:
        if self._late():
            return Signal.STOP
        slowed = sum(SLOWER in one.note for one in self.points)
        due = _falls_due(progress, SURE_LOOKS) and progress.done < progress.total
        return Signal.ADJUST if due and seen is not None and seen.astray and slowed < MOST_SLOWED else Signal.GO_ON

    def _late(self) -> bool:
        return self.deadline is not None and self.clock() >= self.deadline

    def _add(self, progress: Progress, seen: Glimpse | None, notes: list[str]) -> None:
        """Append a point; what was said at the same step is kept, what lies further on belongs to a lost training."""
        last = self.points[-1] if self.points and self.points[-1].step == progress.done else None
        point = CurvePoint(
            step=progress.done,
            total=progress.total,
            loss=progress.loss,
            held=progress.held,
            member=progress.member,
            ks_mean=None if seen is None else seen.ks_mean,
            tvd_mean=None if seen is None else seen.tvd_mean,
            corr_delta=None if seen is None else seen.corr_delta,
            note=_joined([*([] if last is None else [last.note]), *notes]),
        )
        if last is not None:
            point = _filled(point, last)
        self.points = [one for one in self.points if one.step < progress.done] + [point]
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            write_text_whole(self.keep / CURVE, json.dumps([asdict(one) for one in self.points]))
        self._tell(point, progress)

    def _tell(self, point: CurvePoint, progress: Progress) -> None:
        self.report({"done": progress.done, "what": progress.what, "look": True, **asdict(point)})

    def _take_up(self, progress: Progress) -> None:
        """Read the curve of a training that is taken up, as far as that one had come, and tell it again."""
        if self.keep is None or progress.done == 0:
            return
        try:
            rows = json.loads((self.keep / CURVE).read_text(encoding="utf-8"))
            held = [CurvePoint(**row) for row in cast("list[dict[str, object]]", rows)]  # pyright: ignore[reportArgumentType]
        except (OSError, ValueError, TypeError):
            return  # a curve without its beginning is still a curve
        self.points = [one for one in held if one.step <= progress.done]
        for one in self.points:
            self._tell(one, progress)


def _said(progress: Progress) -> dict[str, object]:
    said: dict[str, object] = {
        "done": progress.done,
        "total": progress.total,
        "what": progress.what,
        "loss": progress.loss,
    }
    return {**said, "note": progress.note} if progress.note else said


def _falls_due(progress: Progress, places: int) -> bool:
    """Tell whether a step is one of so many places, evenly apart, up to the looks of the training being a bit apart."""
    share = places * progress.done / max(progress.total, 1)
    return progress.done > 0 and abs(share - round(share)) < NEAR


def _filled(point: CurvePoint, last: CurvePoint) -> CurvePoint:
    """Return the point with what only an earlier one of the same step knows."""
    return CurvePoint(
        **{name: value if value is not None else getattr(last, name) for name, value in asdict(point).items()}
    )


def _joined(notes: list[str]) -> str:
    return "; ".join(dict.fromkeys(note for note in notes if note))

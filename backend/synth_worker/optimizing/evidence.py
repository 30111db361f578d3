"""Hold what an attempt left behind that shows why it failed, and read the simple things off it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from synth_worker.diagnosis import FailureType
from synth_worker.gates import Verdict
from synth_worker.generators.base import LENGTH, LOSS_ROSE, MEMORISING, NO_NUMBER, PLATEAU, Value
from synth_worker.generators.steps import batch_of, steps_of
from synth_worker.metrics.base import Score, Scores
from synth_worker.run import CurvePoint
from synth_worker.straying import Stray

BATCH = 256
"""The batch size of a method that is asked for none."""

FEWEST_POINTS = 4
LATE = 0.75
STILL_FALLING = 0.02
"""A held-out loss that falls by more than this share of its whole fall in the last quarter had not come to rest."""

GAP = 0.1
"""The loss on held-out rows above that on training rows, in units of 1 + its size, from which rows are remembered."""


@dataclass(frozen=True)
class Evidence:
    """Hold the evidence of one attempt; whatever is not known is empty, and nothing is concluded from it.

    ``rows`` and ``columns`` are the size of the table that was learnt from. ``failed`` is the kind of failure of a fit
    that ended with no table, and ``failure`` what it said. ``names`` are the columns' names that look like values.
    """

    method: str
    hyperparameters: Mapping[str, Value]
    rows: int
    columns: int
    verdict: Verdict | None = None
    scores: Scores = field(default_factory=dict[str, Score])
    curve: Sequence[CurvePoint] = ()
    strays: Sequence[Stray] = ()
    names: Sequence[str] = ()
    failed: FailureType | None = None
    failure: str = ""

    @property
    def notes(self) -> str:
        """Return all that was noted during the training, and what a failed fit said."""
        return "; ".join([*(one.note for one in self.curve if one.note), self.failure])

    @property
    def length(self) -> int | None:
        """Return the length of the training in iterations, None for a method that is not trained step by step."""
        found = self.hyperparameters.get(LENGTH, self.hyperparameters.get("epochs"))
        return int(found) if isinstance(found, int | float) and not isinstance(found, bool) else None

    @property
    def times_seen(self) -> float | None:
        """Return how often a record was seen in the training, on average.

        >>> round(Evidence("ddpm", {"n_iter": 300}, 1000, 20).times_seen or 0.0)
        474
        """
        if self.length is None or LENGTH not in self.hyperparameters:
            return None
        asked = self.hyperparameters.get("batch_size", BATCH)
        return steps_of(self.length, self.rows) * batch_of(int(asked), self.rows) / self.rows

    @property
    def rose(self) -> str:
        """Return the note that says that the loss rose beyond measure, or nothing."""
        return self._noted(LOSS_ROSE)

    @property
    def no_number(self) -> str:
        """Return the note that says that the loss was no number, or nothing."""
        return self._noted(NO_NUMBER)

    @property
    def still_falling(self) -> float | None:
        """Return by what share of its whole fall the held-out loss fell in the last quarter of the training.

        None where it ended before its length was used up, or too little was seen.
        """
        held = [(one.step, one.held) for one in self.curve if one.held is not None]
        if len(held) < FEWEST_POINTS or PLATEAU in self.notes or MEMORISING in self.notes:
            return None
        if self.curve[-1].step < self.curve[-1].total:
            return None
        late = next((loss for step, loss in held if step >= LATE * self.curve[-1].total), None)
        if late is None:
            return None
        whole = held[0][1] - held[-1][1]
        return (late - held[-1][1]) / whole if whole > 0 else None

    @property
    def loss_gap(self) -> float | None:
        """Return the last loss on held-out rows minus that on training rows, in units of 1 + its size."""
        known = [(one.held, one.member) for one in self.curve if one.held is not None and one.member is not None]
        if not known:
            return None
        held, member = known[-1]
        return (held - member) / (1 + abs(held))

    def worst_columns(self, metric: str, *, most: int = 3) -> str:
        """Return the columns that add most to a figure, with what each adds, or nothing where that is not known."""
        score = self.scores.get(metric)
        if score is None:
            return ""
        own = sorted(score.detail.items(), key=lambda one: -one[1])
        shown = [f"{name.removeprefix('column:')} {value:.2f}" for name, value in own if name.startswith("column:")]
        return ", ".join(shown[:most])

    def _noted(self, words: str) -> str:
        return next((one for one in self.notes.split("; ") if words in one), "")

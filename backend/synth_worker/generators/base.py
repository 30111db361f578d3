"""Say what a generator is: the protocol, the spec by which the rest of the system knows it, its knobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from synth_worker.table import Floats, Table

Value = str | int | float | bool
Hyperparameters = Mapping[str, Value]


class Signal(StrEnum):
    """Answer a generator that reports its progress."""

    GO_ON = "go on"
    ADJUST = "adjust"
    STOP = "stop"


LENGTH = "n_iter"
"""The knob that says how long a method is trained; whatever is trained step by step has it."""

PACE = "learning_rate_factor"
"""The knob by which the learning rate of a method that is trained step by step is multiplied."""

RESUMED = "resumed from a checkpoint"
"""The note of a training that takes up where an interrupted one was."""

ON_GPU = "trained on the GPU"
"""How the note begins that names the GPU: only on such a one does the same seed give the same table."""

SPENT, PLATEAU, MEMORISING, ASKED = (
    "all steps were taken",
    "the loss on held-out rows fell no more",
    "the loss on held-out rows rose while that on training rows fell: more steps would memorise",
    "it was told to stop; what it had learnt is kept",
)
"""Why a training ended, as its last note says."""

LOSS_ROSE, NO_NUMBER = "the loss rose to", "the loss is no number"
"""How a training diverged, as its notes and errors say."""


@dataclass(frozen=True)
class Progress:
    """Report one step of a fit: ``done`` of ``total`` units of work, what is being done, the loss if there is one.

    ``held`` and ``member`` are the losses of rows that were held out from the training and of as many that were not;
    ``note`` says what happened out of the ordinary.
    """

    done: int
    total: int
    what: str = ""
    loss: float | None = None
    held: float | None = None
    member: float | None = None
    note: str = ""


Watch = Callable[[Progress, Callable[[int], Table] | None], Signal]
"""Called by a fit at each step with the progress and, where it can, a function that draws a small sample."""


def unwatched(_progress: Progress, _sample: Callable[[int], Table] | None) -> Signal:
    """Let a fit run to its end."""
    return Signal.GO_ON


class Generator(Protocol):
    """Learn a table and draw new rows.

    The same table, hyper-parameters and ``rng`` give the same sample, whatever ``threads`` is. ``sample`` returns a
    table with exactly the schema it was fitted on. ``given`` fixes columns to values (labels for categorical columns,
    numbers for numeric ones, ISO dates for datetime ones), for all rows alike.
    """

    def fit(
        self,
        train: Table,
        *,
        rng: np.random.Generator,
        watch: Watch = unwatched,
        threads: int = 1,
        keep: Path | None = None,
    ) -> Self:
        """Learn from ``train`` (modelled columns only, domain narrowed); return self.

        A method that trains for long writes checkpoints into the folder ``keep``, where one is given, and goes on from
        one of this very training that it finds there: it ends with the same model as if it had never been interrupted.

        Raises TrainingFailed where no model results, Cancelled where ``watch`` says stop before there is one.
        """
        ...

    def sample(self, rows: int, *, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Table:
        """Draw ``rows`` rows. Raises NotFitted, UnknownName (column), BadInput (a value outside the domain)."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model as JSON and npz into an existing, empty folder."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model back; never unpickles. Raises BadModel on damage."""
        ...

    def row_loss(self, table: Table, *, rng: np.random.Generator) -> Floats | None:
        """Return the model's loss per row for the white-box attack, shape (rows,), or None where it has none."""
        ...


@dataclass(frozen=True)
class Knob:
    """Describe one hyper-parameter: its default, its range, and which way privacy lies.

    ``private_end`` is ``"high"`` or ``"low"`` where turning the knob that way makes the sample more private.
    """

    name: str
    default: Value
    low: float | None = None
    high: float | None = None
    choices: tuple[Value, ...] = ()
    private_end: str = ""
    about: str = ""

    @property
    def span(self) -> tuple[float, float]:
        """Return the ends of the range; a knob that names none goes from 0 to 1."""
        return float(self.low or 0.0), float(1.0 if self.high is None else self.high)

    def set_by(self, hyperparameters: Hyperparameters) -> float:
        """Return where hyper-parameters set the knob, its default where they do not name it."""
        return float(hyperparameters.get(self.name, self.default))


@dataclass(frozen=True)
class GeneratorSpec:
    """Hold all that the rest of the system knows about a generator.

    ``cost`` orders the portfolio (CPU seconds for 20,000 x 15, about). ``guarantee`` names a formal privacy guarantee
    or is empty. ``scalar`` names the one knob that trades fidelity for privacy, if there is one.
    ``escalates`` says that ``auto`` may turn to it where cheaper methods are not faithful enough. ``experimental``
    methods are run where they are asked for by name, and nowhere else. ``needs_rows`` says that a method with a
    guarantee cannot learn from counts alone.
    """

    name: str
    title: str
    build: Callable[[Hyperparameters], Generator]
    load: Callable[[Path], Generator]
    knobs: tuple[Knob, ...] = ()
    cost: float = 1.0
    guarantee: str = ""
    scalar: str = ""
    about: str = ""
    escalates: bool = False
    experimental: bool = False
    needs_rows: bool = False

    @property
    def trained(self) -> bool:
        """Tell whether the method is trained step by step: told to stop, it keeps what it has learnt so far."""
        return any(knob.name == LENGTH for knob in self.knobs)

    @property
    def tradeoff(self) -> Knob | None:
        """Return the knob that trades fidelity for privacy, None where there is none."""
        return next((knob for knob in self.knobs if knob.name == self.scalar), None)

    def defaults(self) -> dict[str, Value]:
        """Return every knob at its default."""
        return {knob.name: knob.default for knob in self.knobs}

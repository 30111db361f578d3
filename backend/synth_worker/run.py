"""Record what was planned, tried and found: the values that the report, the run card and the API are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pandas as pd

from synth_worker.diagnosis import Diagnosis
from synth_worker.gates import EXIT_CODES, Light, Verdict
from synth_worker.metrics.base import Scores

Value = str | int | float | bool

FINISHED = "finished"
CANCELLED = "cancelled"
CANCELLED_CODE = 130
GIVEN = "given"
INFERRED = "inferred"
"""How a run stopped, the exit code of one that the user stopped (128 and the signal), where its schema came from."""


@dataclass(frozen=True)
class Plan:
    """Say what to try: the method, all of its hyper-parameters, the seed, and why."""

    method: str
    hyperparameters: Mapping[str, Value]
    seed: int
    why: str = ""


@dataclass(frozen=True)
class Measurement:
    """Hold the scores of one table against real rows, the rulings on them, and how long that took."""

    scores: Scores
    verdict: Verdict
    seconds: float = 0.0


@dataclass(frozen=True)
class CurvePoint:
    """Record one look at a training: the step, the losses, what a small sample showed, what was done about it.

    ``held`` and ``member`` are the losses of rows held out from the training and of as many that were not. The three
    distances are between a small sample and validation rows, None where none was drawn.
    """

    step: int
    total: int
    loss: float | None = None
    held: float | None = None
    member: float | None = None
    ks_mean: float | None = None
    tvd_mean: float | None = None
    corr_delta: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Attempt:
    """Record one attempt, measured on validation rows.

    ``failure`` is empty unless the fit failed (then there are no scores). ``folder`` is where its model and table
    lie. ``synthetic`` is the delivered table as a data frame with the input's columns and dtypes. ``curve`` are the
    looks at its training, empty where the method is not trained step by step.
    """

    number: int
    plan: Plan
    measurement: Measurement | None
    diagnosis: Diagnosis
    seconds: float
    cpu_seconds: float
    failure: str = ""
    folder: Path | None = None
    synthetic: pd.DataFrame | None = None
    curve: tuple[CurvePoint, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what happened in the training out of the ordinary, and why it ended."""
        return tuple(dict.fromkeys(one.note for one in self.curve if one.note))

    @property
    def scores(self) -> Scores:
        """Return the scores, empty where the fit failed."""
        return {} if self.measurement is None else self.measurement.scores

    @property
    def verdict(self) -> Verdict | None:
        """Return the verdict on validation rows, None where the fit failed."""
        return None if self.measurement is None else self.measurement.verdict


@dataclass(frozen=True)
class PowerCheck:
    """Say whether this very audit finds 5 % exact and 5 % jittered copies once they are put in."""

    exact_detected: bool
    jittered_detected: bool
    reason: str = ""


@dataclass(frozen=True)
class Certificate:
    """Hold the final verdict on rows that neither the generator nor the loop ever saw.

    ``mode`` is ``holdout`` (rows set aside), ``cross-fit`` (small tables: the procedure is certified) or ``given``
    (``evaluate`` with a holdout of the user's). ``look`` counts the looks at the data set's certificate rows.
    ``seconds`` is what it took.
    """

    measurement: Measurement
    power: PowerCheck | None
    mode: str
    look: int
    rows: int
    seconds: float
    notes: Sequence[str] = ()

    @property
    def scores(self) -> Scores:
        """Return the scores behind the verdict."""
        return self.measurement.scores

    @property
    def verdict(self) -> Verdict:
        """Return the verdict."""
        return self.measurement.verdict


@dataclass(frozen=True)
class DataFacts:
    """Identify the real table: SHA-256 of its bytes, its size, its name (no path), and notes for the reader.

    ``schema`` says whether its meaning was ``inferred`` or ``given`` by the user.
    """

    sha256: str
    rows: int
    columns: int
    name: str
    notes: Sequence[str] = ()
    schema: str = INFERRED


@dataclass(frozen=True)
class SplitFacts:
    """Say how the real rows were divided: sizes, the mode of certification, the hash key, what a unit is."""

    train: int
    validation: int
    certificate: int
    mode: str
    key: str
    unit: str = "row"
    stratified_by: str = ""


@dataclass(frozen=True)
class Options:
    """Hold everything a user can ask of a run; its JSON form is part of the run card.

    ``method`` is ``auto`` or a generator's name. ``rows`` is the size of the synthetic table (None: as many as the
    real one). ``time_budget`` is in seconds, None for no limit. ``balance`` is ``COL`` or ``COL=label:share,...``.
    ``search`` names who chooses the next attempt; ``warm_start`` lets it begin with what won on similar tables.
    """

    method: str = "auto"
    rows: int | None = None
    seed: int = 0
    attempts: int = 3
    time_budget: float | None = 600.0
    profile: str = "standard"
    prefer: str = "balanced"
    target: str | None = None
    group_key: str | None = None
    rows_independent: bool = False
    text: str = "drop"
    threads: int = 2
    balance: str | None = None
    search: str = "auto"
    warm_start: bool = False


@dataclass(frozen=True)
class Rebalanced:
    """Record the second table of a run: the same model drawn at other shares of one column's labels.

    ``shares`` are those asked for, ``named`` the labels that were given one; ``rows`` is what the delivered file holds
    of each label. ``certificate`` is its own, against real rows thinned to the same shares. ``synthetic`` is the
    delivered table as a data frame.
    """

    column: str
    shares: Mapping[str, float]
    named: Sequence[str]
    rows: Mapping[str, int]
    file: str
    certificate: Certificate
    synthetic: pd.DataFrame | None = None


@dataclass(frozen=True)
class Run:
    """Record a whole run: what was asked, what was tried, what was certified, what is delivered.

    ``statement`` is the sentence of the report that says what was reached, what stands in the way, and what to do.
    """

    options: Options
    data: DataFacts
    split: SplitFacts
    versions: Mapping[str, str]
    attempts: Sequence[Attempt]
    best_number: int | None
    certificate: Certificate | None
    seconds: float
    cpu_seconds: float
    stopped: str
    folder: Path | None = None
    notes: Sequence[str] = field(default_factory=tuple[str, ...])
    rebalanced: Rebalanced | None = None
    statement: str = ""

    @property
    def best(self) -> Attempt:
        """Return the attempt that is delivered. Raises LookupError where every fit failed."""
        for attempt in self.attempts:
            if attempt.number == self.best_number:
                return attempt
        raise LookupError("no attempt ended with a table; see run.attempts[..].failure")

    @property
    def verdict(self) -> Verdict:
        """Return the certificate's verdict; red with no rulings where there is none."""
        if self.certificate is None:
            return Verdict(self.options.profile, (), Light.RED, may_release=False)
        return self.certificate.verdict

    @property
    def exit_code(self) -> int:
        """Return the exit code of the command line: 130 for a cancelled run, else that of the worse verdict.

        There are two verdicts where a balanced table was made.
        """
        if self.stopped == CANCELLED:
            return CANCELLED_CODE
        lights = [self.verdict.light]
        if self.rebalanced is not None:
            lights.append(self.rebalanced.certificate.verdict.light)
        return EXIT_CODES[max(lights, key=list(Light).index)]


class History(Protocol):
    """Hand past runs to the optimiser as an argument; nothing in the core looks for them itself."""

    def similar(self, features: Mapping[str, float]) -> Sequence[Plan]:
        """Return plans that won on tables with like figures (``search.meta``), nearest first."""
        ...

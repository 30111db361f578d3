"""Say what a measurement is: a score with its interval and its real-data baseline, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar, cast

from synth_worker.seeds import Streams
from synth_worker.table import Floats, Table, tamed, unify

Made = TypeVar("Made")


class Better(StrEnum):
    """Tell which way a figure is good."""

    LOWER = "lower"
    HIGHER = "higher"
    HALF = "toward 0.5"


@dataclass(frozen=True)
class Score:
    """Hold one figure.

    ``value``: the estimate, None where it could not be computed (then ``reason`` says why).
    ``low``, ``high``: the two-sided 95 % interval. ``upper``: the one-sided upper bound that a gate reads.
    ``p_value``: the evidence for a real excess, corrected inside its battery; None where the figure has no test.
    ``floor``: the same figure for fresh real rows. ``applicable``: False where the table has nothing to measure.
    ``suspicious``: the figure shows that the metric, the split or a filter is broken; ``reason`` says how.
    ``rows``: how many records carry the interval. ``detail``: figures behind the figure (per column, per attack).
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    upper: float | None = None
    p_value: float | None = None
    floor: float | None = None
    reason: str = ""
    applicable: bool = True
    suspicious: bool = False
    rows: int = 0
    detail: Mapping[str, float] = field(default_factory=dict[str, float])

    @classmethod
    def unmeasured(cls, reason: str) -> Score:
        """Return a score that never passes a gate, with the reason."""
        return cls(None, reason=reason)

    @classmethod
    def not_applicable(cls, reason: str) -> Score:
        """Return a score for a table that has nothing of the kind to measure."""
        return cls(None, reason=reason, applicable=False)


Scores = Mapping[str, Score]


@dataclass(frozen=True)
class Metric:
    """Name a figure, its direction, and a sentence that says what it is."""

    name: str
    better: Better
    about: str
    group: str = "utility"


@dataclass(frozen=True)
class Losses:
    """Hold a neural generator's per-row losses for the white-box attack: shape (rows,) of train and holdout."""

    train: Floats
    holdout: Floats


@dataclass(frozen=True, eq=False)
class Comparison:
    """Hold all that a metric may look at: one domain, modelled columns only.

    ``train`` was learnt from; ``holdout`` was not, and provides the non-members; ``reference`` are further real rows
    for the attackers (None: they use the other challenge rows, leaving out the one attacked). ``quick`` asks for the
    loop's set: smaller samples, no repeats. ``alpha`` is the one-sided level of the upper bounds (0.05 at the first
    look at a data set's certificate rows, halved with each further look). ``time`` and ``event`` name the columns of
    a survival outcome.
    """

    train: Table
    holdout: Table
    synthetic: Table
    streams: Streams
    reference: Table | None = None
    target: str | None = None
    time: str | None = None
    event: str | None = None
    losses: Losses | None = None
    quick: bool = False
    threads: int = 1
    alpha: float = 0.05
    _known: dict[object, object] = field(default_factory=dict[object, object], init=False, repr=False)

    def once(self, make: Callable[[Comparison], Made]) -> Made:
        """Return ``make(self)``, made the first time it is asked for: several metrics look at the same things.

        Only for what is small: it is held as long as the comparison is.
        """
        if make not in self._known:
            self._known[make] = make(self)
        return cast("Made", self._known[make])

    @classmethod
    def of(
        cls,
        *,
        train: Table,
        holdout: Table,
        synthetic: Table,
        streams: Streams,
        reference: Table | None = None,
        target: str | None = None,
        quick: bool = False,
        threads: int = 1,
        alpha: float = 0.05,
    ) -> Comparison:
        """Drop unmodelled columns, put all tables under one domain, and bring extreme numbers to a usable size."""
        tables = [train, holdout, synthetic] + ([] if reference is None else [reference])
        same = tamed(unify([table.modelled() for table in tables]))
        return cls(
            train=same[0],
            holdout=same[1],
            synthetic=same[2],
            reference=None if reference is None else same[3],
            streams=streams,
            target=target,
            quick=quick,
            threads=threads,
            alpha=alpha,
        )


@dataclass(frozen=True)
class Family:
    """Group the metrics that one computation yields; ``compute`` returns a score for each of them."""

    name: str
    metrics: tuple[Metric, ...]
    compute: Callable[[Comparison], Scores]

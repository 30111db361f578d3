"""Say what a search may set of a method, and spread points over it evenly without a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from synth_worker.generators.base import LENGTH, PACE, GeneratorSpec, Value
from synth_worker.optimizing.applying import fingerprint
from synth_worker.optimizing.tables import PACES, length_range
from synth_worker.run import Attempt, Plan

DECIMALS = 3
STRETCH = 2.0
"""A training may be half as long as the shortest that the table names, and twice as long as the longest."""

GENERATOR = 1.22074408460575947536
"""The positive root of x^4 = x + 1: its powers give the steps of an additive sequence in up to three dimensions."""


@dataclass(frozen=True)
class Axis:
    """Hold one setting that is searched: its ends, whether it is whole, whether it is spread by ratio."""

    name: str
    low: float
    high: float
    whole: bool = False
    by_ratio: bool = False

    def at(self, share: float) -> Value:
        """Return the setting at a share of the way from the low end to the high one."""
        if self.by_ratio:
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + (self.high - self.low) * share
        return round(value) if self.whole else round(min(max(value, self.low), self.high), DECIMALS)


def axes_of(spec: GeneratorSpec, rows: int) -> tuple[Axis, ...]:
    """Return what is searched: the scalar knob, and length and pace of a method that is trained.

    Ranges are those of ``optimizing.tables``. A method without a knob that trades anything has none, and neither has
    one with a guarantee: an epsilon is nobody's to search by figures of the data.
    """
    if spec.guarantee:
        return ()
    found: list[Axis] = []
    if (knob := spec.tradeoff) is not None:
        found.append(Axis(knob.name, *knob.span))
    if spec.trained:
        low, high = length_range(spec.name, rows)
        found.append(Axis(LENGTH, low / STRETCH, high * STRETCH, whole=True, by_ratio=True))
        found.append(Axis(PACE, *PACES, by_ratio=True))
    return tuple(found)


def is_new(plan: Plan, attempts: Sequence[Attempt]) -> bool:
    """Tell whether no attempt had this method, these hyper-parameters and this seed."""
    return all(fingerprint(one.plan) != fingerprint(plan) or one.plan.seed != plan.seed for one in attempts)


def spread(axes: Sequence[Axis], number: int) -> dict[str, Value]:
    """Return the point of a number (from 0) of a sequence that fills the space evenly, whatever its length.

    >>> [spread([Axis("privacy", 0.0, 1.0)], number)["privacy"] for number in range(4)]
    [0.5, 0.319, 0.138, 0.958]
    """
    return {
        axis.name: axis.at(math.fmod(0.5 + (number * (1 / GENERATOR ** (place + 1))), 1.0))
        for place, axis in enumerate(axes)
    }

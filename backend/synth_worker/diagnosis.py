"""Say why an attempt failed and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class FailureType(StrEnum):
    """Name what went wrong with an attempt."""

    NONE = "none"
    HIGH_KS = "high_ks"
    HIGH_CORR_DELTA = "high_corr_delta"
    HIGH_MIA = "high_mia"
    HIGH_DUP_RATE = "high_dup_rate"
    HIGH_DCR = "high_dcr"
    UNMEASURED = "unmeasured"
    DIVERGED = "diverged"
    UNDERTRAINED = "undertrained"
    MEMORISED = "memorised"
    CATEGORY_COLLAPSE = "category_collapse"
    SCHEMA_MISMATCH = "schema_mismatch"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    BUDGET_SPENT = "budget_spent"
    EPSILON_TOO_LOW = "epsilon_too_low"


@dataclass(frozen=True)
class Action:
    """Tell the loop what to change: move ``knob`` by adding ``step``, or set it to ``value``, or switch ``method``."""

    sentence: str
    knob: str = ""
    step: float | None = None
    value: str | int | float | bool | None = None
    method: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Hold the failure, its root cause and the suggestions; unpacks as ``(failure_type, root_cause, suggestions)``.

    >>> failure, cause, suggestions = Diagnosis(FailureType.NONE, "all gates met")
    >>> failure, suggestions
    (<FailureType.NONE: 'none'>, [])
    """

    failure_type: FailureType
    root_cause: str
    actions: tuple[Action, ...] = ()
    others: tuple[FailureType, ...] = ()

    @property
    def suggestions(self) -> list[str]:
        """Return the suggestions as sentences."""
        return [action.sentence for action in self.actions]

    def __iter__(self) -> Iterator[FailureType | str | list[str]]:
        return iter((self.failure_type, self.root_cause, self.suggestions))

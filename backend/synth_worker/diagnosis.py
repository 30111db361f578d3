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


class Cause(StrEnum):
    """Name what a failure comes from, as far as the evidence of the attempt shows it."""

    NONE = "none"
    TOO_FEW_STEPS = "too_few_steps"
    RATE_TOO_HIGH = "learning_rate_too_high"
    LOSS_NO_NUMBER = "loss_no_number"
    MEMORISATION = "memorisation"
    CATEGORY_COLLAPSE = "category_collapse"
    SATURATION = "saturation"
    CONSTANT_COLUMN = "constant_column"
    HEADER_MISSING = "header_missing"
    WRONG_DTYPE = "wrong_dtype"
    TOO_PRIVATE = "too_private"
    WEAK_METHOD = "weak_method"
    NOISE_TOO_LARGE = "noise_too_large"
    MEMORY = "memory"
    TIME = "time"
    BUDGET = "budget"
    FIT_FAILED = "fit_failed"
    TOO_FEW_ROWS = "too_few_rows"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Action:
    """Tell the loop what to change: move ``knob`` by adding ``step``, or set it to ``value``, or switch ``method``.

    One without all of these is for the user: the loop cannot do it.
    """

    sentence: str
    knob: str = ""
    step: float | None = None
    value: str | int | float | bool | None = None
    method: str = ""

    @property
    def executable(self) -> bool:
        """Tell whether the loop can carry it out.

        >>> Action("Give more rows").executable, Action("Raise it", knob="privacy", step=0.25).executable
        (False, True)
        """
        return bool(self.knob or self.method)


@dataclass(frozen=True)
class Finding:
    """Hold one failure of an attempt: what failed, why, what shows it, and what to do.

    ``metric`` is the gate, empty where the fit itself failed. ``excess`` is by how much of its limit the figure is over
    it, infinite where there is no figure; ``sentence`` names the evidence.
    """

    failure_type: FailureType
    cause: Cause
    sentence: str
    metric: str = ""
    excess: float = 0.0
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """Hold the failure, its root cause and the suggestions; unpacks as ``(failure_type, root_cause, suggestions)``.

    ``findings`` are all failures, the one to see to first at the head; ``cause`` is that one's.

    >>> failure, cause, suggestions = Diagnosis(FailureType.NONE, "all gates met")
    >>> failure, suggestions
    (<FailureType.NONE: 'none'>, [])
    """

    failure_type: FailureType
    root_cause: str
    actions: tuple[Action, ...] = ()
    others: tuple[FailureType, ...] = ()
    cause: Cause = Cause.NONE
    findings: tuple[Finding, ...] = ()

    @property
    def suggestions(self) -> list[str]:
        """Return the suggestions as sentences."""
        return [action.sentence for action in self.actions]

    def __iter__(self) -> Iterator[FailureType | str | list[str]]:
        return iter((self.failure_type, self.root_cause, self.suggestions))

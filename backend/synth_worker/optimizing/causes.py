"""Find the root cause of a failure in the evidence of its attempt: one small rule a cause, the first that holds.

A rule looks at what the attempt left behind (losses, notes, columns, settings) and says in one sentence what shows it;
where no evidence is at hand none holds, and the cause is told to be unknown rather than guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from synth_worker.diagnosis import Cause, FailureType
from synth_worker.gates import Judged, Ruling
from synth_worker.generators.base import MEMORISING, PACE
from synth_worker.generators.registry import GENERATORS
from synth_worker.optimizing.evidence import GAP, STILL_FALLING, Evidence
from synth_worker.optimizing.tables import PACES, length_range
from synth_worker.straying import named

TOO_SHORT = 0.5
"""A training of less than this share of the shortest one that the tables name for the size is too short."""

SEEN_OFTEN = 500
"""A record that a training saw so often may be remembered; the tables' trainings of small tables come near it."""


@dataclass(frozen=True)
class Found:
    """Hold a cause, the sentence that shows it, and the failure type that says more than the gate's (if any)."""

    cause: Cause
    sentence: str
    failure_type: FailureType | None = None


Rule = Callable[[Judged, Evidence], Found | None]


def cause_of(judged: Judged, evidence: Evidence) -> Found:
    """Return the first cause that the evidence shows for a gate that was not met."""
    for rule in RULES[_family(judged)]:
        found = rule(judged, evidence)
        if found is not None:
            return found
    return Found(Cause.UNKNOWN, "")


def _family(judged: Judged) -> str:
    if judged.ruling is Ruling.UNMEASURED:
        return "unmeasured"
    if judged.metric == "wrong_dtype":
        return "form"
    if judged.group == "privacy":
        return "privacy"
    return "dependence" if judged.metric == "corr_delta" else "columns"


def broken_fit(evidence: Evidence) -> Found:
    """Return the cause of a fit that ended with no table."""
    said = evidence.failure
    if evidence.failed is FailureType.TIMEOUT:
        return Found(Cause.TIME, said)
    if evidence.failed is FailureType.OUT_OF_MEMORY:
        return Found(Cause.MEMORY, said)
    if evidence.failed is FailureType.BUDGET_SPENT:
        return Found(Cause.BUDGET, said)
    if evidence.no_number:
        return Found(Cause.LOSS_NO_NUMBER, said, FailureType.DIVERGED)
    if evidence.rose:
        return Found(Cause.RATE_TOO_HIGH, said, FailureType.DIVERGED)
    return Found(Cause.FIT_FAILED, said)


def _noisy(_judged: Judged, evidence: Evidence) -> Found | None:
    spec = GENERATORS.get(evidence.method)
    if spec is None or not spec.guarantee:
        return None
    epsilon = evidence.hyperparameters.get("epsilon", spec.defaults()["epsilon"])
    told = f"the noise of epsilon {epsilon} is large for {evidence.rows:,} rows of {evidence.columns} columns"
    return Found(Cause.NOISE_TOO_LARGE, told, FailureType.EPSILON_TOO_LOW)


def _diverged(_judged: Judged, evidence: Evidence) -> Found | None:
    if evidence.no_number:
        return Found(Cause.LOSS_NO_NUMBER, evidence.no_number, FailureType.DIVERGED)
    if evidence.rose:
        return Found(Cause.RATE_TOO_HIGH, evidence.rose, FailureType.DIVERGED)
    return None


def _fast(_judged: Judged, evidence: Evidence) -> Found | None:
    """Take a learning rate that no search would set for the cause: losses may stand still at it, and never rise."""
    spec = GENERATORS.get(evidence.method)
    pace = evidence.hyperparameters.get(PACE)
    if spec is None or not spec.trained or not isinstance(pace, int | float) or pace <= PACES[1]:
        return None
    return Found(Cause.RATE_TOO_HIGH, f"{PACE} is {pace:g}, and searches do not go beyond {PACES[1]:g}")


def _saturated(_judged: Judged, evidence: Evidence) -> Found | None:
    own = [one for one in evidence.strays if one.saturated]
    if not own:
        return None
    most = max(own, key=lambda one: one.ends)
    told = f"values pile up at the ends of {named(own)}: {most.ends:.0%} more than in real rows"
    return Found(Cause.SATURATION, told)


def _collapsed(_judged: Judged, evidence: Evidence) -> Found | None:
    own = [one for one in evidence.strays if one.collapsed]
    if not own:
        return None
    lost = max(own, key=lambda one: (one.lost, -one.variety))
    told = (
        f"labels of {lost.lost:.0%} of the real rows of {lost.name!r} are never drawn"
        if lost.lost
        else f"{lost.name!r} has only {lost.variety:.0%} as many different values as in real rows"
    )
    more = f" ({named(own)})" if len(own) > 1 else ""
    return Found(Cause.CATEGORY_COLLAPSE, told + more, FailureType.CATEGORY_COLLAPSE)


def _undertrained(_judged: Judged, evidence: Evidence) -> Found | None:
    length = evidence.length
    if length is None:
        return None
    falling = evidence.still_falling
    if falling is not None and falling > STILL_FALLING:
        told = f"the held-out loss was still falling at the end ({falling:.0%} of its fall was in the last quarter)"
        return Found(Cause.TOO_FEW_STEPS, told, FailureType.UNDERTRAINED)
    least, _most = length_range(evidence.method, evidence.rows)
    if length < TOO_SHORT * least:
        told = f"n_iter {length} is far below the {least} that the tables name for {evidence.rows:,} rows"
        return Found(Cause.TOO_FEW_STEPS, told, FailureType.UNDERTRAINED if evidence.curve else None)
    return None


def _short(_judged: Judged, evidence: Evidence) -> Found | None:
    """Take a shorter training than the tables' longest for the likely cause where nothing else shows."""
    length = evidence.length
    if length is None or length >= length_range(evidence.method, evidence.rows)[1]:
        return None
    return Found(Cause.TOO_FEW_STEPS, f"n_iter {length} can still be raised for {evidence.rows:,} rows")


def _too_private(_judged: Judged, evidence: Evidence) -> Found | None:
    spec = GENERATORS.get(evidence.method)
    knob = None if spec is None else spec.tradeoff
    if knob is None:
        return None
    value = knob.set_by(evidence.hyperparameters)
    if value <= knob.span[0]:
        return None
    return Found(Cause.TOO_PRIVATE, f"{knob.name} is {value:g}, so that detail is smoothed away")


def _weak(_judged: Judged, evidence: Evidence) -> Found | None:
    if evidence.method != "gc":
        return None
    return Found(Cause.WEAK_METHOD, "a Gaussian copula knows only how the ranks of two columns go together")


def _remembers(judged: Judged, evidence: Evidence) -> Found | None:
    gap = evidence.loss_gap
    if MEMORISING in evidence.notes or (gap is not None and gap > GAP):
        width = "" if gap is None else f" (the gap is {gap:.2f})"
        told = f"the loss on training rows is below that on held-out rows{width}"
        return Found(Cause.MEMORISATION, told, FailureType.MEMORISED)
    seen = evidence.times_seen
    if seen is not None and seen > SEEN_OFTEN:
        return Found(Cause.MEMORISATION, f"each record was seen {seen:,.0f} times in the training")
    spec = GENERATORS.get(evidence.method)
    if spec is not None and (knob := spec.tradeoff) is not None:
        value = knob.set_by(evidence.hyperparameters)
        if value < knob.span[1]:
            return Found(Cause.MEMORISATION, f"{knob.name} is {value:g}: the model keeps the detail of single records")
    if judged.metric in ("dup_rate", "copy_excess"):
        return Found(Cause.MEMORISATION, "training records are drawn as they are")
    return None


def _constant(_judged: Judged, evidence: Evidence) -> Found | None:
    own = [one for one in evidence.strays if one.constant]
    if not own:
        return None
    return Found(Cause.CONSTANT_COLUMN, f"all real rows hold one value in {named(own)}: nothing hangs together with it")


def _broken_form(_judged: Judged, evidence: Evidence) -> Found | None:
    score = evidence.scores.get("wrong_dtype")
    told = score.reason if score is not None and score.reason else "values break their column's type or categories"
    return Found(Cause.WRONG_DTYPE, told, FailureType.SCHEMA_MISMATCH)


def _few_rows(judged: Judged, _evidence: Evidence) -> Found | None:
    if judged.ruling not in (Ruling.AMBER_OVER, Ruling.AMBER_PASS):
        return None
    more = f"; {judged.rows_needed:,} held-out rows would decide" if judged.rows_needed else ""
    return Found(Cause.TOO_FEW_ROWS, f"so few rows could show that by chance{more}")


_TRAINING = (_diverged, _fast, _saturated, _collapsed, _undertrained)
_SETTINGS = (_too_private, _weak, _short, _few_rows)
RULES: Mapping[str, tuple[Rule, ...]] = {
    "columns": (_noisy, *_TRAINING, *_SETTINGS),
    "dependence": (_noisy, _diverged, _fast, _collapsed, _undertrained, *_SETTINGS),
    "privacy": (_remembers, _few_rows),
    "form": (_diverged, _broken_form),
    "unmeasured": (_constant, _diverged),
}
"""The rules by what failed, the surest evidence first."""

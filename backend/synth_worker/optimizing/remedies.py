"""Say what to change for a cause: settings that the loop moves by itself first, then what only the user can do.

What an action is worth was measured on real failing runs (OPTIMIZATION_GUIDE.md); those that did not help are not here.
An action never raises an epsilon, and never takes a guarantee away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from synth_worker.diagnosis import Action, Cause
from synth_worker.gates import Ruling
from synth_worker.generators.base import LENGTH, PACE, GeneratorSpec, Value
from synth_worker.generators.registry import GENERATORS
from synth_worker.optimizing.evidence import Evidence
from synth_worker.optimizing.tables import PACES, length_range

LENGTH_STEP = 100
"""The specification's step: so many iterations are added where columns differ."""

PRIVACY_STEP = 0.25
SHORTEST = 10
"""Iterations below which a training is no longer halved."""

CUT, PROVEN_CUT = 2, 4
"""A training that may remember is cut to a half. What an attack finds falls with the logarithm of the steps, so one
that an attack has proven to remember is cut to a quarter (docs/adjustments.md)."""

OVERSAMPLE = "oversample"
MORE_ROWS = 4
MOST_ROWS = 16

Remedy = Callable[[Evidence], tuple[Action, ...]]


def actions_for(cause: Cause, evidence: Evidence, *, metric: str = "") -> tuple[Action, ...]:
    """Return what to do about a cause; ``metric`` is the gate that was not met."""
    found = REMEDIES[cause](evidence)
    if cause in (Cause.UNKNOWN, Cause.TOO_FEW_ROWS):
        found = (*_by_metric(metric, evidence), *found)
    if metric == "corr_delta" and cause in (Cause.TOO_FEW_STEPS, Cause.UNKNOWN):
        found = (*found, *_double(evidence, "width"), *_double(evidence, "batch_size"))
    if metric in ("dup_rate", "copy_excess"):
        found = (*found, *_more_to_select_from(evidence))
    return _keeping_the_guarantee(found, evidence)


def _keeping_the_guarantee(actions: tuple[Action, ...], evidence: Evidence) -> tuple[Action, ...]:
    """Leave out what would put a method without guarantee in the place of one that gives it."""
    spec = _spec(evidence)
    if spec is None or not spec.guarantee or not actions:
        return actions
    kept = tuple(one for one in actions if not one.method or GENERATORS[one.method].guarantee)
    return kept or (Action("Nothing takes the place of a method that gives a guarantee; ask for another table"),)


def _by_metric(metric: str, evidence: Evidence) -> tuple[Action, ...]:
    if metric in ("mia_auc", "mia_tpr", "dcr_share", "dup_rate", "copy_excess"):
        return _forget(evidence)
    return _longer(evidence) if metric in ("ks_mean", "tvd_mean", "missing_delta") else ()


def _spec(evidence: Evidence) -> GeneratorSpec | None:
    return GENERATORS.get(evidence.method)


def _value(evidence: Evidence, knob: str) -> float | None:
    """Return a number setting as it was, its default where it was not named, None where there is none such."""
    spec = _spec(evidence)
    default: Value | None = None if spec is None else spec.defaults().get(knob)
    found = evidence.hyperparameters.get(knob, default)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _longer(evidence: Evidence) -> tuple[Action, ...]:
    length = evidence.length
    if length is None:
        return ()
    knob = LENGTH if LENGTH in evidence.hyperparameters else "epochs"
    wanted = max(length + LENGTH_STEP, length_range(evidence.method, evidence.rows)[0])
    return (Action(f"Increase {knob} to {wanted}", knob=knob, value=wanted),)


def _slower(evidence: Evidence, *, factor: float) -> tuple[Action, ...]:
    now = _value(evidence, PACE)
    if now is None:
        return (Action("Lower the learning rate"),)
    # From beyond what a search would set, back to the method's own at once: each step on the way is a training.
    wanted = 1.0 if now > PACES[1] else round(now * factor, 6)
    return (Action(f"Lower {PACE} to {wanted:g}", knob=PACE, value=wanted),)


def _forget(evidence: Evidence) -> tuple[Action, ...]:
    spec = _spec(evidence)
    if spec is not None and spec.guarantee:
        return (Action("Look at the guarantee: it bounds what an attack can show, whatever this figure says"),)
    asked = Action("Or ask for a guarantee: method mst with --epsilon 1")
    if spec is not None and spec.scalar:
        return (Action(f"Raise the {spec.scalar} knob", knob=spec.scalar, step=PRIVACY_STEP), asked)
    length = evidence.length
    if length is not None:
        knob = LENGTH if LENGTH in evidence.hyperparameters else "epochs"
        # Half of far too long is still too long: such a training goes to the tables' shortest at once.
        shortest = length_range(evidence.method, evidence.rows)[0]
        wanted = min(shortest, length // (PROVEN_CUT if _attacked(evidence) else CUT))
        if wanted < SHORTEST:
            return (Action("Switch to a method that remembers less (gc)", method="gc"), asked)
        told = f"Lower {knob} to {wanted}: more steps per row mean more memory"
        return (Action(told, knob=knob, value=wanted), asked)
    if evidence.method == "gc":
        return (asked,)
    return (Action("Switch to a method that remembers less (gc)", method="gc"), asked)


def _attacked(evidence: Evidence) -> bool:
    """Tell whether the membership attack succeeded, with evidence."""
    rulings = () if evidence.verdict is None else evidence.verdict.rulings
    return any(one.metric == "mia_auc" and one.ruling is Ruling.RED for one in rulings)


def _more_faithful(evidence: Evidence) -> tuple[Action, ...]:
    spec = _spec(evidence)
    if spec is None or not spec.scalar:
        return ()
    return (Action(f"Lower the {spec.scalar} knob", knob=spec.scalar, step=-PRIVACY_STEP),)


def _more_to_select_from(evidence: Evidence) -> tuple[Action, ...]:
    spec = _spec(evidence)
    if spec is not None and spec.guarantee:
        return ()
    now = float(evidence.hyperparameters.get(OVERSAMPLE, 1) or 1)
    if now >= MOST_ROWS:
        return ()
    wanted = int(max(now * 2, MORE_ROWS))
    return (Action(f"Select among {wanted} times as many rows", knob=OVERSAMPLE, value=wanted),)


def _stronger(evidence: Evidence) -> tuple[Action, ...]:
    first = _more_to_select_from(evidence) if evidence.hyperparameters.get(OVERSAMPLE, 1) == 1 else ()
    return (*first, Action("Switch to sequential trees (cart)", method="cart"))


def _double(evidence: Evidence, knob: str) -> tuple[Action, ...]:
    now = _value(evidence, knob)
    if now is None:
        return ()
    return (Action(f"Increase {knob} to {int(now * 2)}", knob=knob, value=int(now * 2)),)


def _half(evidence: Evidence, knob: str, *, least: int) -> tuple[Action, ...]:
    now = _value(evidence, knob)
    if now is None or now // 2 < least:
        return ()
    return (Action(f"Lower {knob} to {int(now // 2)}", knob=knob, value=int(now // 2)),)


def _broken_training(evidence: Evidence) -> tuple[Action, ...]:
    return (*_slower(evidence, factor=0.3), *_longer(evidence)) if evidence.length is not None else ()


def _lighter(evidence: Evidence) -> tuple[Action, ...]:
    own = (
        *_half(evidence, "batch_size", least=16),
        *_half(evidence, "width", least=16),
        *_half(evidence, "predictors", least=4),
    )
    user = Action("Or give fewer columns, or labels that are fewer (group rare ones)")
    return (*own, user) if own or evidence.method == "gc" else (Action("Switch to method gc", method="gc"), user)


def _quicker(evidence: Evidence) -> tuple[Action, ...]:
    own = (*_half(evidence, LENGTH, least=SHORTEST), *_half(evidence, "predictors", least=4))
    user = Action("Or give more time (--time-budget)")
    return (*own, user) if own or evidence.method == "gc" else (Action("Switch to method gc", method="gc"), user)


def _told(*sentences: str) -> Remedy:
    actions = tuple(Action(one) for one in sentences)
    return lambda _evidence: actions


def _other_method(evidence: Evidence) -> tuple[Action, ...]:
    method = "cart" if evidence.method == "gc" else "gc"
    return (Action(f"Switch to method {method}", method=method),)


REMEDIES: Mapping[Cause, Remedy] = {
    Cause.NONE: _told(),
    Cause.TOO_FEW_STEPS: _longer,
    Cause.RATE_TOO_HIGH: lambda evidence: _slower(evidence, factor=0.1),
    Cause.LOSS_NO_NUMBER: lambda evidence: _slower(evidence, factor=0.1),
    Cause.MEMORISATION: _forget,
    Cause.CATEGORY_COLLAPSE: _broken_training,
    Cause.SATURATION: _broken_training,
    Cause.CONSTANT_COLUMN: _told("Leave the column out, or give a table in which it varies"),
    Cause.HEADER_MISSING: _told("Name the columns: give a file with a header, or a schema (gesalp schema TABLE)"),
    Cause.WRONG_DTYPE: _told("State type, decimals and categories in a schema (gesalp schema TABLE > schema.json)"),
    Cause.TOO_PRIVATE: _more_faithful,
    Cause.WEAK_METHOD: _stronger,
    Cause.NOISE_TOO_LARGE: _told(
        "Declare bounds and categories that are public: finding them takes a fifth of the budget",
        "Ask for fewer columns: the noise is shared among them",
        "Ask the budget's owner whether a larger epsilon may be spent; it is never raised by itself",
    ),
    Cause.MEMORY: _lighter,
    Cause.TIME: _quicker,
    Cause.BUDGET: _told("Ask for a smaller epsilon, or ask the owner of the budget (gesalp ledger show)"),
    Cause.FIT_FAILED: _other_method,
    Cause.TOO_FEW_ROWS: _told("Give more rows: so few cannot decide"),
    Cause.UNKNOWN: _told(),
}

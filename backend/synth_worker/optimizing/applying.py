"""Carry out a suggestion: the plan that follows from it, with every setting inside its range."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from synth_worker.diagnosis import Action
from synth_worker.generators.base import GeneratorSpec, Knob, Value
from synth_worker.run import Plan

Tried = Collection[tuple[str, tuple[tuple[str, Value], ...]]]


def fingerprint(plan: Plan) -> tuple[str, tuple[tuple[str, Value], ...]]:
    """Return what makes a plan the same as another: method and hyper-parameters."""
    return plan.method, tuple(sorted(plan.hyperparameters.items()))


def applied(action: Action, plan: Plan, spec: GeneratorSpec) -> Plan | None:
    """Return the plan after an action on one setting, None where the action says nothing of it or changes nothing.

    ``spec`` is the method's of the plan. A value beyond the knob's range becomes the range's end.

    >>> from synth_worker.generators.registry import GENERATORS
    >>> longer = applied(Action("", knob="n_iter", step=100), Plan("ddpm", {"n_iter": 200}, 0), GENERATORS["ddpm"])
    >>> longer.hyperparameters["n_iter"]
    300
    """
    if not action.knob or action.method:
        return None
    knob = next((one for one in spec.knobs if one.name == action.knob), None)
    now = plan.hyperparameters.get(action.knob, None if knob is None else knob.default)
    if now is None:
        return None
    value = action.value if action.step is None else float(now) + action.step
    if value is None:
        return None
    value = _inside(value, knob, like=now)
    if value == now:
        return None
    return Plan(plan.method, {**plan.hyperparameters, action.knob: value}, plan.seed, action.sentence)


def first_new(actions: Sequence[Action], plan: Plan, spec: GeneratorSpec, *, tried: Tried) -> Plan | None:
    """Return the plan of the first action that was not tried before, all actions on the way together where each was.

    Where one action alone leads to a plan that was tried, the next action is added to it.
    """
    now = plan
    for action in actions:
        changed = applied(action, now, spec)
        if changed is None:
            continue
        if fingerprint(changed) not in tried:
            return changed
        now = changed
    return None


def _inside(value: Value, knob: Knob | None, *, like: Value) -> Value:
    if isinstance(value, bool | str) or isinstance(like, bool | str):
        return value
    number = float(f"{float(value):.6g}")
    if knob is not None and knob.low is not None:
        number = max(number, float(knob.low))
    if knob is not None and knob.high is not None:
        number = min(number, float(knob.high))
    return round(number) if isinstance(like, int) else number

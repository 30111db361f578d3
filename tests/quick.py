"""Say with which settings a method is fast: a training of a second keeps the same promises as a long one."""

from __future__ import annotations

from synth_worker.generators.registry import GENERATORS

SMALL = {"n_iter": 40, "width": 64, "epsilon": 50.0, "rounds": 1.0, "steps": 8}
"""So large an epsilon that noise hides none of the promises that are not about noise."""


def quick(method: str, **more: float) -> dict[str, str | int | float | bool]:
    """Return the hyper-parameters of a short training; ``more`` takes the place of what is short here."""
    return {knob.name: {**SMALL, **more}[knob.name] for knob in GENERATORS[method].knobs if knob.name in SMALL}

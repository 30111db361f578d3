"""Propose the next setting of one method by a model of what its attempts reached: ask and tell, gates as constraints.

The study is made anew from the attempts each time, so that a proposal is a function of them and a resumed run goes on
as it would have. Warm starts and what the tables suggest come first. Where no network is trained (and PyTorch, which
the model needs, would be loaded for it alone) the space is filled evenly instead.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Mapping, Sequence

from synth_worker.errors import BadInput
from synth_worker.gates import Ruling, excess
from synth_worker.generators.base import GeneratorSpec, Value
from synth_worker.generators.neural import has_torch
from synth_worker.generators.registry import GENERATORS
from synth_worker.run import Attempt, Plan
from synth_worker.search.pareto import PREFERENCES, point_of, read_weights
from synth_worker.search.portfolio import Ask, plan_of, won_plan
from synth_worker.search.space import Axis, axes_of, is_new, spread

STARTUP = 3
"""The model begins after so many attempts of the method; before, the space is filled evenly."""

TRIES = 24
"""So many proposals that were tried already, one after another, and the search of a method has ended."""

WORST = 2.0
"""The loss of a fit that failed or of an attempt that could not be measured: worse than any that was."""

PRIVACY_WEIGHT: Mapping[str, float] = dict(zip(PREFERENCES, (0.9, 0.5, 0.1), strict=True))
FIT = "fit"
"""The constraint that a fit ends with a table; the others are named by their gates."""


def check_search() -> None:
    """Refuse a Bayesian search where its library is absent. Raises BadInput."""
    if importlib.util.find_spec("optuna") is None:
        raise BadInput(
            "search 'bayesian' needs the package optuna, which is not installed",
            hint="pip install 'gesalp[search]', or leave --search out",
        )


def next_plan(attempts: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Return the next setting of the method that is asked for, None where none is left or all attempts are made.

    ``attempts`` of other methods are not looked at: there is one study for each method. Never the same settings and
    seed twice.
    """
    spec = GENERATORS[ask.method]
    if len(attempts) >= ask.attempts:
        return None
    own = [one for one in attempts if one.plan.method == spec.name]
    for plan in enqueued(spec, ask):
        if is_new(plan, own):
            return plan
    axes = axes_of(spec, ask.size)
    if not axes:
        return None
    modelled = spec.trained and has_torch() and len(own) >= STARTUP
    for number in range(TRIES):
        place = len(own) + number
        if modelled and number < TRIES // 2:
            changes, why = _proposed(axes, own, ask, number=place), "where the model of the attempts expects most"
        else:
            changes, why = spread(axes, place), "where nothing like it was tried"
        plan = plan_of(spec, changes, ask, why=why)
        if is_new(plan, own):
            return plan
    return None


def enqueued(spec: GeneratorSpec, ask: Ask) -> list[Plan]:
    """Return what is tried first: winners on similar tables, then what the tables suggest."""
    warm = [won_plan(spec, settings, ask) for method, settings in ask.warm if method == spec.name]
    return [*warm, plan_of(spec, {}, ask, why="what the tables suggest for this size")]


def loss_of(attempt: Attempt, *, prefer: str) -> float:
    """Return what is minimised: the weighed losses of the front (``pareto``), ``WORST`` where they are lacking."""
    point = point_of(attempt)
    if point is None:
        return WORST
    weights = read_weights(prefer)
    privacy = PRIVACY_WEIGHT[prefer] if weights is None else float(weights.privacy)
    utility = [one for one in (point.detection, point.trend, point.usefulness) if one is not None]
    return privacy * point.privacy + (1 - privacy) * math.fsum(utility) / len(utility)


def constraints_of(attempt: Attempt, names: Sequence[str]) -> dict[str, float]:
    """Return by how much each gate is missed; nothing above 0 is feasible, and what was not measured is above.

    A gate that the table has nothing for (no categorical column, say) holds.
    """
    rulings = {} if attempt.verdict is None else {one.metric: one for one in attempt.verdict.rulings}
    found = {FIT: -1.0 if attempt.measurement is not None else 1.0}
    for name in names:
        judged = rulings.get(name)
        if judged is not None and judged.ruling is Ruling.NOT_APPLICABLE:
            found[name] = -1.0
        elif judged is None or judged.value is None or judged.limit is None or not math.isfinite(judged.value):
            found[name] = 1.0
        else:
            over = excess(judged)
            found[name] = over if judged.over else min(judged.value - judged.limit, 0.0)
    return found


def _proposed(axes: Sequence[Axis], own: Sequence[Attempt], ask: Ask, *, number: int) -> dict[str, Value]:
    """Make the study of these attempts anew and ask it once."""
    import optuna  # noqa: PLC0415 - half a second, and only this search needs it

    space: dict[str, optuna.distributions.BaseDistribution] = {
        axis.name: optuna.distributions.IntDistribution(round(axis.low), round(axis.high), log=axis.by_ratio)
        if axis.whole
        else optuna.distributions.FloatDistribution(axis.low, axis.high, log=axis.by_ratio)
        for axis in axes
    }
    names = sorted({one.metric for attempt in own if attempt.verdict for one in attempt.verdict.rulings})
    said = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the sampler is new, once for each study
            sampler = optuna.samplers.GPSampler(
                seed=ask.seed * 1_000 + number, n_startup_trials=STARTUP, deterministic_objective=False
            )
            study = optuna.create_study(sampler=sampler)
            for attempt in own:
                params = {axis.name: attempt.plan.hyperparameters.get(axis.name) for axis in axes}
                if not all(_inside(params[axis.name], axis) for axis in axes):
                    continue
                study.add_trial(
                    optuna.create_trial(
                        value=loss_of(attempt, prefer=ask.prefer),
                        params=params,
                        distributions=space,
                        constraints=constraints_of(attempt, names),
                    )
                )
            asked = study.ask(space).params
    finally:
        optuna.logging.set_verbosity(said)
    return {axis.name: _rounded(asked[axis.name], axis) for axis in axes}


def _inside(value: Value | None, axis: Axis) -> bool:
    return isinstance(value, int | float) and axis.low <= value <= axis.high


def _rounded(value: float, axis: Axis) -> Value:
    return round(value) if axis.whole else round(min(max(float(value), axis.low), axis.high), 3)

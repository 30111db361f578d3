"""Choose the next plan: methods cheapest first, trained ones where these fall short, then one knob is bisected.

The choice is a function of the attempts so far and of nothing else, so that a resumed run goes on as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synth_worker.diagnosis import Action, Cause
from synth_worker.gates import CROSSFIT_BELOW, FAILED, GOOD_C2ST, Light, Verdict
from synth_worker.generators.base import LENGTH, GeneratorSpec, Value
from synth_worker.generators.neural import has_torch
from synth_worker.generators.registry import GENERATORS
from synth_worker.optimizing.applying import fingerprint, first_new
from synth_worker.optimizing.tables import row_of, suggested
from synth_worker.run import Attempt, Plan
from synth_worker.search.turning import against, setting, turned, turns_first
from synth_worker.select import OVERSAMPLE

FIRST = "first"
"""The hyper-parameter that says which column is drawn first."""

OVERSAMPLE_TIMES = 4
"""Every plan selects among so many times the rows: it costs seconds and moves every method nearer to real rows."""

FEWEST_TO_TRAIN = CROSSFIT_BELOW
"""Rows below which ``auto`` tries no network: each of five folds would train one too, and trees do as well there."""

SHORTEST = 10
"""Iterations below which a training is no longer halved."""

COST_ROWS = 20_000
"""``GeneratorSpec.cost`` is for so many rows and the default length of a training."""

ROOM = 0.7
"""Share of the time budget that trainings may be expected to take; the certificate takes the rest."""

OF_TRAINING = frozenset(
    {
        Cause.TOO_FEW_STEPS,
        Cause.RATE_TOO_HIGH,
        Cause.LOSS_NO_NUMBER,
        Cause.SATURATION,
        Cause.CATEGORY_COLLAPSE,
        Cause.MEMORY,
        Cause.TIME,
    }
)
"""Causes that have to do with the training itself: they are mended before the privacy knob is turned."""

OVER_STEP = 0.5
LEAST_LIMIT = 0.1


WON = "won on a similar table"
"""Why a warm start is tried."""

Warm = tuple[str, Sequence[tuple[str, Value]]]
"""A method and settings that won on a similar table."""


@dataclass(frozen=True)
class Ask:
    """Hold what the policy needs to know: what the user wants and how large the table is.

    ``first`` is the column that has to be drawn first where a method has an order, so that it can be given exactly.
    ``seconds`` is the time budget of the whole run, None for no limit. ``search`` names who chooses (``choosing``),
    ``warm`` what is tried first. ``rows`` are those of the table, and ``learnt`` how many of them a method learns from
    where it is not all of them.
    """

    method: str
    seed: int
    attempts: int
    rows: int
    prefer: str = "balanced"
    first: str = ""
    seconds: float | None = None
    search: str = "auto"
    warm: Sequence[Warm] = ()
    learnt: int | None = None

    @property
    def size(self) -> int:
        """Return how many rows are learnt from: it is for them that the tables suggest parameters."""
        return self.rows if self.learnt is None else self.learnt


def good(attempt: Attempt) -> bool:
    """Tell whether an attempt is worth stopping at: green, and surely hard to tell from real."""
    score = attempt.scores.get("c2st_auc")
    if score is None or score.value is None:
        return False
    # A thousand validation rows tell little: the estimate alone would stop at a copula that trees would have beaten.
    return attempt.verdict == "green" and (score.value if score.upper is None else score.upper) <= GOOD_C2ST


def rank(attempt: Attempt, *, prefer: str = "balanced") -> tuple[float, ...]:
    """Return a key that sorts attempts best first: feasible, green, then what the user prefers.

    ``utility`` looks at detection, trend, usefulness; ``privacy`` at the worst attack's upper bound first;
    ``balanced`` at detection in steps of .02, then at the attack.
    """
    if attempt.verdict is None:
        return (9.0,)
    status = _status(attempt.verdict)
    # In coarse steps: with few validation rows the excess over a limit is mostly chance.
    overs = round(sum(_over(one.value, one.limit) for one in attempt.verdict.rulings) / OVER_STEP)
    detection = detection_of(attempt)
    attack = attack_of(attempt)
    trend = _figure(attempt, "trend", _figure(attempt, "corr_delta", 1.0))
    usefulness = -_figure(attempt, "tstr", 0.0)
    infeasible = overs if status >= 2.0 else 0.0
    if prefer == "privacy":
        return (status, infeasible, attack, detection, trend, usefulness)
    if prefer == "utility":
        return (status, infeasible, detection, trend, usefulness, attack)
    return (status, infeasible, round(detection / 0.02), attack, trend, usefulness)


def _status(verdict: Verdict) -> float:
    """Return 0 for green, 1 where only rows are lacking, 2 for over a limit without evidence, 3 for a failed gate."""
    kinds = {one.ruling for one in verdict.rulings}
    if kinds & FAILED:
        return 3.0
    if any(one.over for one in verdict.rulings):
        return 2.0
    return 0.0 if verdict.light is Light.GREEN else 1.0


def best_of(attempts: Sequence[Attempt], *, prefer: str = "balanced") -> Attempt | None:
    """Return the attempt to keep, None where every fit failed."""
    ended = [one for one in attempts if one.measurement is not None]
    return min(ended, key=lambda one: (rank(one, prefer=prefer), one.number)) if ended else None


def next_plan(attempts: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Return what to try next, or None where the search ends."""
    if len(attempts) >= ask.attempts:
        return None
    names = [ask.method] if ask.method != "auto" else _cheap()
    for name in names:
        if not any(one.plan.method == name for one in attempts):
            if attempts and _may_stop(attempts, ask):
                return None
            why = "next method" if attempts else "the first and cheapest method"
            return plan_of(GENERATORS[name], {}, ask, why=why)
    # Amount to a portfolio: a cheap method gets one chance, the last one is tuned with what is left. A leak is what its
    # knob is for; where it is not faithful enough a trained method gets a chance before the knob is turned.
    spec = GENERATORS[names[-1]]
    own = [one for one in attempts if one.plan.method == spec.name]
    if ask.method != "auto":
        return _tune(spec, own, ask, left=ask.attempts - len(attempts))
    if not turns_first(spec, own, rows=ask.rows) and (trained := next_network(attempts, ask)) is not None:
        return trained
    if own[-1].measurement is not None and _may_stop(attempts, ask):
        return None
    return _tune(spec, own, ask, left=ask.attempts - len(attempts)) or next_network(attempts, ask)


def plan_of(spec: GeneratorSpec, changes: Mapping[str, Value], ask: Ask, *, why: str) -> Plan:
    """Return a plan: what the tables suggest for the size, with some settings changed."""
    ordered = {knob.name: ask.first for knob in spec.knobs if knob.name == FIRST and ask.first}
    own = suggested(spec.name, ask.size)
    return Plan(spec.name, {**own, **ordered, OVERSAMPLE: OVERSAMPLE_TIMES, **changes}, ask.seed, why)


def won_plan(spec: GeneratorSpec, settings: Sequence[tuple[str, Value]], ask: Ask) -> Plan:
    """Return the plan of what won on a similar table, as far as the method has such settings."""
    known = {knob.name for knob in spec.knobs}
    return plan_of(spec, {name: value for name, value in settings if name in known}, ask, why=WON)


def expected_seconds(spec: GeneratorSpec, rows: int, *, length: float | None = None) -> float:
    """Return about how long a training takes, as long as is suggested for so many rows where no ``length`` is given.

    Its steps grow with its length, and with the square root of the rows (``generators.steps``).

    >>> [round(expected_seconds(GENERATORS["arn"], rows)) for rows in (5_000, 20_000)]
    [30, 60]
    """
    usual = float(spec.defaults()[LENGTH])
    length = float(row_of(spec.name, rows).settings.get(LENGTH, usual)) if length is None else length
    return spec.cost * length / usual * math.sqrt(rows / COST_ROWS)


def _cheap() -> list[str]:
    """Return the methods that are not trained step by step, cheapest first.

    A method with a guarantee is none of them: to choose it by its scores on data would void the guarantee.
    """
    ordered = sorted(GENERATORS.values(), key=lambda spec: spec.cost)
    return [spec.name for spec in ordered if not spec.trained and not spec.guarantee]


def next_network(attempts: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Return a plan for the cheapest untried network, None where none is worth its time or fits into it."""
    if _may_stop(attempts, ask):
        return None
    tried = {one.plan.method for one in attempts}
    for spec in affordable(ask):
        if spec.name not in tried:
            return plan_of(spec, {}, ask, why="the cheaper methods do not suffice: a network")
    return None


def affordable(ask: Ask) -> list[GeneratorSpec]:
    """Return the networks that ``auto`` would train, cheapest first, as many as fit into the time one after another.

    None without PyTorch, and none on a small table.
    """
    found: list[GeneratorSpec] = []
    if not has_torch() or ask.rows < FEWEST_TO_TRAIN:
        return found
    room = room_of(ask)
    for spec in sorted(GENERATORS.values(), key=lambda spec: spec.cost):
        if spec.escalates:
            room -= expected_seconds(spec, ask.size)
            if room < 0:
                break
            found.append(spec)
    return found


def room_of(ask: Ask) -> float:
    """Return the seconds that trainings may be expected to take, infinity without a budget."""
    return math.inf if ask.seconds is None else ROOM * ask.seconds


def _may_stop(attempts: Sequence[Attempt], ask: Ask) -> bool:
    """Tell whether the search ends before the next method: green and hard to tell from real.

    On a small table every method gets its chance: they take a second, and so few validation rows prove nothing.
    """
    best = best_of(attempts, prefer=ask.prefer)
    return best is not None and good(best) and ask.rows >= CROSSFIT_BELOW


def _tune(spec: GeneratorSpec, own: Sequence[Attempt], ask: Ask, *, left: int) -> Plan | None:
    if own[-1].measurement is None:
        return _mended(spec, own, ask)
    small = ask.rows < CROSSFIT_BELOW
    if _may_stop(own, ask) or (small and not any(_failed(one) for one in own[-1:])):
        return None
    if _mendable(own[-1])[0] in OF_TRAINING and (mended := _mended(spec, own, ask)) is not None:
        return mended
    knob = spec.tradeoff
    if knob is not None:
        found = turned(knob, own, rows=ask.rows, left=left)
        if found is None:
            return None
        changes, why = {knob.name: found[0]}, found[1]
        if own[-1].plan.why == WON:  # what another table had is no mend of this one's failures
            return plan_of(spec, changes, ask, why=why)
        return _changed(own[-1], changes, ask, why=why)
    mended = _mended(spec, own, ask)
    if mended is None and spec.trained and against(own, None, rows=ask.rows).leaks(own[-1]):
        return _shortened(spec, own, ask)
    return mended


def _mended(spec: GeneratorSpec, own: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Do what the diagnosis of the last attempt suggests, as far as the method's own settings go.

    What was tried is not tried again, and more of it is: where one step leads to an old plan, the next one is added.
    """
    tried = {fingerprint(one.plan) for one in own}
    cause, actions = _mendable(own[-1])
    changed = first_new(actions, own[-1].plan, spec, tried=tried)
    if changed is None:
        return None
    why = f"{str(cause).replace('_', ' ')}: {_lowered(changed.why)}"
    return Plan(spec.name, changed.hyperparameters, ask.seed, why)


def _mendable(attempt: Attempt) -> tuple[Cause, Sequence[Action]]:
    """Return the first failure's cause and what to do, but for names that look like values: no setting mends those."""
    told = attempt.diagnosis
    found = next((one for one in told.findings if one.cause is not Cause.HEADER_MISSING), None)
    return (told.cause, told.actions) if found is None else (found.cause, found.actions)


def _changed(attempt: Attempt, changes: Mapping[str, Value], ask: Ask, *, why: str) -> Plan:
    """Return the plan of an attempt with some settings changed: what was mended in it stays mended."""
    return Plan(attempt.plan.method, {**attempt.plan.hyperparameters, **changes}, ask.seed, why)


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _shortened(spec: GeneratorSpec, own: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Train half as long after a leak, or half of that where it was tried: more steps per row mean more memory."""
    knob = next(one for one in spec.knobs if one.name == LENGTH)
    tried = {fingerprint(one.plan) for one in own}
    length = int(setting(own[-1], knob)) // 2
    while length >= SHORTEST:
        plan = _changed(own[-1], {LENGTH: length}, ask, why="an attack succeeded: a shorter training")
        if fingerprint(plan) not in tried:
            return plan
        length //= 2
    return None


def _failed(attempt: Attempt) -> bool:
    """Tell whether a gate was failed with evidence, or nothing was measured."""
    return attempt.verdict is None or any(one.ruling in FAILED for one in attempt.verdict.rulings)


def detection_of(attempt: Attempt) -> float:
    """Return how well trees tell an attempt's rows from real ones on validation rows, at least .5; 1 where unknown."""
    return max(0.5, _figure(attempt, "c2st_auc", 1.0))


def _figure(attempt: Attempt, name: str, otherwise: float) -> float:
    score = attempt.scores.get(name)
    return otherwise if score is None or score.value is None or math.isnan(score.value) else score.value


def attack_of(attempt: Attempt) -> float:
    """Return the upper bound of the worst attack on validation rows; 1 where unknown."""
    score = attempt.scores.get("mia_auc")
    return 1.0 if score is None or score.upper is None else score.upper


def _over(value: float | None, limit: float | None) -> float:
    if value is None or limit is None:
        return 1.0
    return max(0.0, (value - limit) / max(limit, LEAST_LIMIT))

"""Choose the next plan: methods cheapest first, trained ones where these fall short, then one knob is bisected.

The choice is a function of the attempts so far and of nothing else, so that a resumed run goes on as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from synth_worker.diagnosis import Cause
from synth_worker.gates import CROSSFIT_BELOW, FAILED, GOOD_C2ST, Light, Ruling, Verdict, excess
from synth_worker.generators.base import LENGTH, GeneratorSpec, Knob, Value
from synth_worker.generators.neural import has_torch
from synth_worker.generators.registry import GENERATORS
from synth_worker.optimizing.applying import fingerprint, first_new
from synth_worker.optimizing.tables import row_of, suggested
from synth_worker.run import Attempt, Plan
from synth_worker.select import OVERSAMPLE

FIRST = "first"
"""The hyper-parameter that says which column is drawn first."""

OVERSAMPLE_TIMES = 4
"""Every plan selects among so many times the rows: it costs seconds and moves every method nearer to real rows."""

CLOSE = 0.04
"""Knob settings nearer than this to one already tried are the same setting."""

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

OF_COPIES = frozenset({"copy_excess", "dup_rate"})
"""Gates that see equal rows: on a table of few different rows a network repeats them as trees do."""

FAR = 0.75
"""Share of the rest of the knob that copies turn it by: half of it seldom leaves so few that so few rows prove it."""

WIDE = 0.1
"""A knob that is known to leak here and not to leak there has a gap worth halving down to this."""

OVER_STEP = 0.5
FAR_OVER = 1.0
"""A privacy figure at more than twice its limit needs more than half a turn of the knob."""
LEAST_LIMIT = 0.1


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
    attack = _upper(attempt, "mia_auc")
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
    own = [one for one in attempts if one.plan.method == names[-1]]
    if ask.method == "auto" and not _turns_first(GENERATORS[names[-1]], own, ask):
        trained = _next_trained(attempts, ask)
        if trained is not None:
            return trained
    if own[-1].measurement is None:
        return _mended(GENERATORS[names[-1]], own, ask)
    if ask.method == "auto" and _may_stop(attempts, ask):
        return None
    return _tune(GENERATORS[names[-1]], own, ask, left=ask.attempts - len(attempts))


def plan_of(spec: GeneratorSpec, changes: Mapping[str, Value], ask: Ask, *, why: str) -> Plan:
    """Return a plan: what the tables suggest for the size, with some settings changed."""
    ordered = {knob.name: ask.first for knob in spec.knobs if knob.name == FIRST and ask.first}
    own = suggested(spec.name, ask.size)
    return Plan(spec.name, {**own, **ordered, OVERSAMPLE: OVERSAMPLE_TIMES, **changes}, ask.seed, why)


def expected_seconds(spec: GeneratorSpec, rows: int) -> float:
    """Return about how long a training takes, by what is suggested for so many rows.

    Its steps grow with its length, and with the square root of the rows (``generators.steps``).

    >>> [round(expected_seconds(GENERATORS["arn"], rows)) for rows in (5_000, 20_000)]
    [30, 60]
    """
    usual = float(spec.defaults()[LENGTH])
    longer = float(row_of(spec.name, rows).settings.get(LENGTH, usual)) / usual
    return spec.cost * longer * math.sqrt(rows / COST_ROWS)


def _cheap() -> list[str]:
    """Return the methods that are not trained step by step, cheapest first.

    A method with a guarantee is none of them: to choose it by its scores on data would void the guarantee.
    """
    ordered = sorted(GENERATORS.values(), key=lambda spec: spec.cost)
    return [spec.name for spec in ordered if not spec.trained and not spec.guarantee]


def _next_trained(attempts: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Return a plan for the cheapest untried trained method, where one is worth its time and fits into it."""
    if not has_torch() or ask.rows < FEWEST_TO_TRAIN or _may_stop(attempts, ask):
        return None
    tried = {one.plan.method for one in attempts}
    room = math.inf if ask.seconds is None else ROOM * ask.seconds
    for spec in sorted(GENERATORS.values(), key=lambda spec: spec.cost):
        if not spec.escalates:
            continue
        room -= expected_seconds(spec, ask.size)
        if room < 0:
            return None
        if spec.name not in tried:
            return plan_of(spec, {}, ask, why="the cheaper methods are not faithful enough: a network")
    return None


def _may_stop(attempts: Sequence[Attempt], ask: Ask) -> bool:
    """Tell whether the search ends before the next method: green and hard to tell from real.

    On a small table every method gets its chance: they take a second, and so few validation rows prove nothing.
    """
    best = best_of(attempts, prefer=ask.prefer)
    return best is not None and good(best) and ask.rows >= CROSSFIT_BELOW


def _turns_first(spec: GeneratorSpec, own: Sequence[Attempt], ask: Ask) -> bool:
    """Tell whether a method's knob is turned before a network is trained.

    It is after a leak; and where copies leaked at one setting and not at another, until the two are near: a network
    would leave the same copies, and take a hundred times as long.
    """
    if own[-1].measurement is None:
        return False
    if _leaks(own[-1], ask):
        return True
    knob = next((one for one in spec.knobs if one.name == spec.scalar), None)
    copied = [] if knob is None else [_setting(one, knob) for one in own if _leaks(one, ask, OF_COPIES)]
    return knob is not None and bool(copied) and _gap(knob, own, ask) > WIDE


def _gap(knob: Knob, own: Sequence[Attempt], ask: Ask) -> float:
    """Return how far the most private setting that leaks lies from the next one that does not, infinity without."""
    leaky = max((_setting(one, knob) for one in own if _leaks(one, ask)), default=-math.inf)
    dull = [_setting(one, knob) for one in own if not _leaks(one, ask)]
    return min((one - leaky for one in dull if one >= leaky), default=math.inf)


def _tune(spec: GeneratorSpec, own: Sequence[Attempt], ask: Ask, *, left: int) -> Plan | None:
    small = ask.rows < CROSSFIT_BELOW
    if _may_stop(own, ask) or (small and not any(_failed(one) for one in own[-1:])):
        return None
    if own[-1].diagnosis.cause in OF_TRAINING and (mended := _mended(spec, own, ask)) is not None:
        return mended
    knob = next((one for one in spec.knobs if one.name == spec.scalar), None)
    if knob is not None:
        return _bisect(spec, knob, own, ask, left=left)
    mended = _mended(spec, own, ask)
    if mended is None and spec.trained and _leaks(own[-1], ask):
        return _shortened(spec, own, ask)
    return mended


def _mended(spec: GeneratorSpec, own: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Do what the diagnosis of the last attempt suggests, as far as the method's own settings go.

    What was tried is not tried again, and more of it is: where one step leads to an old plan, the next one is added.
    """
    tried = {fingerprint(one.plan) for one in own}
    last = own[-1]
    changed = first_new(last.diagnosis.actions, last.plan, spec, tried=tried)
    if changed is None:
        return None
    why = f"{str(last.diagnosis.cause).replace('_', ' ')}: {_lowered(changed.why)}"
    return Plan(spec.name, changed.hyperparameters, ask.seed, why)


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _shortened(spec: GeneratorSpec, own: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Train half as long after a leak: more steps per row mean more memory."""
    knob = next(one for one in spec.knobs if one.name == LENGTH)
    length = int(_setting(own[-1], knob)) // 2
    if length < SHORTEST:
        return None
    return plan_of(spec, {LENGTH: length}, ask, why="an attack succeeded: half as long a training")


def _bisect(spec: GeneratorSpec, knob: Knob, own: Sequence[Attempt], ask: Ask, *, left: int) -> Plan | None:
    """Move the scalar knob to the middle of what is known to leak and what is known to be dull."""
    low, high = float(knob.low or 0.0), float(1.0 if knob.high is None else knob.high)
    tried = sorted(_setting(one, knob) for one in own)
    leaky = [_setting(one, knob) for one in own if _leaks(one, ask)]
    dull = [_setting(one, knob) for one in own if not _leaks(one, ask)]
    bottom = max(leaky, default=low)
    top = min((one for one in dull if one >= bottom), default=high)
    if not dull and left == 1 and _excess(own[-1]) > FAR_OVER:
        aim, why = high, "an attack succeeded by far and this is the last attempt: as private as it gets"
    elif not dull:
        copied = any(_leaks(one, ask, OF_COPIES) for one in own)
        why = "copies are not ruled out" if copied else "an attack succeeded"
        aim, why = _toward(bottom, high, tried, share=FAR if copied else 0.5), f"{why}: more private"
    elif not leaky:
        aim, why = _toward(min(dull), low, tried), "private enough: more faithful"
    else:
        aim, why = (bottom + top) / 2, "between a setting that leaks and one that does not"
    if aim is None or any(abs(aim - one) < CLOSE for one in tried):
        return None
    return plan_of(spec, {knob.name: round(aim, 4)}, ask, why=why)


def _toward(start: float, end: float, tried: Sequence[float], *, share: float = 0.5) -> float | None:
    """Return a setting that far between one and the end of the range, or the end where it was tried."""
    for aim in (start + share * (end - start), end):
        if all(abs(aim - one) >= CLOSE for one in tried):
            return aim
    return None


def _leaks(attempt: Attempt, ask: Ask, gates: Collection[str] | None = None) -> bool:
    """Tell whether privacy (or those gates of it) speaks against an attempt; below 2,000 rows only with evidence.

    The rest is chance there. Above, a bound beyond its limit counts too: a more faithful setting cannot bring it back.
    """
    rulings = () if attempt.verdict is None else attempt.verdict.rulings
    against = FAILED if ask.rows < CROSSFIT_BELOW else FAILED | {Ruling.AMBER_PASS, Ruling.AMBER_OVER}
    own = [one for one in rulings if one.group == "privacy" and (gates is None or one.metric in gates)]
    return any(one.ruling in against for one in own)


def _failed(attempt: Attempt) -> bool:
    """Tell whether a gate was failed with evidence, or nothing was measured."""
    return attempt.verdict is None or any(one.ruling in FAILED for one in attempt.verdict.rulings)


def _excess(attempt: Attempt) -> float:
    """Return the largest share by which a privacy figure is over its limit."""
    rulings = () if attempt.verdict is None else attempt.verdict.rulings
    return max((excess(one) for one in rulings if one.group == "privacy" and one.value is not None), default=0.0)


def _setting(attempt: Attempt, knob: Knob) -> float:
    return float(attempt.plan.hyperparameters.get(knob.name, knob.default))


def detection_of(attempt: Attempt) -> float:
    """Return how well trees tell an attempt's rows from real ones on validation rows, at least .5; 1 where unknown."""
    return max(0.5, _figure(attempt, "c2st_auc", 1.0))


def _figure(attempt: Attempt, name: str, otherwise: float) -> float:
    score = attempt.scores.get(name)
    return otherwise if score is None or score.value is None or math.isnan(score.value) else score.value


def _upper(attempt: Attempt, name: str) -> float:
    score = attempt.scores.get(name)
    return 1.0 if score is None or score.upper is None else score.upper


def _over(value: float | None, limit: float | None) -> float:
    if value is None or limit is None:
        return 1.0
    return max(0.0, (value - limit) / max(limit, LEAST_LIMIT))

"""Decide how the attempts are told: what each tried, what it scored, why it failed, and which was kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

from synth_worker.gates import Judged, Light
from synth_worker.report import texts
from synth_worker.report.parts import Audience, Curve, FrontPoint, History, Said, Trial, quote
from synth_worker.report.scores import term
from synth_worker.run import FINISHED, Attempt, Run, Value
from synth_worker.search.choosing import ending
from synth_worker.search.pareto import COIN, front_of, point_of

FEWEST_POINTS = 2
KEY_SCORES = ("ks_mean", "corr_delta", "mia_auc", "c2st_auc", "tstr")


def tell(run: Run, *, audience: Audience) -> History:
    """Return the history of a run."""
    gates = tuple(dict.fromkeys(one.metric for trial in run.attempts if trial.verdict for one in trial.verdict.rulings))
    shown = tuple(name for name in KEY_SCORES if any(name in trial.scores for trial in run.attempts))
    return History(
        scores=tuple(term("metric", name) for name in shown),
        gates=tuple(term("metric", name) for name in gates),
        trials=tuple(_trial(run, attempt, shown, gates=gates, audience=audience) for attempt in run.attempts),
        outcome=_outcome(run, audience=audience),
        front=_front(run),
    )


def _front(run: Run) -> tuple[FrontPoint, ...]:
    """Return the attempts by privacy and utility, none where there are fewer than two to compare."""
    on = {one.number for one in front_of(run.attempts)}
    points = [point for one in run.attempts if (point := point_of(one)) is not None]
    if len(points) < FEWEST_POINTS:
        return ()
    return tuple(
        FrontPoint(
            one.number,
            detection=COIN + one.detection / 2,
            attack=COIN + one.privacy / 2,
            on=one.number in on,
            kept=one.number == run.best_number,
        )
        for one in points
    )


def worst_ratio(rulings: Sequence[Judged]) -> float | None:
    """Return the largest estimate as a multiple of its limit; gates whose limit is 0 are left out.

    >>> from synth_worker.gates import Ruling
    >>> worst_ratio([Judged("ks_mean", Ruling.GREEN, "", 0.05, limit=0.1), Judged("x", Ruling.RED, "", 0.2, limit=0.1)])
    2.0
    """
    ratios = [
        one.value / one.limit
        for one in rulings
        if one.value is not None and one.limit is not None and one.limit > 0 and math.isfinite(one.value)
    ]
    return max(ratios, default=None)


def nearest(attempts: Sequence[Attempt]) -> tuple[Attempt, float] | None:
    """Return the attempt whose worst figure is the smallest multiple of its limit, and that multiple."""
    found = [
        (attempt, worst)
        for attempt in attempts
        if attempt.verdict is not None and (worst := worst_ratio(attempt.verdict.rulings)) is not None
    ]
    return min(found, key=lambda one: one[1], default=None)


def _trial(run: Run, attempt: Attempt, shown: Sequence[str], *, gates: Sequence[str], audience: Audience) -> Trial:
    public = audience == "public"
    verdict = attempt.verdict
    rulings = {} if verdict is None else {one.metric: one.ruling for one in verdict.rulings}
    failure = None
    if attempt.failure:
        # A failure's words may quote a value of the table.
        plain = Said("attempts.failure", {"why": attempt.failure})
        failure = Said("attempts.failure.public") if public else plain
    return Trial(
        number=attempt.number,
        method=attempt.plan.method,
        why=quote(attempt.plan.why) if attempt.plan.why and not public else None,
        knobs=tuple((name, _knob(value)) for name, value in attempt.plan.hyperparameters.items()),
        seconds=attempt.seconds,
        figures=tuple(attempt.scores[name].value if name in attempt.scores else None for name in shown),
        light="failed" if verdict is None else str(verdict.light),
        rulings=tuple(rulings.get(name) for name in gates),
        worst=None if verdict is None else worst_ratio(verdict.rulings),
        cause=_cause(attempt, public=public),
        suggestions=() if public else tuple(quote(words) for words in attempt.diagnosis.suggestions),
        failure=failure,
        kept=attempt.number == run.best_number,
        curve=_curve(attempt),
        # A note may quote a value of the table, as a failure may.
        notes=() if public else tuple(quote(note) for note in attempt.notes),
    )


def _curve(attempt: Attempt) -> Curve | None:
    """Return the losses at two points or more, None where there are fewer."""
    whole = any(point.held is not None for point in attempt.curve)
    points = [one for one in attempt.curve if (one.held if whole else one.loss) is not None]
    if len(points) < FEWEST_POINTS:
        return None
    return Curve(
        steps=tuple(one.step for one in points),
        held=tuple(one.held for one in points),
        member=tuple(one.member if whole else one.loss for one in points),
    )


def _cause(attempt: Attempt, *, public: bool) -> Said | None:
    key = f"failure.{attempt.diagnosis.failure_type}"
    if public or not attempt.diagnosis.root_cause:
        return Said(key) if texts.known(key) else None
    return quote(attempt.diagnosis.root_cause)


def _knob(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _outcome(run: Run, *, audience: Audience) -> tuple[Said, ...]:
    """Return why one attempt was kept, why the search stopped, and how long all of it took."""
    found: list[Said] = []
    ended = [one for one in run.attempts if one.verdict is not None]
    kept = next((one for one in run.attempts if one.number == run.best_number), None)
    if kept is not None:
        green = kept.verdict is not None and kept.verdict.light is Light.GREEN
        key = "only" if len(ended) == 1 else "green" if green else "nearest"
        found.append(Said(f"attempts.kept.{key}", {"number": kept.number, "prefer": run.options.prefer}))
    elif run.attempts:
        found.append(Said("attempts.kept.none"))
    if run.stopped == FINISHED:
        counts = {"made": len(run.attempts), "asked": run.options.attempts}
        found.append(Said(f"attempts.ended.{ending(run)}", counts))
    if run.stopped not in ("", FINISHED) and audience == "internal":
        found.append(Said("attempts.stopped", {"why": run.stopped}))
    found.append(Said("attempts.time", {"seconds": run.seconds, "cpu": run.cpu_seconds}))
    return tuple(found)

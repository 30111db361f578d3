"""Decide how each score is shown: gates with their rulings, figures without a gate, membership attacks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from synth_worker.gates import Judged, Ruling
from synth_worker.metrics.base import Better, Score, Scores
from synth_worker.metrics.registry import METRICS
from synth_worker.report import texts
from synth_worker.report.parts import Attack, Audience, Figure, Said, quote

ATTACK = "attack:"
BESIDE = frozenset({"tstr"})
"""Scores whose detail holds the same figure for a model trained on real rows."""

_DEMANDS = frozenset({"power", "certified_rows", "dp_epsilon"})


def gate_figures(rulings: Sequence[Judged], scores: Scores, *, audience: Audience) -> tuple[Figure, ...]:
    """Return what each gate found."""
    return tuple(
        _figure(one.metric, scores.get(one.metric), judged=one, audience=audience)
        for one in sorted(rulings, key=lambda one: one.group != "privacy")
    )


def figures(scores: Scores, rulings: Sequence[Judged], *, group: str, audience: Audience) -> tuple[Figure, ...]:
    """Return all scores of ``privacy`` or ``utility``, gated ones first."""
    judged = {one.metric: one for one in rulings}
    names = [name for name in scores if _group(name) == group]
    names.sort(key=lambda name: name not in judged)
    return tuple(_figure(name, scores[name], judged=judged.get(name), audience=audience) for name in names)


def attacks(scores: Scores) -> tuple[Attack, ...]:
    """Return the membership attacks that the battery recorded, strongest first."""
    score = scores.get("mia_auc")
    detail = {} if score is None else score.detail
    found = [
        Attack(name, term("attack", name), about("attack", name), auc if math.isfinite(auc) else None)
        for name, auc in ((key.removeprefix(ATTACK), value) for key, value in detail.items() if key.startswith(ATTACK))
    ]
    return tuple(sorted(found, key=lambda one: math.inf if one.auc is None else -one.auc))


def term(family: str, name: str) -> Said:
    """Return the catalogue's name of a score or an attack, or the bare name where the catalogue has none."""
    key = f"{family}.{name}"
    return Said(key) if texts.known(key) else quote(name.replace("_", " "))


def about(family: str, name: str) -> Said | None:
    """Return the catalogue's sentence on a score or an attack, else the metric's own, if there is one."""
    key = f"{family}.{name}.about"
    if texts.known(key):
        return Said(key)
    return quote(METRICS[name].about) if family == "metric" and name in METRICS else None


def reason(judged: Judged, score: Score | None = None, *, audience: Audience) -> Said:
    """Return why a gate ruled as it did; other modules' words, which may quote values, stay internal."""
    if judged.metric in _DEMANDS:
        if audience == "internal" and judged.reason:
            return quote(judged.reason)
        numbers = {"value": judged.value or 0.0, "limit": judged.limit or 0.0}
        return Said(f"reason.{judged.metric}", numbers)
    figures = {
        name: value
        for name in ("value", "upper", "limit", "upper_limit")
        if (value := getattr(judged, name)) is not None
    }
    key = f"reason.{str(judged.ruling).replace(' ', '_')}"
    if judged.ruling is Ruling.AMBER_PASS and judged.upper is None:
        return Said(f"{key}.no_bound")
    if judged.ruling is Ruling.AMBER_PASS and judged.over:
        return Said(f"{key}.chance", figures)
    if judged.ruling is Ruling.RED and score is not None and score.reason and audience == "internal":
        return Said("reason.more", {"reason": Said(key, figures), "more": score.reason})
    if judged.ruling in (Ruling.GREEN, Ruling.AMBER_PASS, Ruling.AMBER_OVER, Ruling.RED):
        return Said(key, figures)
    return quote(judged.reason) if audience == "internal" and judged.reason else Said(key)


def _figure(name: str, score: Score | None, *, judged: Judged | None, audience: Audience) -> Figure:
    found = score or Score(None if judged is None else judged.value)
    value = found.value if found.value is not None and math.isfinite(found.value) else None
    why: Said | None = None
    if judged is not None:
        why = reason(judged, score, audience=audience)
    elif value is None and found.reason:
        public = Said("unmeasured.internal" if found.applicable else "reason.not_applicable")
        why = quote(found.reason) if audience == "internal" else public
    return Figure(
        name=name,
        label=term("metric", name),
        group=_group(name) if judged is None else judged.group,
        about=about("metric", name),
        value=value,
        low=found.low,
        high=found.high,
        upper=found.upper,
        limit=None if judged is None else judged.limit,
        upper_limit=None if judged is None else judged.upper_limit,
        floor=found.floor,
        beside=found.detail.get("real") if name in BESIDE else None,
        better=_better(name),
        ruling=_ruling(found, judged),
        reason=why,
        rows_needed=None if judged is None else judged.rows_needed,
    )


def _group(name: str) -> str:
    return METRICS[name].group if name in METRICS else "utility"


def _better(name: str) -> str:
    """Return the direction of a score as the catalogue names it; empty where nobody knows."""
    if name not in METRICS:
        return ""
    return {Better.LOWER: "lower", Better.HIGHER: "higher", Better.HALF: "half"}[METRICS[name].better]


def _ruling(score: Score, judged: Judged | None) -> Ruling | None:
    """Return the gate's ruling; a figure without a gate has one only where it could not be measured."""
    if judged is not None:
        return judged.ruling
    if not score.applicable:
        return Ruling.NOT_APPLICABLE
    return Ruling.UNMEASURED if score.value is None else None

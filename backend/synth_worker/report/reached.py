"""Decide the one sentence on what a run reached: which candidate is nearest, what stands in the way, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synth_worker.gates import Judged, Light, Ruling
from synth_worker.metrics.base import Score, Scores
from synth_worker.report import texts
from synth_worker.report.parts import Filler, Said
from synth_worker.report.scores import term
from synth_worker.run import Certificate, Run

_MOST_NAMED = 3
"""So many gates are named in one sentence; the table below it has them all."""

_CAUSES = ("suspicious", "leak", "utility", "floor", "unmeasured", "demand", "few", "rows")
"""What can stand in the way, the gravest first; the first one found decides what to do."""


def reached(run: Run) -> Said:
    """Return the sentence on a run of any ending; it quotes figures of gates only, so it may leave the house."""
    tries = len(run.attempts)
    if run.best_number is None:
        return Said("reached.none", {"tries": tries, "remedy": Said("reached.remedy.none")})
    kept: dict[str, Filler] = {"number": run.best_number, "method": run.best.plan.method, "tries": tries}
    if run.certificate is None:
        return Said("reached.uncertified", {**kept, "remedy": Said("reached.remedy.uncertified")})
    verdict = run.certificate.verdict
    counted = [one for one in verdict.rulings if one.ruling is not Ruling.NOT_APPLICABLE]
    kept |= {"gates": len(counted), "green": sum(one.ruling is Ruling.GREEN for one in counted)}
    if verdict.light is Light.GREEN:
        return Said("reached.green", kept)
    causes = _causes(run.certificate)
    if not causes:
        nothing = {"cause": Said("reached.cause.nothing"), "remedy": Said("reached.remedy.nothing")}
        return Said("reached.not", {**kept, **nothing})
    said = [_cause(name, found, run.certificate.scores) for name, found in causes.items()]
    cause = said[0]
    for one in said[1:]:
        cause = Said("reached.and", {"first": cause, "second": one})
    first = next(iter(causes))
    remedy = _remedy(first, causes[first], run.certificate.scores)
    if first == "leak" and run.best.verdict == "green":
        remedy = Said("reached.remedy.unseen_leak")  # the search stopped content: it would do so again
    return Said("reached.not", {**kept, "cause": cause, "remedy": remedy})


def sentence(run: Run, *, code: str = "en") -> str:
    """Return the words of that sentence, for the run card and the terminal."""
    return texts.speak(reached(run), texts.language(code))


def _causes(certificate: Certificate) -> Mapping[str, Sequence[Judged]]:
    """Return the gates that are not green, by what stands in their way, the gravest first."""
    found: dict[str, list[Judged]] = {}
    for one in certificate.verdict.failures:
        found.setdefault(_why(one, certificate.scores.get(one.metric)), []).append(one)
    if "few" in found:
        found.pop("rows", None)  # the same said twice
    return {name: found[name] for name in _CAUSES if name in found}


def _why(judged: Judged, score: Score | None) -> str:
    if judged.metric == "dp_epsilon":
        return "demand"
    if judged.ruling is Ruling.SUSPICIOUS:
        return "suspicious"
    if judged.ruling is Ruling.UNMEASURED:
        # A metric that refuses so few rows says how many it needs; other reasons lie in the values.
        return "few" if "at least" in judged.reason else "unmeasured"
    if judged.ruling is not Ruling.RED:
        return "rows"
    if judged.group == "privacy":
        return "leak"
    # What fresh real rows do not reach, no synthetic table can.
    beyond = score is not None and score.floor is not None and judged.limit is not None and score.floor > judged.limit
    return "floor" if beyond else "utility"


def _cause(name: str, gates: Sequence[Judged], scores: Scores) -> Said:
    return Said(f"reached.cause.{name}", {"gates": tuple(_gate(one, name, scores) for one in gates[:_MOST_NAMED])})


def _gate(judged: Judged, name: str, scores: Scores) -> Said:
    label = term("metric", judged.metric)
    if name in ("rows", "few", "unmeasured") or judged.value is None or judged.limit is None:
        return Said("reached.name", {"label": label})
    if name == "floor":
        floor = scores[judged.metric].floor
        return Said("reached.floor_gate", {"label": label, "floor": floor or 0.0, "limit": judged.limit})
    return Said("reached.gate", {"label": label, "value": judged.value, "limit": judged.limit})


def _remedy(name: str, gates: Sequence[Judged], scores: Scores) -> Said:
    if name != "rows":
        return Said(f"reached.remedy.{name}")
    needed = [one.rows_needed for one in gates]
    known = [one for one in needed if one is not None]
    if known and len(known) == len(needed):
        return Said("reached.remedy.rows", {"rows": max(known)})
    hopeless = any(_hopeless(one, scores.get(one.metric)) for one in gates)
    return Said("reached.remedy.no_rows" if hopeless else "reached.remedy.more_rows")


def _hopeless(judged: Judged, score: Score | None) -> bool:
    """Tell whether an estimate lies above its floor by so little that no practical number of rows would decide."""
    if judged.rows_needed is not None or judged.value is None or score is None or score.floor is None:
        return False
    return judged.ruling is Ruling.AMBER_OVER and score.upper is not None and judged.value > score.floor

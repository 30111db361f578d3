"""Put what happens and what was found into words: one place for the sentences of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from synth_worker.commands.pace import spoken

if TYPE_CHECKING:
    from synth_worker.gates import Judged, Verdict
    from synth_worker.run import Attempt

COLOURS = {
    "green": "green",
    "amber_pass": "yellow",
    "amber_over": "yellow",
    "amber": "yellow",
    "red": "red",
    "suspicious": "red",
    "unmeasured": "red",
    "not applicable": "dim",
}
RULINGS = {
    "amber_pass": "amber: within the limit, evidence short",
    "amber_over": "amber: over the limit, evidence short",
}


def sentence(event: Mapping[str, object]) -> str:
    """Return an event as one line of text; empty for events that only move a bar.

    >>> sentence({"event": "plan", "number": 1, "of": 3, "method": "gc", "why": "the first and cheapest method"})
    'attempt 1 of at most 3: gc (the first and cheapest method)'
    """
    kind = event.get("event")
    if kind == "plan":
        return f"attempt {event['number']} of at most {event['of']}: {event['method']} ({event['why']})"
    if kind == "attempt":
        from synth_worker.run import Attempt

        attempt = event["attempt"]
        return attempt_line(attempt) if isinstance(attempt, Attempt) else ""
    if kind in ("read", "report"):
        return str(event.get("what", kind))
    if kind == "begin":
        return f"results go to {event['folder']}"
    if kind == "stopped":
        return f"no further attempt: {event.get('why', '')}"
    return ""


def step_line(event: Mapping[str, object]) -> str:
    """Return what is being done right now.

    >>> step_line({"event": "certify", "what": "membership", "done": 3, "total": 9})
    'certifying: membership (3 of 9 done)'
    """
    doing = {"fit": "fitting", "measure": "measuring", "certify": "certifying"}.get(str(event.get("event")), "")
    if not doing:
        return sentence(event)
    what = f": {event['what']}" if event.get("what") else ""
    total = event.get("total")
    counted = f" ({event.get('done', 0)} of {total} done)" if isinstance(total, int) and total > 1 else ""
    return f"{doing}{what}{counted}{_losses(event)}"


def _losses(event: Mapping[str, object]) -> str:
    """Return the losses and distances that an event carries.

    >>> _losses({"loss": 0.8123, "held": 0.85, "ks_mean": 0.041, "note": ""})
    ', loss 0.812, held-out loss 0.850, ks_mean 0.041'
    """
    named = (("loss", "loss"), ("held", "held-out loss"), ("ks_mean", "ks_mean"), ("corr_delta", "corr_delta"))
    said = [f"{name} {figure(value)}" for key, name in named if isinstance(value := event.get(key), int | float)]
    return "".join(f", {one}" for one in [*said, str(event.get("note") or "")] if one)


def attempt_line(attempt: Attempt) -> str:
    """Return how an attempt ended: its light on validation rows, its time, and what is wrong with it."""
    took = f"in {spoken(attempt.seconds)}"
    if attempt.verdict is None:
        return f"attempt {attempt.number} failed {took}: {attempt.failure}"
    line = f"attempt {attempt.number} is {attempt.verdict.light} on validation rows {took}"
    failures = attempt.verdict.failures
    if not failures:
        return line
    if str(attempt.diagnosis.failure_type) == "none":
        return f"{line}; evidence short for {', '.join(one.metric for one in failures)}"
    return f"{line}; {attempt.diagnosis.root_cause}"


def gates_line(verdict: Verdict, *, markup: bool = False) -> str:
    """Return all gates in one line, each with its ruling and figure."""
    return ", ".join(_gate(one, markup=markup) for one in verdict.rulings)


def _gate(judged: Judged, *, markup: bool) -> str:
    word = str(judged.ruling).replace("_", " ")
    shown = f"[{COLOURS[str(judged.ruling)]}]{word}[/]" if markup else word
    return f"{judged.metric} {figure(judged.value)} {shown}"


def figure(value: float | None) -> str:
    """Return a figure with three decimals, or a dash where there is none.

    >>> figure(0.12345), figure(None), figure(10000.0)
    ('0.123', '-', '10000')
    """
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3f}"

"""Estimate what is left of a run from the steps that were measured: no guess before there is a measurement."""

from __future__ import annotations

from collections.abc import Mapping

STEPS = ("fit", "measure", "certify")


class Pace:
    """Follow the events of a run and tell how long the current step and the remaining attempts may take.

    >>> pace = Pace(attempts=3)
    >>> pace.note({"event": "fit", "number": 1, "done": 0, "total": 4}, now=10.0)
    >>> pace.note({"event": "fit", "number": 1, "done": 1, "total": 4}, now=12.0)
    >>> pace.step_left(now=12.0)
    6.0
    """

    def __init__(self, *, attempts: int) -> None:
        self._attempts = attempts
        self._step: tuple[object, ...] = ()
        self._began = 0.0
        self._from = 0.0
        self._at = 0.0
        self._done = 0.0
        self._total = 0.0
        self._attempt_began = 0.0
        self._taken: list[float] = []
        self._number = 0
        self._trying = False
        self._certifying = False

    def note(self, event: Mapping[str, object], *, now: float) -> None:
        """Take in one event that happened at ``now`` (seconds of any steady clock)."""
        kind = event.get("event")
        if kind == "plan":
            self._attempt_began, self._trying = now, True
            self._number = _whole(event.get("number"))
        elif kind == "attempt":
            self._taken.append(now - self._attempt_began)
            self._trying = False
        elif kind in STEPS and isinstance(event.get("total"), int | float):
            self._certifying = kind == "certify"
            step = (kind, event.get("number"), event.get("total"))
            done = _number(event.get("done"))
            if step != self._step or done < self._done:
                self._step, self._began, self._from = step, now, done  # a resumed training begins beyond 0
            self._at, self._done, self._total = now, done, _number(event.get("total"))
            return
        self._step, self._done = (), 0.0

    def step_left(self, *, now: float) -> float | None:
        """Return the seconds left of the current step, None before one part of it is done."""
        if self._done <= self._from or self._total <= 0:
            return None
        pace = (self._at - self._began) / (self._done - self._from)
        return max(pace * (self._total - self._done) - (now - self._at), 0.0)

    def search_left(self, *, now: float) -> float | None:
        """Return the most seconds that the search may still take, by the attempts so far; the certificate follows."""
        if self._certifying:
            return 0.0
        if not self._taken:
            return None
        mean = sum(self._taken) / len(self._taken)
        current = max(mean - (now - self._attempt_began), 0.0) if self._trying else 0.0
        return current + mean * (self._attempts - self._number)


def spoken(seconds: float) -> str:
    """Return a duration as people say it.

    >>> spoken(0.31), spoken(42), spoken(130), spoken(7300)
    ('0.3 s', '42 s', '2 min 10 s', '2 h 1 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _whole(value: object) -> int:
    return int(_number(value))

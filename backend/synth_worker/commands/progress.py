"""Show the progress of a verb on standard error: a live display, plain lines, or JSON lines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from synth_worker.commands.exits import say
from synth_worker.commands.pace import STEPS, Pace, spoken
from synth_worker.commands.words import gates_line, sentence, step_line

PLAIN_EVERY_SECONDS = 5.0
"""A terminal-less log gets a line about the current step at most this often."""

Clock = Callable[[], float]
Event = Mapping[str, object]


class Watcher(Protocol):
    """Be told the events of a verb, within a ``with`` block."""

    def __call__(self, event: Event) -> None: ...
    def __enter__(self) -> Watcher: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def watcher(*, attempts: int, as_json: bool = False, quiet: bool = False) -> Watcher:
    """Return the display that fits: none, JSON lines, live on a terminal, else plain lines."""
    pace = Pace(attempts=attempts)
    if as_json and not quiet:
        return JsonLines(pace)
    if quiet:
        return Silence(pace)
    return Live(pace) if sys.stderr.isatty() else Lines(pace)


class Silence:
    """Follow events without showing any."""

    def __init__(self, pace: Pace, *, clock: Clock = time.monotonic) -> None:
        self.pace = pace
        self.clock = clock
        self.began = clock()

    def __enter__(self) -> Silence:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        now = self.clock()
        self.pace.note(event, now=now)
        self.show(event, now)

    def show(self, event: Event, now: float) -> None:
        """Show nothing."""

    def left(self, now: float) -> str:
        """Return what is known of the time left, as words; empty before the first measurement."""
        step, search = self.pace.step_left(now=now), self.pace.search_left(now=now)
        parts = [] if step is None else [f"this step about {spoken(step)}"]
        if search:
            parts.append(f"the search at most about {spoken(search)}")
        return ", ".join(parts)


class Lines(Silence):
    """Write a line per event, and about the current step one every few seconds."""

    _last = 0.0

    def show(self, event: Event, now: float) -> None:
        """Write the line of an event."""
        if event.get("event") in STEPS:
            if now - max(self._last, self.began) < PLAIN_EVERY_SECONDS:
                return
            self._last = now
            left = self.left(now)
            say(step_line(event) + (f"; left: {left}" if left else ""))
            return
        text = sentence(event)
        if text:
            say(text)
            self._last = now
        verdict = getattr(event.get("attempt"), "verdict", None)
        if verdict is not None:
            say("  " + gates_line(verdict))


class JsonLines(Silence):
    """Write each event as one JSON object per line."""

    def show(self, event: Event, now: float) -> None:
        """Write an event with the seconds since the start and those left, as far as measured."""
        say(json.dumps({**plain(event), "seconds": round(now - self.began, 3), **self._left(now)}, allow_nan=False))

    def _left(self, now: float) -> dict[str, float]:
        step, search = self.pace.step_left(now=now), self.pace.search_left(now=now)
        found = {"step_left_seconds": step, "search_left_seconds": search}
        return {name: round(value, 1) for name, value in found.items() if value is not None}


class Live(Silence):
    """Draw the current step with its bar and time on a terminal, and leave a line for each finished attempt."""

    def __init__(self, pace: Pace, *, clock: Clock = time.monotonic, console: Console | None = None) -> None:
        super().__init__(pace, clock=clock)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[left]}"),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None, left="")

    def __enter__(self) -> Live:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, event: Event, now: float) -> None:
        """Draw an event."""
        total = event.get("total")
        known = isinstance(total, int | float) and total > 0
        done = event.get("done")
        self._progress.update(
            self._task,
            description=step_line(event) or None,
            total=float(total) if known and isinstance(total, int | float) else None,
            completed=float(done) if isinstance(done, int | float) else 0.0,
            left=self.left(now),
        )
        if event.get("event") in ("begin", "plan", "attempt", "stopped"):
            self._progress.console.print(sentence(event), highlight=False, markup=False)
        verdict = getattr(event.get("attempt"), "verdict", None)
        if verdict is not None:
            self._progress.console.print("  " + gates_line(verdict, markup=True), highlight=False)


def plain(event: Event) -> dict[str, object]:
    """Return an event as JSON can hold it: an attempt becomes its record, what is not finite becomes null."""
    from synth_worker.record import attempt_json
    from synth_worker.run import Attempt

    found: dict[str, object] = {}
    for name, value in event.items():
        if isinstance(value, Attempt):
            found[name] = attempt_json(value)
        elif isinstance(value, float) and not (abs(value) < float("inf")):
            found[name] = None
        elif isinstance(value, str | int | float | bool | None):
            found[name] = value
        else:
            found[name] = str(value)
    return found

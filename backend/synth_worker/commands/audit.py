"""Carry out ``gesalp audit``: show what was asked of databases, check that nothing of it was changed."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterator, Mapping

import typer

from synth_worker.commands.exits import Guard, say
from synth_worker.database.audit import FILE, FOLDER, AuditLog, lines_of
from synth_worker.database.audit_line import Head
from synth_worker.errors import AuditUnusable, BadInput, UnknownName
from synth_worker.settings import Settings

EVENTS = ("begun", "asked", "charged", "answered", "replayed", "refused", "failed", "broken off", "cut", "unreadable")
FIGURES = ("epsilon", "rho_nano", "rows", "outcome", "purpose", "what", "ledger_entry")


def show_audit(*, last: int | None = None, event: str | None = None, as_json: bool = False, debug: bool = False) -> int:
    """Write the lines of the log to standard output, oldest first: the ``last`` ones, of one kind of event."""
    with Guard(as_json=as_json, debug=debug):
        if event is not None and event not in EVENTS:
            raise UnknownName.of("event", event, EVENTS)
        lines = (line for line in _readable() if event is None or line.get("event") == event)
        chosen = lines if last is None else deque(lines, maxlen=last)
        for line in chosen:
            typer.echo(json.dumps(line, ensure_ascii=False) if as_json else words_of(line))
    return 0


def verify_audit(*, head: str | None = None, debug: bool = False) -> int:
    """Check every line, the anchors, and a head that was noted elsewhere; say how far the log reaches."""
    with Guard(debug=debug):
        known = None if head is None else _head(head)
        found = _opened().verify(known)
        typer.echo(f"{found.sequence} lines, each with its right mark and in its place")
        typer.echo(f"head: {found}")
    return 0


def words_of(line: Mapping[str, object]) -> str:
    """Return a line of the log in words.

    >>> words_of({"sequence": 2, "at": "2024-01-01T00:00:00Z", "event": "asked", "actor": "uid 7", "columns": ["age"]})
    '    2 2024-01-01T00:00:00Z asked      uid 7  columns age'
    """
    figures = [f"{name} {line[name]}" for name in FIGURES if line.get(name) not in (None, "")]
    columns = line.get("columns")
    if isinstance(columns, list) and columns:
        shown = ", ".join(str(one) for one in itertools.islice(columns, 8))
        figures.insert(0, f"columns {shown}" + (", ..." if len(columns) > 8 else ""))
    if line.get("filter"):
        figures.append("filtered")
    parts = [str(line.get("actor", "")), str(line.get("data_set", "")), *figures]
    start = f"{line.get('sequence', ''):>5} {line.get('at', '')} {line.get('event', '')!s:<10}"
    text = " ".join([start, "  ".join(one for one in parts if one)]).rstrip()
    # A control character of a request could rewrite what stands on a screen.
    return "".join(one if one.isprintable() else "?" for one in text)


def _readable() -> Iterator[Mapping[str, object]]:
    """Return the lines, of a log that was tampered with too: who looks into it has to see it."""
    try:
        return _opened().lines()
    except AuditUnusable as error:
        path = Settings().folder / FOLDER / FILE
        if not path.exists():
            raise
        say(f"this log cannot be relied on: {error.message}")
        return lines_of(path)


def _opened() -> AuditLog:
    settings = Settings()
    return AuditLog(settings.folder, anchor=settings.audit_anchor)


def _head(text: str) -> Head:
    try:
        return Head.parse(text)
    except ValueError:
        raise BadInput(
            f"--head is {text[:80]!r}", hint="give the three words that gesalp audit verify or the system's log showed"
        ) from None

"""Carry out ``gesalp pareto``: list the front of a run and choose along it, without training."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from synth_worker.commands.exits import Guard
from synth_worker.errors import BadInput
from synth_worker.run import Attempt
from synth_worker.search.pareto import Point, chosen, front_json, front_of, point_of, read_weights
from synth_worker.storage import RunFolder

BAR = 20
STANDINGS = ("green", "rows lacking", "over, no evidence", "failed")


def show_front(run: Path, *, prefer: str | None = None, as_json: bool = False, debug: bool = False) -> int:
    """Write the front of the run in a folder, and what a preference (the run's own, unless given) chooses."""
    with Guard(as_json=as_json, debug=debug):
        asked, attempts, delivered = _read(run)
        wanted = asked if prefer is None else prefer
        read_weights(wanted)
        found = chosen(attempts, prefer=wanted)
        number = None if found is None else found.number
        if as_json:
            card = {"prefer": wanted, "chosen": number, "delivered": delivered, "front": front_json(attempts)}
            typer.echo(json.dumps(card, indent=1))
        else:
            _write(attempts, Console(file=sys.stdout), number=number)
            typer.echo(_told(run, wanted, number, delivered=delivered))
    return 0


def _read(run: Path) -> tuple[str, list[Attempt], int | None]:
    """Return what the run preferred, its finished attempts, and which one it delivers (None: it has not ended)."""
    folder = RunFolder(run)
    folder.check(resume=True)
    request = json.loads((run / "request.json").read_text(encoding="utf-8"))
    attempts = folder.attempts(profile=str(request["profile"]))
    if not attempts:
        raise BadInput(f"no attempt of the run in {run} has ended", hint="go on with it: gesalp run TABLE --resume")
    card = run / "run.json"
    delivered = json.loads(card.read_text(encoding="utf-8"))["best"] if card.exists() else None
    return str(request["prefer"]), attempts, delivered


def _write(attempts: Sequence[Attempt], console: Console, *, number: int | None) -> None:
    grid = Grid("", "attempt", "method", "gates", "privacy loss", "detection", "trend", "usefulness", box=None)
    on = {one.number for one in front_of(attempts)}
    points = {one.number: one for attempt in attempts if (one := point_of(attempt)) is not None}
    for attempt in sorted(attempts, key=lambda one: (one.number not in on, _order(points.get(one.number)))):
        point = points.get(attempt.number)
        mark = "chosen" if attempt.number == number else "front" if attempt.number in on else ""
        cells = ("not measured", "", "", "") if point is None else tuple(_cell(one) for one in _losses(point))
        stands = "failed" if point is None else STANDINGS[point.standing]
        style = "bold" if attempt.number == number else "" if attempt.number in on else "dim"
        grid.add_row(mark, str(attempt.number), attempt.plan.method, stands, *cells, style=style)
    console.print(grid)


def _losses(point: Point) -> tuple[float | None, ...]:
    return point.privacy, point.detection, point.trend, point.usefulness


def _order(point: Point | None) -> tuple[float, ...]:
    return (2.0,) if point is None else point.losses


def _cell(loss: float | None) -> str:
    return "-" if loss is None else f"{loss:.3f} {'#' * min(round(loss * BAR), BAR)}"


def _told(run: Path, prefer: str, number: int | None, *, delivered: int | None) -> str:
    losses = "losses from 0 (best) to 1, on validation rows"
    if number is None:
        return f"{losses}; no attempt can be chosen"
    said = f"{losses}; --prefer {prefer} chooses attempt {number}"
    if number == delivered:
        return f"{said}, which the run delivers"
    where = Text(str(run / "attempts" / f"{number:02d}"))
    return f"{said}, in {where}; no certificate speaks of it" + (
        "" if delivered is None else f": the run delivers and certified attempt {delivered}"
    )

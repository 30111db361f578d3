"""Carry out ``gesalp grid``: a private table at each epsilon, what it cost and how near it came."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table as Grid

from synth_worker.commands.exits import say
from synth_worker.commands.schema import read_schema
from synth_worker.errors import BadInput
from synth_worker.privacy.opening import principal_of_process
from synth_worker.private_grid import GridPoint, run_grid
from synth_worker.private_run import PrivateAsk

WIDTH = 20


def grid_epsilons(
    table: Path,
    ask: PrivateAsk,
    epsilons: str,
    *,
    out: Path | None = None,
    schema: Path | None = None,
    seconds: float | None = None,
    threads: int = 1,
    as_json: bool = False,
) -> int:
    """Go through the grid and return 0; refusals are raised."""
    if schema is None:
        raise BadInput(
            "a grid of epsilons needs --schema: what kind each column is must not be found in the data",
            hint="`gesalp schema TABLE > schema.json` writes one to look through",
        )
    folder = out or Path.cwd() / f"{table.stem}-grid"

    def tell(event: Mapping[str, object]) -> None:
        say(json.dumps(event) if as_json else str(event.get("what", event.get("why", ""))))

    found = run_grid(
        table,
        replace(ask, principal=principal_of_process()),
        schema=read_schema(schema),
        out=folder,
        epsilons=epsilons_of(epsilons),
        seconds=seconds,
        threads=threads,
        event=tell,
    )
    if as_json:
        typer.echo(json.dumps({"stopped": found.stopped, "points": [asdict(one) for one in found.points]}, indent=1))
        return 0
    Console(file=sys.stdout).print(_drawn(found.points))
    if found.stopped == "time":
        typer.echo("the time budget is spent; the same command goes on with the next point")
    return 0


def epsilons_of(text: str) -> list[float]:
    """Read ``0.5,1,2``. Raises BadInput.

    >>> epsilons_of("0.5, 1")
    [0.5, 1.0]
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"--epsilons is {text!r}", hint="allowed: numbers, as in 0.5,1,2") from None


def _drawn(points: tuple[GridPoint, ...]) -> Grid:
    grid = Grid("epsilon", "rho charged", "distance of pairs, noised", "", "folder", box=None)
    for one in points:
        bar = "#" * min(round(one.distance * WIDTH), WIDTH)
        grid.add_row(f"{one.epsilon:g}", f"{one.rho:.6f}", f"{one.distance:.3f} ± {one.margin:.3f}", bar, one.folder)
    return grid

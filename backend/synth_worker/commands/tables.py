"""Carry out ``gesalp tables``: print the settings that are suggested for each method and size."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import typer
from rich.console import Console
from rich.table import Table as Grid

from synth_worker.commands.exits import Guard
from synth_worker.errors import UnknownName
from synth_worker.optimizing.tables import TABLES, TIER_NAMES, Row


def show_tables(*, method: str | None = None, as_json: bool = False, debug: bool = False) -> int:
    """Write the table of one method, or of all, to standard output. Raises typer.Exit for a method there is none of."""
    with Guard(as_json=as_json, debug=debug):
        if method is not None and method not in TABLES:
            raise UnknownName.of("method", method, TABLES)
        names = list(TABLES) if method is None else [method]
        if as_json:
            typer.echo(json.dumps({name: [_row_json(*one) for one in _tiers(name)] for name in names}, indent=1))
        else:
            _write(names, Console(file=sys.stdout))
    return 0


def _tiers(method: str) -> list[tuple[str, Row]]:
    return list(zip(TIER_NAMES, TABLES[method], strict=True))


def _row_json(tier: str, row: Row) -> dict[str, object]:
    ranges = {name: list(ends) for name, ends in row.ranges.items()}
    return {"rows": tier, "settings": dict(row.settings), "ranges": ranges}


def _write(names: Sequence[str], console: Console) -> None:
    grid = Grid("method", "rows", "begin with", "range", box=None)
    for name in names:
        for place, (tier, row) in enumerate(_tiers(name)):
            begin = ", ".join(f"{knob} {value}" for knob, value in row.settings.items()) or "nothing to set"
            ranges = ", ".join(f"{knob} {low:g}-{high:g}" for knob, (low, high) in row.ranges.items())
            grid.add_row(name if place == 0 else "", tier, begin, ranges)
    console.print(grid)

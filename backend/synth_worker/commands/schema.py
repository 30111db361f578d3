"""Carry out ``gesalp schema``: say what each column was taken for, as JSON that a person can edit."""

from __future__ import annotations

import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table as Grid

from synth_worker.commands.cancel import take_signals
from synth_worker.commands.exits import Guard
from synth_worker.errors import BadSchema
from synth_worker.schema import Column, Schema

SHOWN = 3
WIDTH = 140


def read_schema(path: Path) -> Schema:
    """Read a schema file. Raises BadSchema where there is none or it is not one."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else (error.strerror or "").lower()
        raise BadSchema(
            f"the schema {path} cannot be read: {why}", hint="`gesalp schema TABLE > schema.json` writes a fresh one"
        ) from error
    return Schema.from_json(text)


def show_schema(table: Path, *, debug: bool = False) -> int:
    """Write the inferred schema to standard output, a short table of kinds and suggestions to standard error."""
    from synth_worker.reading import read_table
    from synth_worker.suggesting import suggest

    with Guard(debug=debug):
        take_signals()
        found = read_table(table, rows_independent=True)
        # A log has no width of its own; the notes are sentences.
        width = None if sys.stderr.isatty() else WIDTH
        suggested = suggest(found)
        console = Console(stderr=True, width=width)
        console.print(kinds_grid(found.schema))
        for note in found.notes:
            console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
        for one in suggested:
            console.print(f"suggested constraint: {one.words} ({one.note})", markup=False, highlight=False)
        typer.echo(found.schema.to_json(suggested=suggested))
    return 0


def kinds_grid(schema: Schema) -> Grid:
    """Return the table of kinds and notes."""
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for name in ("column", "kind", "values", "missing", "note"):
        grid.add_column(name, overflow="fold")
    for column in schema:
        missing = "yes" if column.nullable else ""
        grid.add_row(column.name, str(column.kind), _values(column), missing, column.note)
    return grid


def _values(column: Column) -> str:
    if column.categories:
        more = "" if len(column.categories) <= SHOWN else f", ... ({len(column.categories)})"
        return ", ".join(column.categories[:SHOWN]) + more
    if column.low is not None and column.high is not None and column.dtype not in ("date", "datetime"):
        return f"{column.low:g} to {column.high:g}"
    return column.format

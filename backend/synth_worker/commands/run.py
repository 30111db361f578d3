"""Carry out ``gesalp run``: call the verb, show what happens, sum it up, end with the right code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import typer
from rich.console import Console

from synth_worker.commands.cancel import Cancel
from synth_worker.commands.exits import Guard
from synth_worker.commands.progress import watcher
from synth_worker.commands.schema import read_schema
from synth_worker.commands.summary import write_run
from synth_worker.record import run_json
from synth_worker.run import Options, Run
from synth_worker.synthesis import synthesize

Verb = Callable[..., Run]


def default_out(table: Path) -> Path:
    """Return where results go unless ``--out`` says otherwise.

    >>> default_out(Path("data/heart.csv")).name
    'heart-synthetic'
    """
    return Path.cwd() / f"{table.stem}-synthetic"


def run_table(
    table: Path,
    options: Options,
    *,
    out: Path | None = None,
    schema: Path | None = None,
    resume: bool = False,
    as_json: bool = False,
    quiet: bool = False,
    debug: bool = False,
    verb: Verb = synthesize,
) -> int:
    """Make a synthetic table and return the exit code: 0 green, 4 amber, 3 red, 130 cancelled.

    ``verb`` is what is called, ``synthesize`` unless a test says otherwise. Raises typer.Exit for everything else.
    """
    folder = out or default_out(table)
    with Guard(folder=folder, as_json=as_json, debug=debug):
        with Cancel(folder=folder) as cancel, watcher(attempts=options.attempts, as_json=as_json, quiet=quiet) as watch:
            run = verb(
                table,
                out=folder,
                schema=None if schema is None else read_schema(schema),
                resume=resume,
                event=watch,
                cancelled=cancel,
                options=options,
            )
        if as_json:
            typer.echo(json.dumps(run_json(run), indent=1, allow_nan=False))
        else:
            write_run(run, Console(file=sys.stdout), brief=quiet)
        return run.exit_code

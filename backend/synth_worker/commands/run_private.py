"""Carry out ``gesalp run --epsilon``: charge, make, release; the exit code says nothing but that it ended in budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import typer

from synth_worker.commands.cancel import Cancel
from synth_worker.commands.exits import Guard, say
from synth_worker.commands.run import default_out
from synth_worker.commands.schema import read_schema
from synth_worker.commands.words import step_line
from synth_worker.errors import BadInput
from synth_worker.privacy.opening import principal_of_process
from synth_worker.private_run import PrivateAsk
from synth_worker.private_synthesis import synthesize_private

REASONS: Mapping[str, str] = {
    "--seed": "noise comes from the system and is never the same twice",
    "--time-budget": "a run that is cut short has been charged all the same",
    "--profile": "gates are figures of the real rows: they decide nothing here",
    "--prefer": "gates are figures of the real rows: they decide nothing here",
    "--target": "rows are not divided",
    "--group-key": "name the person with --privacy-unit",
    "--resume": "repeat the same command: an answer that is complete is released, what is not is lost",
    "--text": "free text is left out: no guarantee can be given for it",
    "--balance": "a second table would be another use of the budget",
    "--search": "no figure of the real rows may steer the next attempt",
    "--rows independent": "without --privacy-unit rows are the unit",
}


def refuse_others(given: Mapping[str, bool]) -> None:
    """Refuse options that mean nothing under an epsilon. Raises BadInput for the first that is given."""
    for name, is_given in given.items():
        if is_given:
            raise BadInput(f"{name} cannot be given with --epsilon", hint=REASONS[name])


def run_private(
    table: Path,
    ask: PrivateAsk,
    *,
    out: Path | None = None,
    schema: Path | None = None,
    threads: int = 1,
    as_json: bool = False,
    quiet: bool = False,
    debug: bool = False,
) -> int:
    """Make a private table and return 0; refusals end through the guard, with their own exit codes."""
    folder = out or default_out(table)

    def tell(event: Mapping[str, object]) -> None:
        line = step_line(event)
        if as_json:
            say(json.dumps(event))
        elif line and not quiet:
            say(line)

    with Guard(as_json=as_json, debug=debug):
        with Cancel(notice=b"\nstopping: what was charged is lost; press Ctrl-C again to leave at once\n") as cancel:
            done = synthesize_private(
                table,
                replace(ask, principal=principal_of_process()),
                schema=None if schema is None else read_schema(schema),
                out=folder,
                threads=threads,
                event=tell,
                cancelled=cancel,
            )
        if as_json:
            typer.echo(json.dumps(done.card, indent=1))
        else:
            typer.echo("\n".join(summary(done.card, folder=folder, replayed=done.replayed)))
        return done.exit_code


def summary(card: Mapping[str, object], *, folder: Path, replayed: bool) -> list[str]:
    """Return a run card in a few lines of text."""
    budget = card["budget"]
    lines = [str(card["statement"])]
    if replayed:
        lines.append("The same was answered before: nothing was charged.")
    if isinstance(budget, Mapping):
        left = budget["left"]
        lines.append(f"Left of the population {budget['population']!r}: rho {left['rho_nano'] / 1e9:g}.")
    lines.append(f"The table, the report and the run card are in {folder}; {folder}/internal is for you alone.")
    return lines

"""Carry out ``gesalp run --epsilon``: charge, make, release; the exit code says nothing but that it ended in budget."""

from __future__ import annotations

import contextlib
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
from synth_worker.database.registry import open_database
from synth_worker.database.urls import Located
from synth_worker.database_synthesis import declared_schema, synthesize_database
from synth_worker.errors import BadInput
from synth_worker.privacy.opening import principal_of_process
from synth_worker.private_run import PrivateAsk
from synth_worker.private_synthesis import synthesize_private

FILES = PrivateAsk("mst", 1.0).population

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
    source: Path | Located,
    ask: PrivateAsk,
    *,
    table: str = "",
    fresh: bool = False,
    out: Path | None = None,
    schema: Path | None = None,
    threads: int = 1,
    as_json: bool = False,
    quiet: bool = False,
    debug: bool = False,
) -> int:
    """Make a private table from a file, or from ``table`` of a database, and return 0.

    Refusals end through the guard, with their own exit codes.
    """
    folder = out or default_out(source if isinstance(source, Path) else Path(table))

    def tell(event: Mapping[str, object]) -> None:
        line = step_line(event)
        if as_json:
            say(json.dumps(event))
        elif line and not quiet:
            say(line)

    with Guard(as_json=as_json, debug=debug):
        with Cancel(notice=b"\nstopping: what was charged is lost; press Ctrl-C again to leave at once\n") as cancel:
            ask = replace(ask, principal=principal_of_process())
            given = None if schema is None else read_schema(schema)
            if isinstance(source, Path):
                done = synthesize_private(
                    source, ask, schema=given, out=folder, threads=threads, event=tell, cancelled=cancel
                )
            else:
                # The usual population of files is nobody's name for the persons of a database.
                own = replace(ask, population="" if ask.population == FILES else ask.population)
                with contextlib.closing(open_database(source.db_type, source.credentials)) as database:
                    done = synthesize_database(
                        database,
                        table,
                        own,
                        schema=given,
                        out=folder,
                        fresh=fresh,
                        threads=threads,
                        event=tell,
                        cancelled=cancel,
                    )
        if as_json:
            typer.echo(json.dumps(done.card, indent=1))
        else:
            typer.echo("\n".join(summary(done.card, folder=folder, replayed=done.replayed)))
        return done.exit_code


def show_declared(place: Located, *, table: str, debug: bool = False) -> int:
    """Write the schema that the declared types of a database's table make to standard output; no row is looked at."""
    with Guard(debug=debug), contextlib.closing(open_database(place.db_type, place.credentials)) as database:
        typer.echo(declared_schema(database, table).to_json())
        say(
            "kinds follow from declared types, and no row was looked at; state low and high, or categories, where they "
            'are public knowledge, with "public": true'
        )
    return 0


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

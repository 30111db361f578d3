"""Declare the commands of those who look after data: ``ledger`` and ``audit``, and ``grants`` for a database."""

from __future__ import annotations

from typing import Annotated

import typer

from synth_worker.commands import options as ask

ledger_app = typer.Typer(
    name="ledger",
    help="Show, open or verify the ledger of what was spent under differential privacy.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@ledger_app.command("show")
def ledger_show(*, as_json: ask.Json = False, debug: ask.Debug = False) -> None:
    """Show each population's budget, what is spent of it, and the quotas inside it."""
    from synth_worker.commands.ledger import show_ledger

    raise typer.Exit(show_ledger(as_json=as_json, debug=debug))


@ledger_app.command("open")
def ledger_open(
    population: Annotated[str, typer.Argument(metavar="POPULATION", help="The persons that the budget protects.")],
    *,
    epsilon: Annotated[
        float | None, typer.Option(help="All that may ever be spent. Default: the policy's.", show_default=False)
    ] = None,
    delta: Annotated[float | None, typer.Option(help="Its delta. Default: the policy's.", show_default=False)] = None,
    additive_delta: Annotated[
        float | None,
        typer.Option(
            help="The part of delta kept for mechanisms that fail with a small probability. Default: half.",
            show_default=False,
        ),
    ] = None,
    quota: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHO=EPSILON",
            help="The most that one principal may spend; may be repeated. With quotas, nobody else may.",
            show_default=False,
        ),
    ] = None,
    debug: ask.Debug = False,
) -> None:
    """Register POPULATION with a budget that is fixed from then on, or change the quotas inside it."""
    from synth_worker.commands.ledger import open_population

    code = open_population(
        population, epsilon=epsilon, delta=delta, additive=additive_delta, quotas=quota or [], debug=debug
    )
    raise typer.Exit(code)


@ledger_app.command("verify")
def ledger_verify(*, debug: ask.Debug = False) -> None:
    """Check every entry of the ledger against its mark, its place and the anchor."""
    from synth_worker.commands.ledger import verify_ledger

    raise typer.Exit(verify_ledger(debug=debug))


audit_app = typer.Typer(
    name="audit",
    help="Show or verify the log of what was asked of databases.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@audit_app.command("show")
def audit_show(
    *,
    last: Annotated[
        int | None, typer.Option(parser=ask.whole(1), metavar="N", help="The last N lines only.", show_default=False)
    ] = None,
    event: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Lines of one kind only: asked, charged, answered, replayed, refused, failed, broken off.",
            show_default=False,
        ),
    ] = None,
    as_json: ask.Json = False,
    debug: ask.Debug = False,
) -> None:
    """Show who asked what of which database, with which outcome; no value of the data stands in it."""
    from synth_worker.commands.audit import show_audit

    raise typer.Exit(show_audit(last=last, event=event, as_json=as_json, debug=debug))


@audit_app.command("verify")
def audit_verify(
    *,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HEAD", help="Three words that an earlier verify or the system's log showed.", show_default=False
        ),
    ] = None,
    debug: ask.Debug = False,
) -> None:
    """Check every line of the audit log against its mark, its place and the anchors."""
    from synth_worker.commands.audit import verify_audit

    raise typer.Exit(verify_audit(head=head, debug=debug))


def grants(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The role to be made.")],
    *,
    database: Annotated[str, typer.Option(metavar="NAME", help="The database that it reads.")],
    table: Annotated[
        list[str],
        typer.Option(
            metavar="TABLE[:COL,COL]", help="A table or view that it may read, or columns of it; may be repeated."
        ),
    ],
    debug: ask.Debug = False,
) -> None:
    """Print SQL for psql that makes a PostgreSQL role which may read these tables and nothing else."""
    from synth_worker.commands.grants import write_grants

    raise typer.Exit(write_grants(role, table, database=database, debug=debug))

"""Offer the verbs on the command line as ``gesalp``; each command's parts load when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synth_worker import __version__
from synth_worker.commands import options as ask
from synth_worker.commands.groups import audit_app, grants, ledger_app

app = typer.Typer(
    name="gesalp",
    help="Make a synthetic table from a real one, and prove what it is worth.",
    epilog="Exit codes: 0 green, 4 amber, 3 red or suspicious, 2 bad input, 5 beyond the privacy budget, 6 unusable "
    "ledger, 130 cancelled (the best is kept), 1 a bug.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"gesalp {__version__}")
        raise typer.Exit


@app.callback()
def gesalp(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Make a synthetic table from a real one, and prove what it is worth."""


@app.command()
def run(
    source: ask.Source,
    *,
    table: ask.TableName = None,
    method: ask.Method = "auto",
    out: ask.Out = None,
    rows: ask.Rows = None,
    seed: ask.Seed = 0,
    attempts: ask.Attempts = None,
    time_budget: ask.TimeBudget = "10m",
    profile: ask.Profile = "standard",
    prefer: ask.Prefer = "balanced",
    target: ask.Target = None,
    group_key: ask.GroupKey = None,
    schema: ask.SchemaFile = None,
    threads: ask.Threads = 2,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that --out holds.")] = False,
    text: ask.TextOption = ask.Text.DROP,
    balance: ask.Balance = None,
    search: ask.SearchOption = ask.Search.AUTO,
    warm_start: ask.WarmStart = False,
    epsilon: ask.Epsilon = None,
    delta: ask.Delta = 1e-7,
    bounds: ask.Bounds = "estimate",
    privacy_unit: ask.PrivacyUnit = None,
    max_rows_per_unit: ask.MaxRows = 1,
    population: ask.Population = "default",
    where: ask.Where = None,
    fresh: ask.Fresh = False,
    as_json: ask.Json = False,
    quiet: ask.Quiet = False,
    debug: ask.Debug = False,
) -> None:
    """Make a synthetic table from TABLE, certify it, and write both with a report."""
    from synth_worker.commands.asked import check_epsilon, check_names, rows_of, seconds_of
    from synth_worker.commands.exits import Guard
    from synth_worker.database.urls import located, place_of
    from synth_worker.errors import BadInput

    with Guard(as_json=as_json, debug=debug):
        check_names(method=method, profile=profile)
        place = place_of(located(source), table=table, epsilon=epsilon)
        # Of a database only counts are read, and only one method learns from a table that it never sees by default.
        method = "mst" if place is not None and method == "auto" else method
        check_epsilon(method, epsilon)
        if fresh and place is None:
            raise BadInput("--fresh is for databases", hint="a file that has changed is another request anyway")
        if where is not None and place is None:
            raise BadInput("--where is for databases", hint="leave the rows out of the file")
        asked, budget = rows_of(rows or []), seconds_of(time_budget)
        if epsilon is not None:
            from synth_worker.commands.run_private import refuse_others, run_private
            from synth_worker.private_run import PrivateAsk

            refuse_others(
                {
                    "--seed": seed != 0,
                    "--time-budget": time_budget != "10m",
                    "--profile": profile != "standard",
                    "--prefer": prefer != "balanced",
                    "--target": target is not None,
                    "--group-key": group_key is not None,
                    "--resume": resume,
                    "--text": text is not ask.Text.DROP,
                    "--balance": balance is not None,
                    "--search": search is not ask.Search.AUTO,
                    "--rows independent": asked.independent,
                }
            )
            private = PrivateAsk(
                method,
                epsilon,
                delta,
                attempts=attempts or 1,
                bounds=bounds,
                privacy_unit=privacy_unit or "",
                max_rows_per_unit=max_rows_per_unit,
                rows=asked.count,
                population=population,
                where_clause=where or "",
            )
            code = run_private(
                place or Path(source),
                private,
                table=table or "",
                fresh=fresh,
                out=out,
                schema=schema,
                threads=threads,
                as_json=as_json,
                quiet=quiet,
                debug=debug,
            )
            raise typer.Exit(code)
        from synth_worker.commands.run import run_table
        from synth_worker.run import Options

        options = Options(
            method=method,
            rows=asked.count,
            seed=seed,
            attempts=attempts or 3,
            time_budget=budget,
            profile=profile,
            prefer=prefer,
            target=target,
            group_key=group_key,
            rows_independent=asked.independent,
            text=str(text),
            threads=threads,
            balance=balance,
            search=str(search),
            warm_start=warm_start,
        )
        code = run_table(
            Path(source), options, out=out, schema=schema, resume=resume, as_json=as_json, quiet=quiet, debug=debug
        )
        raise typer.Exit(code)


@app.command()
def evaluate(
    *,
    train: Annotated[Path, typer.Option(help="The real rows that the synthetic table was made from.")],
    holdout: Annotated[Path, typer.Option(help="Real rows of the same kind that it was not made from.")],
    synthetic: Annotated[Path, typer.Option(help="The synthetic table to judge.")],
    profile: ask.Profile = "standard",
    target: ask.Target = None,
    schema: ask.SchemaFile = None,
    group_key: ask.GroupKey = None,
    rows: ask.Independent = None,
    seed: ask.Seed = 0,
    threads: ask.Threads = 2,
    as_json: ask.Json = False,
    quiet: ask.Quiet = False,
    debug: ask.Debug = False,
) -> None:
    """Judge a synthetic table of any origin by the same gates as run does."""
    from synth_worker.commands.asked import check_names, rows_of
    from synth_worker.commands.exits import Guard
    from synth_worker.errors import BadInput

    with Guard(as_json=as_json, debug=debug):
        check_names(profile=profile)
        asked = rows_of(rows or [])
        if asked.count is not None:
            raise BadInput(f"--rows is {asked.count}", hint="evaluate makes no rows; the word independent is allowed")
        from synth_worker.commands.evaluate import evaluate_files

        code = evaluate_files(
            train=train,
            holdout=holdout,
            synthetic=synthetic,
            profile=profile,
            target=target,
            schema=schema,
            group_key=group_key,
            rows_independent=asked.independent,
            seed=seed,
            threads=threads,
            as_json=as_json,
            quiet=quiet,
            debug=debug,
        )
        raise typer.Exit(code)


@app.command()
def schema(source: ask.Source, *, table: ask.TableName = None, debug: ask.Debug = False) -> None:
    """Print what each column of TABLE was taken for, as JSON to edit and hand to --schema."""
    from synth_worker.commands.exits import Guard
    from synth_worker.database.urls import located, place_of

    with Guard(debug=debug):
        place = place_of(located(source), table=table)
        if place is not None:
            from synth_worker.commands.run_private import show_declared

            raise typer.Exit(show_declared(place, table=table or "", debug=debug))
        from synth_worker.commands.schema import show_schema

        raise typer.Exit(show_schema(Path(source), debug=debug))


@app.command()
def grid(
    table: ask.TableArgument,
    *,
    method: Annotated[str, typer.Option(metavar="NAME", help="A method with a guarantee: mst or aim.")] = "mst",
    epsilons: Annotated[
        str, typer.Option(metavar="E,E,...", help="The epsilons, each a release of its own; all are charged.")
    ] = "0.5,1,2,5,10",
    schema: ask.SchemaFile = None,
    out: ask.Out = None,
    time_budget: ask.TimeBudget = "none",
    delta: ask.Delta = 1e-7,
    bounds: ask.Bounds = "estimate",
    privacy_unit: ask.PrivacyUnit = None,
    max_rows_per_unit: ask.MaxRows = 1,
    population: ask.Population = "default",
    threads: ask.Threads = 2,
    as_json: ask.Json = False,
    debug: ask.Debug = False,
) -> None:
    """Train and measure a private table of TABLE at each of several epsilons, charged to the ledger."""
    from synth_worker.commands.asked import seconds_of
    from synth_worker.commands.exits import Guard

    with Guard(as_json=as_json, debug=debug):
        seconds = seconds_of(time_budget)
        from synth_worker.commands.grid import grid_epsilons
        from synth_worker.private_run import PrivateAsk

        asked = PrivateAsk(
            method,
            1.0,
            delta,
            bounds=bounds,
            privacy_unit=privacy_unit or "",
            max_rows_per_unit=max_rows_per_unit,
            population=population,
        )
        code = grid_epsilons(
            table, asked, epsilons, out=out, schema=schema, seconds=seconds, threads=threads, as_json=as_json
        )
        raise typer.Exit(code)


@app.command()
def tables(
    *,
    method: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of one method only. Default: all.", show_default=False)
    ] = None,
    as_json: ask.Json = False,
    debug: ask.Debug = False,
) -> None:
    """Print the parameters that are suggested for each method and size of table."""
    from synth_worker.commands.tables import show_tables

    raise typer.Exit(show_tables(method=method, as_json=as_json, debug=debug))


@app.command()
def pareto(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    *,
    prefer: Annotated[
        str | None,
        typer.Option(
            parser=ask.preference,
            metavar="privacy|balanced|utility",
            help="Choose along the front anew, without training; or by weights, as privacy=0.7,utility=0.3. Default: "
            "the run's own.",
            show_default=False,
        ),
    ] = None,
    as_json: ask.Json = False,
    debug: ask.Debug = False,
) -> None:
    """Show which attempts of RUN no other beats in privacy and utility at once, and which a preference chooses."""
    from synth_worker.commands.pareto import show_front

    raise typer.Exit(show_front(run, prefer=prefer, as_json=as_json, debug=debug))


@app.command()
def sample(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run's folder, or the model folder inside it.")],
    *,
    rows: Annotated[int, typer.Option(parser=ask.whole(1), metavar="N", help="Rows to draw.")],
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="COL=VALUE", help="Fix a column to a value; may be repeated.", show_default=False),
    ] = None,
    seed: ask.Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="A new file for the rows. Default: CSV on standard output.", show_default=False)
    ] = None,
    debug: ask.Debug = False,
) -> None:
    """Draw rows from a model that a run left; they carry no certificate."""
    from synth_worker.commands.asked import given_of
    from synth_worker.commands.exits import Guard

    with Guard(debug=debug):
        fixed = given_of(given or [])
        from synth_worker.commands.sample import sample_model

        raise typer.Exit(sample_model(model, rows=rows, given=fixed, seed=seed, out=out, debug=debug))


@app.command()
def query(
    *,
    config: Annotated[Path, typer.Option(metavar="FILE", help="YAML: the connection, and what is asked.")],
    out: Annotated[Path, typer.Option(help="A new .csv or .parquet file; its metadata goes beside it.")],
    as_json: ask.Json = False,
    debug: ask.Debug = False,
) -> None:
    """Ask a database for a private sample, charged to its budget, and write down what it guarantees."""
    from synth_worker.commands.query import ask_database

    raise typer.Exit(ask_database(config, out=out, as_json=as_json, debug=debug))


@app.command("demo-hospital")
def demo_hospital(
    *,
    out: Annotated[
        str,
        typer.Option(
            metavar="PLACE",
            help="A new folder of Parquet files, a new .duckdb file, or postgresql://user@host/database.",
        ),
    ] = "patient_data",
    patients: Annotated[int, typer.Option(parser=ask.whole(1), metavar="N", help="Patients to make up.")] = 100_000,
    seed: ask.Seed = 0,
    debug: ask.Debug = False,
) -> None:
    """Make up a hospital's patient database to try everything on; nobody in it is real."""
    from synth_worker.commands.demo_hospital import make_hospital

    raise typer.Exit(make_hospital(out, patients=patients, seed=seed, debug=debug))


app.command()(grants)
app.add_typer(ledger_app)
app.add_typer(audit_app)


def main() -> None:
    """Run the command line and exit."""
    # The command itself and not app(): that would put its own hook in place of sys.excepthook.
    typer.main.get_command(app)(prog_name="gesalp")


if __name__ == "__main__":
    main()

"""Declare the options that commands share, with the sentences that ``--help`` shows."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from synth_worker.commands.asked import METHODS

PREFERENCES = ("privacy", "balanced", "utility")
"""Known here too, so that the usual case loads nothing."""


class Text(StrEnum):
    """Name what becomes of free text, which is never modelled."""

    DROP = "drop"
    FAKE = "fake"


def whole(least: int) -> Callable[[str | int], int]:
    """Return a reader of whole numbers whose refusal names the value and what is allowed."""

    def read(text: str | int) -> int:  # a default comes as the number it is
        plain = str(text).strip()
        if not plain.isdecimal() or int(plain) < least:
            raise typer.BadParameter(f"{text!r} is not a whole number of at least {least}")
        return int(plain)

    return read


def preference(text: str) -> str:
    """Check a preference: one of three names, or weights; the refusal names what is allowed."""
    if text not in PREFERENCES:
        from synth_worker.errors import GesalpError
        from synth_worker.search.pareto import read_weights

        try:
            read_weights(text)
        except GesalpError as error:
            raise typer.BadParameter(str(error)) from error
    return text


TableArgument = Annotated[
    Path, typer.Argument(metavar="TABLE", help="CSV, TSV, Parquet, Feather/Arrow or Excel file.", show_default=False)
]
Source = Annotated[
    str,
    typer.Argument(
        metavar="TABLE",
        help="CSV, TSV, Parquet, Feather/Arrow or Excel file; or with --table a database: "
        "postgresql://user@host/database, duckdb:path, sqlite:path.",
        show_default=False,
    ),
]
TableName = Annotated[
    str | None,
    typer.Option(
        "--table", metavar="NAME", help="The table or view of a database, as [schema.]name.", show_default=False
    ),
]
Method = Annotated[
    str,
    typer.Option(
        help=f"auto tries the methods cheapest first; or a method's name: {', '.join(METHODS[1:])}.", metavar="NAME"
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for the results. Default: TABLE's name with -synthetic, here.", show_default=False),
]
Rows = Annotated[
    list[str] | None,
    typer.Option(
        metavar="N|independent",
        help="Rows to make (default: as many as TABLE has). The word independent says that rows are the unit although "
        "a key repeats; the option may be given twice.",
        show_default=False,
    ),
]
Independent = Annotated[
    list[str] | None,
    typer.Option(
        "--rows",
        metavar="independent",
        help="The word independent says that rows are the unit although a key repeats.",
        show_default=False,
    ),
]
Seed = Annotated[
    int, typer.Option(parser=whole(0), metavar="N", help="The same seed gives the same bytes, whatever --threads is.")
]
Attempts = Annotated[
    int | None,
    typer.Option(
        parser=whole(1),
        metavar="N",
        help="At most so many attempts. Default: 3; with --epsilon 1, as more divide it.",
        show_default=False,
    ),
]
TimeBudget = Annotated[
    str, typer.Option(metavar="TIME", help="90s (or 90), 10m, 2h or none; the search leaves time for the certificate.")
]
Profile = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Gates to judge by: standard, research, hipaa_like, gdpr_like, ema_public, clinical_strict.",
    ),
]
Prefer = Annotated[
    str,
    typer.Option(
        parser=preference,
        metavar="privacy|balanced|utility",
        help="What decides among attempts that pass; or weights, as privacy=0.7,utility=0.3.",
    ),
]


class Search(StrEnum):
    """Name who chooses the next attempt."""

    AUTO = "auto"
    BAYESIAN = "bayesian"
    GRID = "grid"


SearchOption = Annotated[
    Search,
    typer.Option(
        "--search",
        help="auto: methods cheapest first; bayesian: a model of the attempts chooses a method's settings; grid: all "
        "of a grid, as far as --attempts and --time-budget allow.",
    ),
]
WarmStart = Annotated[
    bool,
    typer.Option("--warm-start/--no-warm-start", help="Begin with what won on similar tables of earlier runs."),
]
Target = Annotated[
    str | None,
    typer.Option(metavar="COL", help="The column that models of this table predict.", show_default=False),
]
GroupKey = Annotated[
    str | None,
    typer.Option(
        metavar="COL", help="The column that names the person, where one person has several rows.", show_default=False
    ),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option("--schema", metavar="FILE", help="What each column means, from gesalp schema.", show_default=False),
]
Threads = Annotated[
    int, typer.Option(parser=whole(1), metavar="N", help="CPU threads; they change the speed, never the result.")
]
TextOption = Annotated[Text, typer.Option("--text", help="Leave free text out, or make up placeholders.")]
Balance = Annotated[
    str | None,
    typer.Option(
        metavar="COL[=LABEL:SHARE,...]",
        help="Make a second table in which the labels of COL have equal (or these) shares, with its own verdict.",
        show_default=False,
    ),
]
Epsilon = Annotated[
    float | None,
    typer.Option(
        help="Bound what the run tells of any one unit; for mst and aim, charged to a budget.", show_default=False
    ),
]
Delta = Annotated[float, typer.Option(help="The probability with which the bound of --epsilon may fail.")]
Bounds = Annotated[
    str,
    typer.Option(
        metavar="estimate|public-only",
        help="Pay for bounds and categories that the schema does not declare public, or refuse.",
    ),
]
PrivacyUnit = Annotated[
    str | None,
    typer.Option(metavar="COL", help="The column that names the person whose privacy is meant.", show_default=False),
]
MaxRows = Annotated[
    int, typer.Option(parser=whole(1), metavar="N", help="So many rows of one person count at most; more noise.")
]
Where = Annotated[
    str | None,
    typer.Option(
        metavar="CONDITION",
        help="Of a database's table, learn from these rows alone, as \"age >= 18 AND ward = 'C3'\".",
        show_default=False,
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Charge anew for a database's table that was answered before.")]
Population = Annotated[str, typer.Option(metavar="NAME", help="The persons whose budget in the ledger is charged.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output; progress as JSON lines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, one line at the end.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a bug instead of logging it.")]

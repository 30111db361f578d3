"""Carry out ``gesalp grants``: write the script that makes a role which can read what it is given and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from synth_worker.commands.exits import Guard
from synth_worker.database.connection import TableName
from synth_worker.database.grants import grant_script
from synth_worker.errors import BadInput


def write_grants(role: str, tables: Sequence[str], *, database: str, debug: bool = False) -> int:
    """Write the script to standard output; it holds no password."""
    with Guard(debug=debug):
        own = dict(map(table_of, tables))
        if len(own) < len(tables):
            raise BadInput("--table names a table twice", hint="list its columns once, behind a colon")
        typer.echo(grant_script(role, own, database=database), nl=False)
    return 0


def table_of(text: str) -> tuple[TableName, list[str]]:
    """Read ``table`` or ``table:column,column``. Raises BadInput for an empty name.

    >>> table_of("public.stays:age,ward")
    (TableName(schema='public', name='stays'), ['age', 'ward'])
    """
    name, colon, columns = text.partition(":")
    found = [one.strip() for one in columns.split(",")] if colon else []
    if colon and not all(found):
        raise BadInput(f"--table {text!r} has a colon and lacks a column", hint="--table stays:age,ward")
    return TableName.parse(name.strip()), found

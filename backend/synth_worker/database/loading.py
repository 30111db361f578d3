"""Fill a PostgreSQL database with tables that we made up: the one place that writes to a database of data."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence

import psycopg
import pyarrow as pa
from pyarrow import csv

from synth_worker.database.credentials import Credentials
from synth_worker.database.dialect import quoted
from synth_worker.database.postgres_opening import Connection, connected
from synth_worker.database.postgres_tls import KNOWN, NEEDED
from synth_worker.errors import BadInput, QueryFailed

EXISTING = "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND relnamespace = current_schema()::regnamespace"
AT_ONCE = 50_000
"""Rows that are written as text at a time."""


def load(
    credentials: Mapping[str, object],
    *,
    before: Sequence[str],
    blocks: Iterable[Mapping[str, pa.Table]],
    after: Sequence[str] = (),
    new: Sequence[str] = (),
) -> dict[str, int]:
    """Run ``before``, copy each block's tables in, run ``after``: one transaction. Return the rows of each table.

    The connection is verified as one that reads is; the role must be able to create. Raises BadInput where one of the
    names in ``new`` exists, DatabaseRefused for a server that is not proved, QueryFailed where it refuses.
    """
    held = Credentials(credentials)
    held.check("postgresql", known=KNOWN, needed=NEEDED)
    rows: dict[str, int] = {}
    try:
        with connected(held) as connection:
            found = connection.execute(EXISTING, (list(new),)).fetchall()
            if found:
                names = ", ".join(sorted(str(row[0]) for row in found))
                raise BadInput(
                    f"the database {held.text('database')!r} holds {names} already",
                    hint="name an empty database; nothing was changed",
                )
            for one in before:
                connection.execute(one.encode())
            for block in blocks:
                for name, table in block.items():
                    _copy(connection, name, table)
                    rows[name] = rows.get(name, 0) + table.num_rows
            for one in (*after, *(f"ANALYZE {quoted(name)}" for name in rows)):
                connection.execute(one.encode())
    except psycopg.Error as error:
        kind = type(error).__name__
    else:
        return rows
    raise QueryFailed(
        f"the database {held.text('database')!r} refused to be filled ({kind})",
        hint="the role needs the right to create in its first schema; nothing was changed",
    )


def _copy(connection: Connection, name: str, table: pa.Table) -> None:
    columns = ", ".join(quoted(one) for one in table.column_names)
    statement = f"COPY {quoted(name)} ({columns}) FROM STDIN (FORMAT csv)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for batch in table.to_batches(max_chunksize=AT_ONCE):
            text = io.BytesIO()
            csv.write_csv(batch, text, csv.WriteOptions(include_header=False))
            copy.write(text.getvalue())

"""Measure how long a million rows take from PostgreSQL over verified TLS to columns in memory.

    python -m benchmarks.raw_speed

appends rows to records/raw_speed.jsonl: seconds of the clock and of this process's CPU, the machine's load,
the encryption, peak memory.
"""

from __future__ import annotations

import os
import resource
import time

from benchmarks.rows import append
from synth_worker.database.connection import Statement, TableName
from synth_worker.database.registry import open_database
from tests.database.server import Server, running

ROWS = 1_000_000
COLUMNS = {
    "id": "bigint",
    "age": "smallint",
    "weight": "double precision",
    "cost": "numeric(10,2)",
    "sex": "text",
    "diagnosis": "varchar(10)",
    "admitted": "date",
    "seen": "timestamp with time zone",
    "smoker": "boolean",
    "visits": "integer",
}
MADE = """
SELECT i, (i % 95 * 7919) % 95, CASE WHEN i % 10 > 0 THEN 40 + random() * 80 END, round((random() * 10000)::numeric, 2),
  (ARRAY['f', 'm', 'x'])[1 + i % 3], 'D' || lpad((i % 700)::text, 4, '0'), date '2015-01-01' + (i % 3650)::integer,
  timestamptz '2015-01-01 08:00:00+00' + i * interval '3 minutes', i % 4 = 0, (random() * 20)::integer
FROM generate_series(1, {rows}) AS i
"""


def fill(server: Server, rows: int) -> None:
    """Make the table ``raw`` of ten columns."""
    columns = ", ".join(f"{name} {declared}" for name, declared in COLUMNS.items())
    server.run(f"CREATE TABLE raw ({columns})", f"INSERT INTO raw {MADE.format(rows=rows)}", "VACUUM ANALYZE raw")
    server.run("GRANT SELECT ON raw TO reader")


def measured(server: Server, rows: int) -> dict[str, object]:
    """Read all rows and columns once."""
    database = open_database("postgresql", server.credentials())
    table = TableName(None, "raw")
    names = ", ".join(database.dialect.quoted(name) for name in database.columns(table))
    statement = Statement(f"SELECT {names} FROM {table.to_sql()}")  # noqa: S608 - names are quoted
    wall, cpu = time.perf_counter(), time.process_time()
    with database.snapshot() as snapshot:
        found = snapshot.arrow(statement)
    seconds, own = time.perf_counter() - wall, time.process_time() - cpu
    assert (found.num_rows, found.num_columns) == (rows, len(COLUMNS))
    assert not [one.name for one in found.schema if str(one.type) == "string" and one.name not in ("sex", "diagnosis")]
    return {
        "rows": rows,
        "columns": len(COLUMNS),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(own, 2),
        "load": round(os.getloadavg()[0], 1),
        "encryption": database.health().encryption,
        "arrow_mb": round(found.nbytes / 1e6),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }


if __name__ == "__main__":
    with running() as own_server:
        fill(own_server, ROWS)
        for _ in range(3):
            row = measured(own_server, ROWS)
            append("raw_speed", row)
            print(row)

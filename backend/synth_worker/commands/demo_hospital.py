"""Carry out ``gesalp demo-hospital``: make up patients and write them where they can be asked."""

from __future__ import annotations

from pathlib import Path

import typer

from synth_worker.commands.exits import Guard
from synth_worker.database.urls import Located, located
from synth_worker.demo.hospital import blocks
from synth_worker.demo.hospital_store import DATABASES, VIEW, write_duckdb, write_folder, write_postgres
from synth_worker.errors import BadInput

OUT = "patient_data"


def make_hospital(out: str, *, patients: int, seed: int = 0, debug: bool = False) -> int:
    """Write a made-up hospital to ``out``: a new folder, a new .duckdb file, or ``postgresql://user@host/database``."""
    with Guard(debug=debug):
        place = located(out)
        made = blocks(patients, seed=seed)
        if place is None:
            path = Path(out)
            if path.suffix and path.suffix not in DATABASES:
                raise BadInput(
                    f"--out {out} is neither a folder nor a DuckDB file",
                    hint=f"name a folder, a file that ends in {DATABASES[0]}, or postgresql://user@host/database",
                )
            rows = (write_duckdb if path.suffix else write_folder)(made, path)
            place = Located("duckdb", {"path": path})
        elif place.db_type == "postgresql":
            rows = write_postgres(made, place.credentials)
        else:
            raise BadInput(f"--out {out}: only PostgreSQL is filled by a url", hint="name a folder or a .duckdb file")
        typer.echo("\n".join([*(f"{name}: {count:,} rows" for name, count in rows.items()), *_next(out, place)]))
    return 0


def _next(out: str, place: Located) -> list[str]:
    url = out if place.db_type == "postgresql" else f"duckdb:{out}"
    lines = ["nobody in it is real; a view shows one row per admission"]
    if place.db_type == "postgresql":
        lines.append("ask it as a role that can only read: gesalp grants prints the script that makes one")
    return [*lines, f"next: gesalp run {url} --table {VIEW} --epsilon 1 --privacy-unit patient_id"]

"""State what is public of the real tables: bounds as anyone would set them who knows the field and not the rows.

Round numbers beside the ranges that the tables' own descriptions give; the labels are those of their code books, and
whether a column may be empty is part of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from synth_worker.table import Table

BOUNDS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "adult": {
        "age": (16, 90),
        "fnlwgt": (0, 1_500_000),
        "education-num": (1, 16),
        "capital-gain": (0, 99_999),
        "capital-loss": (0, 5_000),
        "hours-per-week": (0, 99),
    },
    "flchain": {
        "age": (50, 110),
        "sample.yr": (1995, 2003),
        "kappa": (0, 50),
        "lambda": (0, 50),
        "flc.grp": (1, 10),
        "creatinine": (0, 20),
        "futime": (0, 6_000),
    },
    "randhie": {
        "mdvis": (0, 100),
        "lncoins": (0, 5),
        "lpi": (0, 8),
        "fmde": (0, 9),
        "physlm": (0, 1),
        "disea": (0, 60),
    },
}


def declared(table: Table, name: str) -> Table:
    """Return the table under a schema whose bounds and labels are declared."""
    bounds = BOUNDS[name]
    columns = [
        replace(column, public=True, low=float(bounds[column.name][0]), high=float(bounds[column.name][1]))
        if column.continuous
        else replace(column, public=True)
        for column in table.schema
    ]
    return Table(table.schema.having(columns), table.frame, table.units)

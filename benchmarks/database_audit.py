"""Audit answers from neighbouring databases: a lower bound of the epsilon really spent, beside the one claimed.

    python -m benchmarks.database_audit --draws 300 --keep [--cases "a record alone, locally"]

Two databases differ in one person, or one value. What is looked at: the number of rows, a label that only this person
has, and rows that have this label and the person's gender or the oldest age. Everything runs as in a request (filter,
draw, bound, counts in DuckDB, noise, tree, drawn table) but for the ledger.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.rows import append
from synth_worker.database.connection import Snapshot, TableName
from synth_worker.database.registry import open_database
from synth_worker.database.selecting import Selection
from synth_worker.database.source import DatabaseSource
from synth_worker.privacy.noise import opendp_noise
from synth_worker.query.columns import schema_of
from synth_worker.query.conditions import condition_of
from synth_worker.query.config import QueryConfig
from synth_worker.query.randomising import part_of, randomise
from synth_worker.query.synthesising import synthesise
from tests.database.made import patient_rows, put
from tests.privacy.auditing import lower_epsilon

TABLE = "patient_records"
LABELS = {"diagnosis": ["I10", "E11", "RARE"], "gender": ["F", "M"]}


@dataclass(frozen=True)
class Case:
    """Hold a request, the rows of a person to add (or to put in place of another's), and what is looked at."""

    name: str
    config: QueryConfig
    rows: int
    replaced: bool = False
    others: int = 60


def cases() -> Iterator[Case]:
    """Yield what is audited."""
    person = {"privacy_unit": "patient"}
    two = ["diagnosis", "gender"]
    yield Case("a row, drawn", QueryConfig(TABLE, two, sample_fraction=0.9, dp_epsilon=1.0, categories=LABELS), 1)
    yield Case("a person of 50 rows", QueryConfig(TABLE, two, dp_epsilon=1.0, categories=LABELS, **person), 50)  # type: ignore[arg-type]
    yield Case(
        "a person of 50 rows, 3 count",
        QueryConfig(TABLE, two, dp_epsilon=1.0, categories=LABELS, max_rows_per_unit=3, **person),  # type: ignore[arg-type]
        50,
    )
    yield Case("labels and bounds estimated", QueryConfig(TABLE, ["diagnosis", "age"], dp_epsilon=2.0, delta=1e-3), 1)
    yield Case("a filter", QueryConfig(TABLE, two, "age > 20", dp_epsilon=2.0, categories=LABELS), 1)
    local = QueryConfig(TABLE, two, dp_epsilon=2.0, mode="local", categories=LABELS)
    yield Case("a record, locally", local, 1, replaced=True)
    # Where the budget allows to tell much, an audit that works has to find much.
    own = {"diagnosis": LABELS["diagnosis"]}
    alone = QueryConfig(TABLE, ["diagnosis"], dp_epsilon=2.0, mode="local", categories=own)
    yield Case("a record alone, locally", alone, 1, replaced=True, others=0)
    much = QueryConfig(TABLE, ["diagnosis"], dp_epsilon=8.0, categories=own)
    yield Case("a row, at a large epsilon", much, 1)


def databases(case: Case, folder: Path) -> tuple[Path, Path]:
    """Write two databases that differ in the case's person, who alone has the rare label and the oldest age."""
    others = patient_rows(60, seed=1).assign(patient=np.arange(60), diagnosis="I10")
    person = pd.concat([others.iloc[[0]]] * case.rows, ignore_index=True)
    person = person.assign(patient=1_000, diagnosis="RARE", gender="M", age=119)
    others = others.iloc[: case.others]
    plain = pd.concat([person.assign(diagnosis="I10", gender="F"), others]) if case.replaced else others
    return put(folder / "without", plain), put(folder / "with", pd.concat([person, others], ignore_index=True))


def statistics(case: Case, data: Path, draws: int) -> dict[str, np.ndarray]:
    """Return what is looked at in many answers, each shape (draws,)."""
    config = case.config
    database = open_database("duckdb", {"path": str(data)})
    columns = database.columns(TableName.parse(TABLE))
    selection = Selection(
        database.dialect,
        TableName.parse(TABLE),
        columns,
        key="k",
        content=tuple(config.columns),
        condition=condition_of(config, columns, database.dialect),
        fraction=config.sample_fraction,
        unit=config.unit,
        most=config.max_rows_per_unit,
    )
    schema = schema_of(config, columns)

    def answer(snapshot: Snapshot) -> pd.DataFrame:
        if config.mode == "local":
            each = part_of(config.dp_epsilon or 0, parts=len(config.columns))
            return randomise(snapshot, selection, schema, exact={}, each=each, limit=None, noise=opendp_noise())
        return synthesise(DatabaseSource(snapshot, selection, ("diagnosis",)), config, schema).table.frame

    with database.snapshot() as snapshot:
        frames = [answer(snapshot) for _ in range(draws)]
    looks: dict[str, Callable[[pd.DataFrame], float]] = {
        "rows": len,
        "rare": lambda frame: float((frame["diagnosis"] == "RARE").sum()),
        "joint": lambda frame: float(((frame["diagnosis"] == "RARE") & like_person(frame)).sum()),
    }
    return {name: np.array([look(frame) for frame in frames], dtype=float) for name, look in looks.items()}


def like_person(frame: pd.DataFrame) -> pd.Series:
    """Tell which rows have the person's gender, or where that was not asked for, the oldest age."""
    if "gender" in frame:
        return frame["gender"] == "M"
    return frame["age"] == frame["age"].max() if "age" in frame else frame["diagnosis"] == "RARE"


def main() -> None:
    """Audit every case and print, or keep, one row for each statistic."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--keep", action="store_true", help="append the figures to the record")
    parser.add_argument("--cases", default="", help="only those of these names, joined by ;")
    given = parser.parse_args()
    for case in (one for one in cases() if not given.cases or one.name in given.cases.split(";")):
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            without, present = databases(case, Path(folder))
            one, other = statistics(case, without, given.draws), statistics(case, present, given.draws)
        for name in one:
            delta = case.config.delta if case.config.mode != "local" else 0.0
            found = lower_epsilon(one[name], other[name], delta=delta)
            row = {
                "case": case.name,
                "statistic": name,
                "draws": given.draws,
                "claimed": case.config.dp_epsilon,
                "at_least": round(found, 3),
                "holds": found <= float(case.config.dp_epsilon or 0),
                "seconds": round(time.monotonic() - start, 1),
            }
            print(row, flush=True)
            if given.keep:
                append("database_audit", row)


if __name__ == "__main__":
    main()

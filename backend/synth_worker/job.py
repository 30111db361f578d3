"""Prepare a run: check what is asked, divide the rows, say what a table is delivered as."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from synth_worker.balancing import Balance, column_of, read_balance
from synth_worker.distinct import count_distinct
from synth_worker.errors import BadInput, Cancelled, UnknownName
from synth_worker.gates import CROSSFIT_BELOW, GateSet, profile
from synth_worker.generators.registry import GENERATORS
from synth_worker.looks import count_look
from synth_worker.loop import Drawn, Event
from synth_worker.reading import read_like
from synth_worker.run import DataFacts, Options
from synth_worker.search.bayesian import check_search
from synth_worker.search.choosing import BAYESIAN, SEARCHES
from synth_worker.search.pareto import read_weights
from synth_worker.search.portfolio import Ask, Warm
from synth_worker.seeds import Streams
from synth_worker.settings import Settings
from synth_worker.splitting import key_of, split
from synth_worker.storage import RunFolder
from synth_worker.suggesting import sentences
from synth_worker.surrogates import complete
from synth_worker.table import Split, Table, row_hashes
from synth_worker.writing import write_table

MIN_ROWS = 30
SUFFIXES = (".csv", ".tsv", ".parquet", ".feather", ".arrow", ".xlsx")


def check_options(options: Options) -> GateSet:
    """Refuse options that cannot be meant; return the profile's gates."""
    if options.method != "auto" and options.method not in GENERATORS:
        raise UnknownName.of("method", options.method, ["auto", *GENERATORS])
    if options.method != "auto" and GENERATORS[options.method].guarantee:
        raise BadInput(
            f"method {options.method!r} gives a guarantee, and attempts that are judged by real rows would void it",
            hint="run it under a budget: gesalp run --epsilon, or synthesize_private in Python",
        )
    read_weights(options.prefer)
    if options.search not in SEARCHES:
        raise UnknownName.of("search", options.search, SEARCHES)
    if options.search == BAYESIAN:
        check_search()
    if options.text not in ("drop", "fake"):
        raise UnknownName.of("way to treat free text", options.text, ("drop", "fake"))
    for name, value, least in (
        ("attempts", options.attempts, 1),
        ("threads", options.threads, 1),
        ("rows", options.rows, 2),
        ("seed", options.seed, 0),
        ("time_budget", options.time_budget, 1),
    ):
        if value is not None and value < least:
            raise BadInput(f"{name} is {value:g}; at least {least} is needed")
    return profile(options.profile)


@dataclass(frozen=True)
class Job:
    """Hold what one run works on."""

    table: Table
    modelled: Table
    own: Split
    options: Options
    gates: GateSet
    data: DataFacts
    folder: RunFolder
    table_name: str
    event: Event
    cancelled: Callable[[], bool]
    start: float
    cpu: float
    balance: Balance | None = None
    warm: Sequence[Warm] = ()

    @property
    def streams(self) -> Streams:
        return Streams(self.options.seed)

    @property
    def crossfitted(self) -> bool:
        return self.own.certificate is None

    @property
    def rows(self) -> int:
        return self.options.rows or self.table.rows

    @property
    def ask(self) -> Ask:
        asked = self.options
        first = "" if self.balance is None else self.balance.column
        return Ask(
            asked.method,
            asked.seed,
            asked.attempts,
            self.table.rows,
            asked.prefer,
            first,
            asked.time_budget,
            search=asked.search,
            warm=self.warm,
            learnt=self.own.train.rows,
        )

    @property
    def stratum(self) -> str | None:
        """Return the column over which rows are divided evenly."""
        return self.options.target or (None if self.balance is None else self.balance.column)

    def tell(self, message: Mapping[str, object]) -> None:
        """Pass an event on, unless the user has cancelled."""
        if self.cancelled():
            raise Cancelled("cancelled; finished attempts are kept")
        self.event(message)

    def deliver(self, drawn: Table, out: Path) -> Drawn:
        """Write the table as it would leave the house, and read it back: that file is what is measured."""
        whole = complete(
            drawn,
            self.table.schema,
            streams=self.streams.child("surrogates"),
            text="fake" if self.options.text == "fake" else "drop",
            real=self.table,
        )
        write_table(whole, out / self.table_name)
        back, broken = read_like(out / self.table_name, self.table.schema)
        return Drawn(back.modelled(), broken)


def begin(
    source: str | Path | pd.DataFrame,
    table: Table,
    *,
    asked: Options,
    gates: GateSet,
    out: Path,
    event: Event,
    cancelled: Callable[[], bool],
    start: float,
    cpu: float,
) -> Job:
    modelled = table.modelled()
    if not len(modelled.schema):
        raise BadInput("no column can be modelled: all are identifiers, free text or constant", hint="edit the schema")
    if table.rows < MIN_ROWS:
        raise BadInput(
            f"the table has {table.rows} rows; at least {MIN_ROWS} are needed",
            hint="no synthetic table of fewer records could be told from its source by any test",
        )
    if asked.target is not None and asked.target not in modelled.schema:
        raise UnknownName.of("target column", asked.target, modelled.schema.names)
    name = "data frame" if isinstance(source, pd.DataFrame) else Path(source).name
    said = (*table.notes, *_repeats(modelled), *sentences(modelled))
    data = DataFacts(_sha256(source, table), table.rows, len(table.schema), name, notes=said)
    stratum = asked.target or (None if asked.balance is None else column_of(asked.balance, table.schema))
    own = split(modelled, key=key_of(data.sha256), certified=table.rows >= CROSSFIT_BELOW, target=stratum)
    balance = None if asked.balance is None else read_balance(asked.balance, table=table, train=own.train)
    suffix = "" if isinstance(source, pd.DataFrame) else Path(source).suffix.lower()
    return Job(
        table=table,
        modelled=modelled,
        own=own,
        options=asked,
        gates=gates,
        data=data,
        folder=RunFolder(out),
        table_name=f"synthetic{suffix if suffix in SUFFIXES else '.csv'}",
        event=event,
        cancelled=cancelled,
        start=start,
        cpu=cpu,
        balance=balance,
    )


def count(job: Job, settings: Settings, *, what: str = "") -> tuple[int, tuple[str, ...]]:
    """Count a look of this run at the certificate rows; return its number, and a remark where it was not counted.

    ``what`` tells the looks of one run apart: each table that is judged is one.
    """
    # Another time budget may end the search elsewhere and so find another table: that is another look.
    asked = {**request(job), "time_budget": job.options.time_budget, **({"what": what} if what else {})}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    try:
        return count_look(settings.folder, data_sha256=job.data.sha256, run=digest), ()
    except (OSError, sqlite3.Error) as error:
        return 1, (f"looks at the certificate rows could not be counted ({error}); this was taken as the first",)


def request(job: Job) -> dict[str, object]:
    asked = asdict(job.options)
    del asked["threads"], asked["time_budget"]  # neither changes the result; both may differ when resumed
    return {**asked, "data_sha256": job.data.sha256, "schema": job.table.schema.to_json()}


def _sha256(source: str | Path | pd.DataFrame, table: Table) -> str:
    if isinstance(source, pd.DataFrame):
        # Stating a constraint must not choose another division of the rows.
        digest = hashlib.sha256(replace(table.schema, constraints=()).to_json().encode())
        digest.update(row_hashes(table).tobytes())
        return digest.hexdigest()
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _repeats(modelled: Table) -> tuple[str, ...]:
    """Say so where many rows repeat: the table may hold several rows per person without saying which."""
    hashes = row_hashes(modelled)
    share = 1 - count_distinct(hashes.view(np.int64)) / len(hashes)
    if share < 0.05:
        return ()
    return (
        f"{share:.0%} of the rows equal an earlier row; if one person can stand in several rows, name the key with "
        "--group-key: without it every figure is about rows, not persons",
    )

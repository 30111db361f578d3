"""Run a private job from a table to a released one: what ``gesalp run --epsilon`` and the worker call.

    read -> refuse what cannot be given a guarantee -> charge -> attempts -> stage whole -> release -> settle
    -> figures for the data holder, which nobody else sees and nothing depends on

All rows are learnt from: a holdout would cost accuracy, and nothing that is released may depend on it anyway. So the
internal figures are about the very rows that were learnt from, and say so; membership is not attacked, the guarantee
bounds it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Protocol

import pandas as pd

from synth_worker.database.ledgers import open_ledger
from synth_worker.errors import BadInput, BudgetExceeded, LedgerUnusable
from synth_worker.evaluation import INCOMPUTABLE
from synth_worker.generators.dp_domain import is_public
from synth_worker.generators.registry import GENERATORS
from synth_worker.job import SUFFIXES
from synth_worker.loop_dp import Counted, Finished, check_private, cost_of, divide, run_attempts
from synth_worker.metrics.base import Comparison
from synth_worker.metrics.dependence import FAMILY as DEPENDENCE
from synth_worker.metrics.marginals import MARGINS
from synth_worker.privacy.budget import Cost, halved
from synth_worker.privacy.entries import Pool, Receipt, Request, normalised
from synth_worker.privacy.ledger import Ledger
from synth_worker.privacy.opening import open_by_policy
from synth_worker.private_reading import read_private
from synth_worker.private_run import EPSILONS, PrivateAsk, PrivateColumn, PrivateRun, Shares, private_json
from synth_worker.private_storage import Left, PrivateFolder
from synth_worker.process import silent
from synth_worker.report.private import write_private_report
from synth_worker.schema import Schema
from synth_worker.seeds import Streams
from synth_worker.settings import Settings
from synth_worker.storage import RUN
from synth_worker.table import Table
from synth_worker.writing import write_table

PACKAGES = ("gesalp", "numpy", "opendp")

Event = Callable[[Mapping[str, object]], None]


class PrivateSource(Protocol):
    """Be what a private job learns from, elsewhere than in a file or a frame: a table of a database.

    ``suffix`` is the form in which the released table is written.
    """

    @property
    def suffix(self) -> str: ...

    def named(self, ledger: Ledger) -> str:
        """Return the keyed name of the data's present content."""
        ...

    def counted(self, schema: Schema, receipt: Receipt) -> Counted:
        """Return what counts these columns, now that they are paid for."""
        ...


Source = str | Path | pd.DataFrame | PrivateSource


@dataclass(frozen=True)
class Released:
    """Hold how a private job ended: its folder, the run card, whether an earlier answer was handed out again."""

    folder: Path
    card: Mapping[str, object]
    replayed: bool = False

    @property
    def exit_code(self) -> int:
        """Return 0: the job ended within its budget. Whatever is wrong is raised."""
        return 0


def synthesize_private(
    source: Source,
    ask: PrivateAsk,
    *,
    schema: Schema | None,
    out: Path,
    ledger: Ledger | None = None,
    settings: Settings | None = None,
    threads: int = 1,
    event: Event = silent,
    cancelled: Callable[[], bool] = lambda: False,
    charged: Callable[[Receipt], None] = lambda _receipt: None,
) -> Released:
    """Make a table under differential privacy and release it into ``out``, which must be new or empty.

    ``ledger`` is where it is charged; None opens the one of the settings, and a population that nobody opened yet gets
    the policy's budget, which is told. ``charged`` is called between the charge and the first look. Raises
    BudgetExceeded, LedgerUnusable, BadInput and its kinds before anything is charged; TrainingFailed, Cancelled after:
    what was charged then is lost.
    """
    start = time.monotonic()
    folder = PrivateFolder(out)
    folder.check()
    given = _public(schema)
    if ask.where_clause and isinstance(source, str | Path | pd.DataFrame):
        raise BadInput("a condition is for the table of a database", hint="leave the rows out of the table")
    check_private(ask, given, counts_only=not isinstance(source, str | Path | pd.DataFrame))
    if ledger is None:
        where = settings or Settings()
        with open_ledger(where, create=True) as own:
            open_by_policy(own, ask.population, settings=where, event=event)
            return synthesize_private(
                source,
                ask,
                schema=schema,
                out=out,
                ledger=own,
                threads=threads,
                event=event,
                cancelled=cancelled,
                charged=charged,
            )
    request = request_of(source, ask, schema=given, ledger=ledger)
    finished = take_up(folder, request, ledger=ledger, event=event)
    if finished is not None:
        return finished
    answer = ledger.answer(request)
    if answer and (Path(answer) / RUN).exists():
        ledger.spend(request, cost_of(ask, given))  # costs nothing: it is on record
        event({"event": "stopped", "why": f"the same was answered before, in {answer}; nothing was charged"})
        if Path(answer).resolve() != out.resolve():
            folder.copy_from(Path(answer))
        return Released(out, folder.card(), replayed=True)
    opened = _opened(source, given, unit=ask.privacy_unit)
    shares = divide(cost_of(ask, given), attempts=ask.attempts)
    receipt = charge(folder, request, shares, ask=ask, ledger=ledger, event=event)
    charged(receipt)
    data = opened(receipt)
    ended = run_attempts(data, ask, shares, threads=threads, tell=event, cancelled=cancelled)
    pool = ledger.pools()[ask.population]
    run = card_of(ask, ended, shares, schema=given, pool=pool, file=f"synthetic{_suffix(source)}")
    _stage(folder, run, ended)
    if isinstance(data, Counted):  # its rows are not here, so no figure about them is
        return _release(folder, receipt, ledger=ledger, figures=None)
    return _release(
        folder,
        receipt,
        ledger=ledger,
        figures=lambda: internal_figures(data, ended.candidate.table, request=request, start=start),
    )


def request_of(source: Source, ask: PrivateAsk, *, schema: Schema, ledger: Ledger) -> Request:
    """Return the request as the ledger knows it; the data goes in as a keyed hash of its content."""
    return Request(ask.population, ask.principal, normalised(ask.normal(schema.to_json())), _named(source, ledger))


def charge(
    folder: PrivateFolder, request: Request, shares: Shares, *, ask: PrivateAsk, ledger: Ledger, event: Event = silent
) -> Receipt:
    """Begin the folder and charge the request; once this returns, the spend is on the disk.

    Raises BudgetExceeded with the epsilons that would still fit.
    """
    pool = ledger.pools().get(ask.population)
    if pool is not None:
        _check_fits(pool, shares.total, ask=ask)
    folder.begin({"request": request.asked, "data": request.data, "population": request.population})
    event({"event": "read", "what": f"charging {shares.total} to the population {ask.population!r}"})
    folder.spending()
    receipt = ledger.spend(request, shares.total, again=True)
    folder.spent(receipt)
    return receipt


def _check_fits(pool: Pool, cost: Cost, *, ask: PrivateAsk) -> None:
    """Refuse what does not fit, naming what would: by permission of the budget only."""
    try:
        pool.check(cost, principal=ask.principal)
    except BudgetExceeded as error:
        raise BudgetExceeded(error.message, hint=f"{error.hint}{_way_out(pool, cost, ask=ask)}") from error


def _way_out(pool: Pool, cost: Cost, *, ask: PrivateAsk) -> str:
    """Say what would fit: a smaller epsilon of the grid, or categories that cost no delta."""
    if cost.delta_atto > pool.left.delta_atto:
        smaller = ", or choose a smaller --delta" if pool.left.delta_atto else ""
        return f"; finding categories costs half of --delta: declare them public in the schema{smaller}"
    fitting = [one for one in EPSILONS if _fits(pool, replace(ask, epsilon=one), cost)]
    return f"; epsilon {', '.join(f'{one:g}' for one in fitting)} would fit" if fitting else ""


def _fits(pool: Pool, ask: PrivateAsk, like: Cost) -> bool:
    limit = halved(ask.epsilon, ask.delta).limit
    try:
        pool.check(Cost(limit.rho_nano, like.delta_atto), principal=ask.principal)
    except BudgetExceeded:
        return False
    return True


def take_up(folder: PrivateFolder, request: Request, *, ledger: Ledger, event: Event = silent) -> Released | None:
    """Release what an interrupted run of the same request has left complete: no noise is drawn, nothing charged.

    What it left incomplete after a charge is lost; that is told, and the caller decides whether to charge again.
    """
    left = folder.left()
    if left in (Left.NOTHING, Left.UNCHARGED):
        return None
    if left is Left.LOST:
        event({"event": "read", "what": "an interrupted run was charged and left no answer; that is lost"})
        return None
    if dict(folder.asked()) != {"request": request.asked, "data": request.data, "population": request.population}:
        raise BadInput(
            f"{folder.part} holds a complete answer to another request",
            hint="release it by repeating that command, or name another folder with --out",
        )
    receipt = folder.receipt()
    if not ledger.knows(sequence=receipt.sequence, mark=receipt.mark):
        raise LedgerUnusable(
            f"{folder.part} was paid for by entry {receipt.sequence}, which the ledger does not know",
            hint="the ledger was set back or is another; nothing is released",
        )
    event({"event": "stopped", "why": "the answer of an interrupted run was complete; nothing was charged"})
    return _release(folder, receipt, ledger=ledger, figures=None)


def card_of(ask: PrivateAsk, ended: Finished, shares: Shares, *, schema: Schema, pool: Pool, file: str) -> PrivateRun:
    """Return what may be told of a run."""
    candidate = ended.candidate
    domain = {True: "public", False: "estimated"}
    columns = [
        PrivateColumn(one.name, str(one.kind), domain[is_public(one)])
        for one in schema
        if one.name in candidate.table.schema
    ]
    return PrivateRun(
        ask=ask,
        mechanism=GENERATORS[candidate.method].guarantee,
        shares=shares,
        columns=tuple(columns),
        left_out=tuple(one.name for one in schema if one.name not in candidate.table.schema),
        rows=candidate.table.rows,
        file=file,
        method=candidate.method,
        chosen=ended.number,
        parts=tuple(candidate.learnt.spent),
        budget=pool.budget,
        left=pool.left,
        versions={"python": python_version(), **{name: version(name) for name in PACKAGES}},
    )


def _stage(folder: PrivateFolder, run: PrivateRun, ended: Finished) -> None:
    """Write everything that goes out into the part, the run card last."""
    table = ended.candidate.table
    write_table(table, folder.part / run.file)
    (folder.part / "model").mkdir()
    ended.candidate.generator.save(folder.part / "model")
    write_private_report(run, synthetic=table, folder=folder.part)
    folder.complete(run)


def _release(
    folder: PrivateFolder,
    receipt: Receipt,
    *,
    ledger: Ledger,
    figures: Callable[[], Mapping[str, object]] | None,
) -> Released:
    """Hand out the complete part, tell the ledger where, and only then look at real figures."""
    folder.release()
    ledger.settle(receipt, reference=str(folder.path.resolve()))
    if figures is not None:
        folder.keep_internal(figures())
    return Released(folder.path, folder.card())


def internal_figures(real: Table, made: Table, *, request: Request, start: float) -> dict[str, object]:
    """Return what the data holder may see: the exact count, the time, how near the margins and pairs are.

    A figure that cannot be computed is told as such; no failure here changes how a run ends.
    """
    figures: dict[str, object] = {}
    real = Table(real.schema, real.frame)
    for family in (MARGINS, DEPENDENCE):
        try:
            comparison = Comparison.of(train=real, holdout=real, synthetic=made, streams=Streams(0).child("internal"))
            scores = family.compute(comparison)
        except INCOMPUTABLE as error:
            figures[family.name] = f"could not be computed: {error}"
        else:
            figures.update({name: score.value for name, score in scores.items()})
    return {
        "about": "exact figures about the rows that were learnt from; they are not private: do not pass them on",
        "rows": real.rows,
        "data": request.data,
        "seconds": round(time.monotonic() - start, 3),
        "figures": figures,
    }


def _public(schema: Schema | None) -> Schema:
    if schema is None:
        raise BadInput(
            "a run with an epsilon needs --schema: what kind each column is must not be found in the data",
            hint="`gesalp schema TABLE > schema.json` writes one to look through; bounds and categories count only "
            'where you add "public": true',
        )
    return schema


def _opened(source: Source, schema: Schema, *, unit: str) -> Callable[[Receipt], Table | Counted]:
    """Return what hands out the data once it is paid for; a file is read before: one that cannot be costs nothing."""
    if not isinstance(source, str | Path | pd.DataFrame):
        return partial(source.counted, schema)
    table = read_private(source, schema, unit=unit)
    return lambda _receipt: table


def _suffix(source: Source) -> str:
    if not isinstance(source, str | Path | pd.DataFrame):
        return source.suffix
    suffix = "" if isinstance(source, pd.DataFrame) else Path(source).suffix.lower()
    return suffix if suffix in SUFFIXES else ".csv"


def _named(source: Source, ledger: Ledger) -> str:
    if not isinstance(source, str | Path | pd.DataFrame):
        return source.named(ledger)
    if isinstance(source, pd.DataFrame):
        digest = hashlib.sha256(repr([(str(name), str(kind)) for name, kind in source.dtypes.items()]).encode())
        digest.update(pd.util.hash_pandas_object(source, index=False).to_numpy().tobytes())
        return ledger.fingerprint(digest.digest())
    with Path(source).open("rb") as file:
        return ledger.fingerprint(hashlib.file_digest(file, "sha256").digest())


__all__ = ["PrivateSource", "Released", "private_json", "synthesize_private"]

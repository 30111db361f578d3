"""Run the main job from a table to a certified synthetic one: what ``gesalp run`` and ``sw.synthesize`` call."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import pandas as pd

from synth_worker.crossfit import FoldResult, Procedure, certify_crossfitted, run_folds
from synth_worker.errors import Cancelled, TrainingFailed
from synth_worker.evaluation import certify
from synth_worker.exchange import save_table
from synth_worker.generators.registry import GENERATORS
from synth_worker.job import Job, begin, check_options, count, request
from synth_worker.looks import alpha_of
from synth_worker.loop import Event, ProcessTrainer, Task, attempts
from synth_worker.lossgap import asking, with_losses
from synth_worker.metrics.base import Comparison
from synth_worker.process import Worker, never, silent
from synth_worker.reading import read_like, read_table
from synth_worker.rebalance import rebalance
from synth_worker.remembering import learn, warmed
from synth_worker.report import sentence, write_reports
from synth_worker.run import (
    CANCELLED,
    FINISHED,
    GIVEN,
    Attempt,
    Certificate,
    Options,
    Rebalanced,
    Run,
    SplitFacts,
)
from synth_worker.schema import Schema
from synth_worker.search.pareto import chosen
from synth_worker.search.passed_over import passed_over
from synth_worker.settings import Settings
from synth_worker.storage import RunFolder
from synth_worker.surrogates import notes
from synth_worker.table import Table
from synth_worker.writing import to_frame

CERTIFICATE_SHARE = 0.3
"""The share of the time budget that is kept for the certificate and the report."""

PACKAGES = ("gesalp", "numpy", "pandas", "scipy", "scikit-learn", "pyarrow", "duckdb")


def synthesize(
    source: str | Path | pd.DataFrame,
    *,
    out: str | Path | None = None,
    schema: Schema | None = None,
    resume: bool = False,
    event: Event = silent,
    cancelled: Callable[[], bool] = never,
    settings: Settings | None = None,
    options: Options | None = None,
    method: str = "auto",
    rows: int | None = None,
    seed: int = 0,
    attempts: int = 3,
    time_budget: float | None = 600.0,
    profile: str = "standard",
    prefer: str = "balanced",
    target: str | None = None,
    group_key: str | None = None,
    rows_independent: bool = False,
    text: str = "drop",
    threads: int = 2,
    balance: str | None = None,
    search: str = "auto",
    warm_start: bool = False,
) -> Run:
    """Make a certified synthetic table from a file or a data frame.

    ``out`` is the folder that receives the table, the reports, the run card and the model; without it nothing is
    left on disk, and ``run.best.synthetic`` holds the table. ``options`` takes the place of the keywords from
    ``method`` on.

    Raises BadInput (and its kinds) for a table or an option that cannot be used, Cancelled never: a cancelled run
    returns with the best attempt so far and ``run.stopped == "cancelled"``.
    """
    start, cpu = time.monotonic(), cpu_seconds()
    asked = options or Options(
        method=method,
        rows=rows,
        seed=seed,
        attempts=attempts,
        time_budget=time_budget,
        profile=profile,
        prefer=prefer,
        target=target,
        group_key=group_key,
        rows_independent=rows_independent,
        text=text,
        threads=threads,
        balance=balance,
        search=search,
        warm_start=warm_start,
    )
    gates = check_options(asked)
    if out is None:
        with tempfile.TemporaryDirectory(prefix="gesalp-") as folder:
            run = synthesize(
                source,
                out=Path(folder) / "run",
                schema=schema,
                event=event,
                cancelled=cancelled,
                settings=settings,
                options=asked,
            )
        return replace(run, folder=None, attempts=[replace(one, folder=None) for one in run.attempts])
    RunFolder(Path(out)).check(resume=resume)
    with Worker() as worker:
        worker.warm()
        event({"event": "read", "what": "reading the table"})
        table = read_table(source, schema=schema, group_key=asked.group_key, rows_independent=asked.rows_independent)
        job = begin(
            source,
            table,
            asked=asked,
            gates=gates,
            out=Path(out),
            event=event,
            cancelled=cancelled,
            start=start,
            cpu=cpu,
        )
        if schema is not None:
            job = replace(job, data=replace(job.data, schema=GIVEN))
        done = job.folder.open(request(job), resume=resume)
        event({"event": "begin", "folder": str(job.folder.path)})
        try:
            held = job.folder.finished()
            if held is not None:
                event({"event": "stopped", "why": "this run is already finished; nothing was changed"})
                return _with_table(job, held)
            read = cache(partial(_read, job))  # the same file is certified and reported
            where = settings or Settings()
            job = warmed(job, where)
            ended, ruled, stopped = _run(job, worker, done, where, read=read)
            worker.close()  # a child's CPU time counts once it has ended
            try:
                return _finish(job, ended, ruled, stopped, read=read)
            except KeyboardInterrupt:
                return _finish(job, ended, ruled, CANCELLED, read=read)
        finally:
            job.folder.clear()


Ruled = tuple[Certificate, Rebalanced | None] | None
"""The certificate, with the balanced table and its own where one was asked for; None without."""


Read = Callable[[Path], tuple[Table, dict[str, str]]]
"""Reads the delivered table in an attempt's folder, and which columns broke their form."""


def _run(
    job: Job, worker: Worker, done: list[Attempt], settings: Settings, *, read: Read
) -> tuple[list[Attempt], Ruled, str]:
    """Make attempts, then certify the best; a cancelled run returns what it has."""
    ended = list(done)
    try:
        save_table(job.own.train, job.folder.work / "train")
        save_table(job.own.validation, job.folder.work / "validation")
        deadline = None
        if job.options.time_budget is not None:
            deadline = job.start + job.options.time_budget * (1 - CERTIFICATE_SHARE)
        trainer = ProcessTrainer(
            worker,
            job.folder.work,
            job.rows,
            job.streams,
            job.deliver,
            threads=job.options.threads,
            cancelled=job.cancelled,
            deadline=deadline,
        )
        task = Task(
            job.own,
            job.gates,
            job.ask,
            job.streams,
            target=job.options.target,
            threads=job.options.threads,
            deadline=deadline,
        )
        for attempt in attempts(task, trainer=trainer, earlier=done, event=job.tell):
            ended.append(job.folder.keep_attempt(attempt, trainer.folder(attempt.number)))
            trainer.ended(attempt.number)
            job.tell({"event": "attempt", "attempt": ended[-1]})
        best = chosen(ended, prefer=job.options.prefer)
        if best is None:
            return ended, None, "every fit failed"
        learn(job, ended, settings)
        folds = cache(partial(_folds, job))
        certificate = _certify(job, best, settings, folds, worker=worker, read=read)
        balanced = rebalance(job, _folder(best) / "model", settings=settings, folds=folds)
        return ended, (certificate, balanced), FINISHED
    except (Cancelled, KeyboardInterrupt):
        return ended, None, CANCELLED


def _step(job: Job, what: str, done: int, total: int) -> None:
    job.tell({"event": "certify", "what": what, "done": done, "total": total})


def _folds(job: Job) -> list[FoldResult]:
    asked = job.options
    procedure = Procedure(
        job.ask,
        asked.profile,
        job.own.key,
        rows_share=job.rows / job.table.rows,
        target=asked.target,
        balance=job.balance,
    )
    return run_folds(
        job.modelled,
        procedure,
        work=job.folder.work,
        threads=asked.threads,
        cancelled=job.cancelled,
        step=partial(_step, job),
    )


def _read(job: Job, folder: Path) -> tuple[Table, dict[str, str]]:
    return read_like(folder / job.table_name, job.table.schema)


def _certify(
    job: Job, best: Attempt, settings: Settings, folds: Callable[[], list[FoldResult]], *, worker: Worker, read: Read
) -> Certificate:
    held = job.folder.certificate()
    if held is not None:
        return held
    look, remarks = count(job, settings)
    step = partial(_step, job)
    delivered, broken = read(_folder(best))
    asked = job.options
    if job.own.certificate is not None:
        comparison = Comparison.of(
            train=job.own.train,
            holdout=job.own.certificate,
            synthetic=delivered,
            streams=job.streams.child("certify"),
            reference=job.own.validation,
            target=asked.target,
            threads=asked.threads,
            alpha=alpha_of(look),
        )
        ask = asking(
            worker,
            _folder(best) / "model",
            work=job.folder.work,
            streams=job.streams.child("attempt", best.number),
            cancelled=job.cancelled,
        )
        trained = GENERATORS[best.plan.method].trained
        comparison, why = with_losses(
            comparison, ask if trained else None, train=job.own.train, holdout=job.own.certificate
        )
        remarks = (*remarks, why) if why else remarks
        found = certify(comparison, job.gates, mode="holdout", look=look, broken=broken, step=step)
    else:
        found = certify_crossfitted(
            job.modelled,
            folds(),
            delivered=delivered,
            own=job.own,
            gates=job.gates,
            streams=job.streams.child("certify"),
            target=asked.target,
            threads=asked.threads,
            alpha=alpha_of(look),
            look=look,
            broken=broken,
            step=step,
        )
    found = replace(found, notes=(*found.notes, *remarks))
    job.folder.keep_certificate(found)
    return found


def _finish(job: Job, ended: list[Attempt], ruled: Ruled, stopped: str, *, read: Read) -> Run:
    """Hand out the best attempt, write the reports, and the run card last."""
    certificate, rebalanced = ruled or (None, None)
    best = chosen(ended, prefer=job.options.prefer)
    own = job.own
    run = Run(
        options=job.options,
        data=job.data,
        split=SplitFacts(
            train=own.train.rows,
            validation=own.validation.rows,
            certificate=0 if own.certificate is None else own.certificate.rows,
            mode="cross-fit" if job.crossfitted else "holdout",
            key=own.key,
            unit="row" if job.table.units is None else str(job.options.group_key),
            stratified_by=job.stratum or "",
        ),
        versions={"python": python_version(), **{name: version(name) for name in _packages(ended)}},
        attempts=ended,
        best_number=None if best is None else best.number,
        certificate=certificate,
        seconds=time.monotonic() - job.start,
        cpu_seconds=cpu_seconds() - job.cpu,
        stopped=stopped,
        folder=job.folder.path,
        notes=[*job.data.notes, *notes(job.table.schema, job.options.text), *_overrun(job), *_better(job, ended, best)],
        rebalanced=rebalanced,
    )
    run = replace(run, statement=sentence(run))
    if best is not None:
        delivered, _broken = read(_folder(best))
        ended[ended.index(best)] = replace(best, synthetic=to_frame(delivered))
        job.folder.publish(best, job.table_name)
        if certificate is not None and stopped != CANCELLED:
            job.event({"event": "report", "what": "writing the report"})
            holdout = own.validation if own.certificate is None else own.certificate
            write_reports(
                run,
                folder=job.folder.path,
                train=own.train,
                holdout=holdout,
                synthetic=delivered.modelled(),
                schema=job.table.schema,
            )
    told = dict.fromkeys((*run.notes, *_overrun(job)))
    run = replace(run, notes=list(told), seconds=time.monotonic() - job.start, cpu_seconds=cpu_seconds() - job.cpu)
    job.folder.finish(run)
    return run


def _better(job: Job, ended: list[Attempt], best: Attempt | None) -> tuple[str, ...]:
    told = passed_over(ended, best, asked=job.options.method)
    return (told,) if told else ()


def _packages(ended: list[Attempt]) -> tuple[str, ...]:
    """Return the packages that computed: PyTorch only where something was trained."""
    trained = any(GENERATORS[one.plan.method].trained and not one.failure for one in ended)
    return (*PACKAGES, "torch") if trained else PACKAGES


def _overrun(job: Job) -> list[str]:
    """Say so where the time budget did not suffice: the certificate is not given up for it."""
    budget = job.options.time_budget
    if budget is None or time.monotonic() - job.start <= budget:
        return []
    return [
        f"the run took longer than its time budget of {budget:g} s: the search ended early, but what was being "
        "measured and the certificate are always finished"
    ]


def _with_table(job: Job, run: Run) -> Run:
    """Return a run that was read back, with the table that it delivers."""
    delivered, _broken = read_like(_folder(run.best) / job.table_name, job.table.schema)
    best = replace(run.best, synthetic=to_frame(delivered))
    return replace(run, attempts=[best if one.number == best.number else one for one in run.attempts])


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _folder(attempt: Attempt) -> Path:
    if attempt.folder is None:
        raise TrainingFailed(f"attempt {attempt.number} left no folder")
    return attempt.folder

"""Certify the procedure on a small table: run it whole on each four fifths, attack it with the fifth it never saw.

With a few hundred rows a single set of held-out rows cannot decide an attack (its interval is as wide as .47 to .63).
Cross-fitting makes every record a non-member once, which narrows the interval by the number of folds. What is
certified is the procedure; the delivered table comes from one more run of it, and its utility, duplicates and
distances are measured on the file itself.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from synth_worker.balancing import Balance, draw_balanced
from synth_worker.errors import BadInput, TrainingFailed
from synth_worker.evaluation import INCOMPUTABLE, Step, check_power, measure, unheard
from synth_worker.exchange import load_table, save_table
from synth_worker.gates import Facts, GateSet, Ruling, profile, rule
from synth_worker.generators.base import Generator
from synth_worker.generators.registry import GENERATORS
from synth_worker.loop import InlineTrainer, Task, attempts
from synth_worker.lossgap import UNANSWERED, losses_of
from synth_worker.metrics.base import Comparison, Losses, Score, Scores
from synth_worker.metrics.closeness import dcr_share, pool_shares
from synth_worker.metrics.duplicates import count_copies, score_copies
from synth_worker.metrics.membership import run_battery, score_battery
from synth_worker.process import Worker, never
from synth_worker.run import Certificate
from synth_worker.search.pareto import chosen
from synth_worker.search.portfolio import Ask
from synth_worker.seeds import Streams
from synth_worker.splitting import folds, split
from synth_worker.table import Ints, Split, Table

FOLDS = 5
FOLD_JOB = "synth_worker.crossfit:fold_job"


@dataclass(frozen=True)
class Procedure:
    """Hold what is certified: the whole way from a table to a synthetic one."""

    ask: Ask
    profile: str
    key: str
    rows_share: float
    target: str | None = None
    balance: Balance | None = None

    @property
    def stratum(self) -> str | None:
        """Return the column over which rows are divided evenly."""
        return self.target or (None if self.balance is None else self.balance.column)


@dataclass(frozen=True)
class FoldResult:
    """Hold one fold: positions (in the whole table) of the rows learnt from and of the rows held out.

    ``balanced`` is the same model's table at the shares asked for, where some are. ``losses`` are its losses on members
    and on held-out rows, where the method has a loss of a record.
    """

    members: Ints
    held: Ints
    synthetic: Table
    balanced: Table | None = None
    losses: Losses | None = None


def fold_job(payload: Mapping[str, object], _report: Callable[[Mapping[str, object]], None]) -> Mapping[str, object]:
    """Run the procedure on one fold's rows in a child process; the synthetic table is left in ``out``."""
    table = load_table(Path(str(payload["table"])))
    used = np.asarray(payload["used"], dtype=np.int64)
    ask = Ask(**cast("dict[str, object]", payload["ask"]))  # pyright: ignore[reportArgumentType]
    target = cast("str | None", payload["target"])
    balance = cast("dict[str, object] | None", payload["balance"])
    asked = None if balance is None else Balance(**balance)  # pyright: ignore[reportArgumentType]
    stratum = target or (None if asked is None else asked.column)
    inner = inner_split(
        table.take(used), key=str(payload["key"]), number=cast("int", payload["number"]), target=stratum
    )
    streams = Streams(ask.seed).child("fold", str(payload["number"]))
    trainer = InlineTrainer(inner, round(len(used) * float(cast("float", payload["rows_share"]))), streams, {})
    task = Task(inner, profile(str(payload["profile"])), ask, streams, target=target)
    best = chosen(list(attempts(task, trainer=trainer)), prefer=ask.prefer)
    if best is None:
        raise TrainingFailed(f"fold {payload['number']}: no attempt ended with a table")
    out = Path(str(payload["out"]))
    save_table(trainer.drawn[best.number], out)
    if asked is not None:
        _save_balanced(trainer.models[best.number], asked, trainer, out=_balanced(out))
    members = used[inner.train_rows]
    held = table.take(np.setdiff1d(np.arange(table.rows), used))
    losses = None
    if GENERATORS[best.plan.method].trained:
        with suppress(*UNANSWERED):
            losses = losses_of(trainer.models[best.number], inner.train, others=held, streams=streams)
    sides = None if losses is None else {"train": losses.train.tolist(), "holdout": losses.holdout.tolist()}
    return {"members": members.tolist(), "method": best.plan.method, "losses": sides}


def inner_split(table: Table, *, key: str, number: int, target: str | None = None) -> Split:
    """Divide a fold's rows into those to learn from and those to steer by, in each fold in another way.

    Were it the same way in all, some records would never be learnt from, and folds would err together.
    """
    return split(table, key=f"{number} {key}", certified=False, target=target)


def _save_balanced(model: Generator, asked: Balance, trainer: InlineTrainer, *, out: Path) -> None:
    """Leave the fold's balanced table, or none where its rows lack a label that was asked for."""
    with suppress(BadInput):
        save_table(draw_balanced(model, asked, rows=trainer.rows, streams=trainer.streams.child("balance")), out)


def _balanced(out: Path) -> Path:
    return out.with_name(f"{out.name}-balanced")


def run_folds(
    table: Table,
    procedure: Procedure,
    *,
    work: Path,
    threads: int = 1,
    cancelled: Callable[[], bool] = never,
    step: Step = unheard,
) -> list[FoldResult]:
    """Run the procedure on each fold, ``threads`` at a time, each in a process with one thread."""
    save_table(table, work / "whole")
    parts = folds(table, key=procedure.key, count=FOLDS, target=procedure.stratum)
    ended: list[int] = []

    idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()

    def one(number: int) -> FoldResult:
        out = work / f"fold-{number}"
        worker = idle.get()
        try:
            answer = worker.call(
                FOLD_JOB,
                {
                    "table": str(work / "whole"),
                    "out": str(out),
                    "number": number,
                    "used": parts[number].used.tolist(),
                    "ask": asdict(procedure.ask),
                    "profile": procedure.profile,
                    "key": procedure.key,
                    "rows_share": procedure.rows_share,
                    "target": procedure.target,
                    "balance": None if procedure.balance is None else asdict(procedure.balance),
                },
                cancelled=cancelled,
            )
        finally:
            idle.put(worker)
        ended.append(number)
        step("cross-fitting", len(ended), FOLDS)
        members = np.asarray(answer["members"], dtype=np.int64)
        balanced = load_table(_balanced(out)) if _balanced(out).exists() else None
        sides = cast("dict[str, list[float]] | None", answer["losses"])
        losses = None if sides is None else Losses(np.asarray(sides["train"]), np.asarray(sides["holdout"]))
        return FoldResult(members, parts[number].held, load_table(out), balanced, losses)

    step("cross-fitting", 0, FOLDS)
    with ExitStack() as stack:
        for _ in range(threads):
            idle.put(stack.enter_context(Worker()))
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=threads))
        return list(pool.map(one, range(FOLDS)))


def pool_folds(
    table: Table, results: Sequence[FoldResult], *, streams: Streams, threads: int = 1, alpha: float = 0.05
) -> tuple[Scores, list[Comparison]]:
    """Attack every fold and pool the attacks, the copies and the nearest distances into one score each."""
    comparisons = [
        Comparison.of(
            train=table.take(one.members),
            holdout=table.take(one.held),
            synthetic=one.synthetic,
            streams=streams.child("fold", number),
            threads=threads,
            alpha=alpha,
        )
        for number, one in enumerate(results)
    ]
    comparisons = [
        replace(comparison, losses=losses)
        for comparison, losses in zip(comparisons, _all_losses(results, streams), strict=True)
    ]
    batteries = [
        run_battery(comparison, member_ids=one.members, nonmember_ids=one.held)
        for comparison, one in zip(comparisons, results, strict=True)
    ]
    copies = [
        count_copies(comparison, member_ids=one.members) for comparison, one in zip(comparisons, results, strict=True)
    ]
    closeness = [
        dcr_share(_with_the_rest(table, comparison, one)) for comparison, one in zip(comparisons, results, strict=True)
    ]
    found: dict[str, Score] = {
        **score_battery(batteries, alpha=alpha),
        **score_copies(copies, alpha=alpha),
        "dcr_share": pool_shares(closeness, alpha=alpha),
    }
    return found, comparisons


def _all_losses(results: Sequence[FoldResult], streams: Streams) -> list[Losses | None]:
    """Return the losses of every fold, or of none where no fold has any.

    In a fold whose method has none the attacker guesses, as the attacks of all folds are pooled.
    """
    if all(one.losses is None for one in results):
        return [None] * len(results)

    def guessed(number: int, one: FoldResult) -> Losses:
        rng = streams.rng("losses", "guessed", number)
        return Losses(rng.random(len(one.members)), rng.random(len(one.held)))

    return [guessed(number, one) if one.losses is None else one.losses for number, one in enumerate(results)]


def _with_the_rest(table: Table, comparison: Comparison, one: FoldResult) -> Comparison:
    """Let the fold's validation rows compete too: like the certificate's, they steered and were not learnt from."""
    rest = np.setdiff1d(np.arange(table.rows), np.concatenate([one.members, one.held]))
    if len(rest) == 0:
        return comparison
    return Comparison.of(
        train=table.take(one.members),
        holdout=table.take(one.held),
        reference=table.take(rest),
        synthetic=one.synthetic,
        streams=comparison.streams,
        threads=comparison.threads,
        alpha=comparison.alpha,
    )


def _beside_the_file(pooled: Score, own: Score, gates: GateSet) -> Score:
    """Return the procedure's share with the delivered file's own beside it, or that one where it is proven red."""
    gate = next((gate for gate in gates.gates if gate.metric == "dcr_share"), None)
    if gate is not None and rule(gate, own).ruling is Ruling.RED:
        return own
    shown = {"delivered": own.value, "delivered_upper": own.upper}
    return replace(pooled, detail={**pooled.detail, **{name: one for name, one in shown.items() if one is not None}})


def certify_crossfitted(
    table: Table,
    results: Sequence[FoldResult],
    *,
    delivered: Table,
    own: Split,
    gates: GateSet,
    streams: Streams,
    target: str | None = None,
    threads: int = 1,
    alpha: float = 0.05,
    look: int = 1,
    broken: Mapping[str, str] | None = None,
    only_gated: bool = False,
    step: Step = unheard,
) -> Certificate:
    """Join the pooled attacks on the procedure with the delivered file's own figures, and rule.

    ``only_gated`` (calibration) leaves out what no gate reads, and the power check.
    """
    start = time.monotonic()
    try:
        pooled, comparisons = pool_folds(table, results, streams=streams, threads=threads, alpha=alpha)
        power, shortfall = None, ""
        if not only_gated:
            power, shortfall = check_power(
                comparisons,
                gates,
                alpha=alpha,
                member_ids=[one.members for one in results],
                nonmember_ids=[one.held for one in results],
            )
    except INCOMPUTABLE as error:
        reason = f"the cross-fitted attacks could not be computed: {error}"
        pooled = {name: Score.unmeasured(reason) for name in ("mia_auc", "mia_tpr", "copy_excess", "dcr_share")}
        power, shortfall = None, reason
    comparison = Comparison.of(
        train=own.train,
        holdout=own.validation,
        synthetic=delivered,
        streams=streams.child("delivered"),
        target=target,
        threads=threads,
        alpha=alpha,
    )
    try:
        pooled = {**pooled, "dcr_share": _beside_the_file(pooled["dcr_share"], dcr_share(comparison), gates)}
    except INCOMPUTABLE as error:
        pooled = {**pooled, "dcr_share": Score.unmeasured(f"could not be computed: {error}")}
    facts = Facts(certified_rows=table.rows, crossfitted=True, underpowered=shortfall)
    found = measure(comparison, gates, facts=facts, broken=broken, override=pooled, only_gated=only_gated, step=step)
    return Certificate(found, power, "cross-fit", look, table.rows, time.monotonic() - start)

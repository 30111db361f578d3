"""Make and judge the balanced table: the certified model drawn once more, at the shares that were asked for.

Its rows are compared with real rows thinned to the same shares, and class by class with all real rows of the class.
Why, and what was given up: docs/decisions/0013-balance-as-a-second-table.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from synth_worker.balancing import Balance, count_labels, draw_balanced, label_rows, thinned
from synth_worker.crossfit import FoldResult, pool_folds
from synth_worker.errors import BadInput
from synth_worker.evaluation import INCOMPUTABLE, check_power, measure
from synth_worker.gates import Facts, Gate, GateSet
from synth_worker.job import Job, count
from synth_worker.keeping import load
from synth_worker.looks import alpha_of
from synth_worker.loop import Drawn
from synth_worker.metrics import duplicates, marginals
from synth_worker.metrics.base import Comparison, Family, Score, Scores
from synth_worker.reading import read_like
from synth_worker.run import Certificate, PowerCheck, Rebalanced
from synth_worker.schema import Schema
from synth_worker.settings import Settings
from synth_worker.storage import BALANCED
from synth_worker.table import Ints, Table
from synth_worker.writing import to_frame

CLASS_FAMILIES: tuple[Family, ...] = (marginals.MARGINS, duplicates.FAMILY)
CLASS_METRICS = ("ks_mean", "tvd_mean", "dup_rate", "copy_excess")
"""What is ruled on within each label that was given a share, by the profile's own gates."""

POOLED = ("mia_auc", "mia_tpr", "copy_excess")
"""What comes from the folds where the procedure is cross-fitted."""


def rebalance(job: Job, model: Path, *, settings: Settings, folds: Callable[[], list[FoldResult]]) -> Rebalanced | None:
    """Draw the balanced table from the saved model, write it, judge it; None where none was asked for.

    ``folds`` runs the procedure on the folds (once), where it is cross-fitted.
    """
    balance = job.balance
    if balance is None:
        return None
    drawn = draw_balanced(load(model), balance, rows=job.rows, streams=job.streams.child("balance"))
    out = job.folder.work / "balanced"
    out.mkdir(exist_ok=True)
    delivered = job.deliver(drawn, out)
    name = f"synthetic.balanced{Path(job.table_name).suffix}"
    certificate = job.folder.certificate(name=BALANCED)
    if certificate is None:
        look, remarks = count(job, settings, what="balanced")
        certificate = _certify(job, balance, delivered, look=look, folds=folds)
        certificate = replace(certificate, notes=(*certificate.notes, *_notes(job, balance), *remarks))
        job.folder.keep_certificate(certificate, name=BALANCED)
    job.folder.hand_out(out / job.table_name, name)
    rows = count_labels(delivered.synthetic, balance.column)
    whole, _broken = read_like(out / job.table_name, job.table.schema)
    return Rebalanced(balance.column, balance.shares, balance.named, rows, name, certificate, to_frame(whole))


@dataclass(frozen=True, eq=False)
class _Attacked:
    """Hold the comparisons that the attacks run on, their records across folds, and scores pooled from them."""

    comparisons: list[Comparison]
    members: list[Ints] | None
    held: list[Ints] | None
    pooled: Scores


def _certify(
    job: Job, balance: Balance, delivered: Drawn, *, look: int, folds: Callable[[], list[FoldResult]]
) -> Certificate:
    start, alpha = time.monotonic(), alpha_of(look)
    streams = job.streams.child("certify-balanced")

    def step(what: str, done: int, total: int) -> None:
        job.tell({"event": "certify", "what": f"balanced table: {what}", "done": done, "total": total})

    def rows_of(table: Table, label: str) -> Ints:
        return thinned(table, balance, streams.rng("thin", label))

    def thin(table: Table, label: str) -> Table:
        return table.take(rows_of(table, label))

    own = job.own
    held, name = (own.validation, "validation") if own.certificate is None else (own.certificate, "certificate")

    def compare(train: Table, holdout: Table, reference: Table | None, label: str) -> Comparison:
        return Comparison.of(
            train=train,
            holdout=holdout,
            synthetic=delivered.synthetic,
            streams=streams.child(label),
            reference=reference,
            target=job.options.target,
            threads=job.options.threads,
            alpha=alpha,
        )

    reference = None if own.certificate is None else own.validation
    whole = compare(own.train, held, reference, "whole")
    judged = compare(
        thin(own.train, "train"),
        thin(held, name),
        None if reference is None else thin(reference, "reference"),
        "judged",
    )
    attacked, reason = _Attacked([judged], None, None, {}), ""
    if own.certificate is None:
        attacked, reason = _pool(job, folds(), rows_of=rows_of, alpha=alpha)
    gates = _with_classes(job.gates, balance)
    power, shortfall = _power(attacked, gates, alpha=alpha, reason=reason)
    rows = sum(one.holdout.rows for one in attacked.comparisons)
    facts = Facts(certified_rows=rows, crossfitted=own.certificate is None, underpowered=shortfall)
    override = {
        **attacked.pooled,
        **_guarded(marginals.DOMAIN, whole),
        "wrong_dtype": marginals.wrong_dtype_score(delivered.broken, whole),
        **_class_scores(whole, balance),
    }
    found = measure(judged, gates, facts=facts, override=override, step=step)
    mode = "cross-fit" if own.certificate is None else "holdout"
    return Certificate(found, power, mode, look, rows, time.monotonic() - start)


def _pool(
    job: Job, results: list[FoldResult], *, rows_of: Callable[[Table, str], Ints], alpha: float
) -> tuple[_Attacked, str]:
    """Attack the folds' balanced tables with each fold's rows thinned; return why not where that cannot be done."""
    parts: list[FoldResult] = []
    reason = ""
    for number, one in enumerate(results):
        if one.balanced is None:
            reason = f"the rows of fold {number + 1} lack a label that was asked for"
            break
        members = one.members[rows_of(job.modelled.take(one.members), f"members {number}")]
        held = one.held[rows_of(job.modelled.take(one.held), f"held {number}")]
        parts.append(FoldResult(members, held, one.balanced))
    if not reason:
        try:
            pooled, comparisons = pool_folds(
                job.modelled,
                parts,
                streams=job.streams.child("certify-balanced"),
                threads=job.options.threads,
                alpha=alpha,
            )
            return _Attacked(comparisons, [one.members for one in parts], [one.held for one in parts], pooled), ""
        except (*INCOMPUTABLE, BadInput) as error:
            reason = str(error)
    reason = f"the cross-fitted attacks could not be computed: {reason}"
    return _Attacked([], None, None, {name: Score.unmeasured(reason) for name in POOLED}), reason


def _power(attacked: _Attacked, gates: GateSet, *, alpha: float, reason: str) -> tuple[PowerCheck | None, str]:
    if reason:
        return None, reason
    try:
        return check_power(
            attacked.comparisons, gates, alpha=alpha, member_ids=attacked.members, nonmember_ids=attacked.held
        )
    except BadInput as error:
        return None, f"the power check could not be computed: {error}"


def _with_classes(gates: GateSet, balance: Balance) -> GateSet:
    """Return the gates and, for each label that was given a share, those on the rows of that label alone."""
    own = {gate.metric: gate for gate in gates.gates if gate.metric in CLASS_METRICS}
    classes = tuple(
        Gate(_class_name(gate.metric, balance, label), gate.limit, gate.upper_limit, gate.alpha, gate.group)
        for label in balance.named
        for gate in own.values()
    )
    return replace(gates, gates=(*gates.gates, *classes))


def _class_name(metric: str, balance: Balance, label: str) -> str:
    return f"{metric} [{balance.column}={label}]"


def _class_scores(whole: Comparison, balance: Balance) -> Scores:
    """Compare the rows of each label with all real rows of that label, in the other columns."""
    found: dict[str, Score] = {}
    sides = [label_rows(table, balance) for table in (whole.train, whole.holdout, whole.synthetic)]
    for label in balance.named:
        part = replace(
            whole,
            train=_others(whole.train, balance.column, sides[0][label]),
            holdout=_others(whole.holdout, balance.column, sides[1][label]),
            synthetic=_others(whole.synthetic, balance.column, sides[2][label]),
            streams=whole.streams.child("class", label),
            reference=None,
            target=None,
        )
        for family in CLASS_FAMILIES:
            for metric, score in _guarded(family, part).items():
                found[_class_name(metric, balance, label)] = score
    return {name: score for name, score in found.items() if name.split(" [", maxsplit=1)[0] in CLASS_METRICS}


def _others(table: Table, column: str, rows: Ints) -> Table:
    taken = table.take(rows)
    schema = Schema(tuple(one for one in taken.schema if one.name != column))
    return Table(schema, taken.frame[list(schema.names)], taken.units)


def _guarded(family: Family, comparison: Comparison) -> Scores:
    try:
        return family.compute(comparison)
    except (*INCOMPUTABLE, BadInput) as error:
        reason = f"could not be computed: {error}"
        return {metric.name: Score.unmeasured(reason) for metric in family.metrics}


def _notes(job: Job, balance: Balance) -> tuple[str, ...]:
    """Say what the reader of the balanced table's figures has to know."""
    absent = int(job.table.missing(balance.column).sum())
    if not absent:
        return ()
    return (f"{absent} real rows have no value of {balance.column}; the balanced table has no such rows",)

"""Measure one synthetic table against real ones, and judge it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from synth_worker.gates import POWERED_ROWS, Facts, GateSet, Ruling, judge, profile, rule
from synth_worker.metrics.base import Comparison, Family, Score, Scores
from synth_worker.metrics.challenge import Contents
from synth_worker.metrics.marginals import wrong_dtype_score
from synth_worker.metrics.power import pooled_power_check
from synth_worker.metrics.registry import FAMILIES, QUICK
from synth_worker.run import Certificate, Measurement, PowerCheck
from synth_worker.seeds import Streams
from synth_worker.table import Ints, Table

INCOMPUTABLE = (ValueError, ArithmeticError, LookupError, MemoryError, np.linalg.LinAlgError)
"""What a metric may raise on data that it cannot measure; everything else is a bug and shows itself."""

PROVEN_BY = ("mia_auc", "mia_tpr")
"""The gates that have to see injected copies; ``copy_excess`` is left out, it looks for nothing else."""

Step = Callable[[str, int, int], None]
"""Told the name of the family being measured, its place and how many there are."""


def unheard(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def measure(
    comparison: Comparison,
    gates: GateSet,
    *,
    facts: Facts | None = None,
    broken: Mapping[str, str] | None = None,
    override: Scores | None = None,
    only_gated: bool = False,
    step: Step = unheard,
) -> Measurement:
    """Compute every figure of the set that ``comparison.quick`` asks for, and rule on it.

    ``broken`` names columns whose form the delivered file broke, as the reader found. ``override`` replaces figures
    that were pooled elsewhere (cross-fitting). ``only_gated`` leaves out families that no gate reads (calibration). A
    family that cannot be computed leaves its metrics unmeasured, with the reason.
    """
    start = time.monotonic()
    scores: dict[str, Score] = {}
    families = QUICK if comparison.quick else FAMILIES
    if only_gated:
        read = {gate.metric for gate in gates.gates}
        families = tuple(family for family in families if any(metric.name in read for metric in family.metrics))
    skipped = set() if override is None else set(override)
    # One BLAS thread: sums must not depend on the number of threads. Families run pools of their own.
    with threadpool_limits(limits=1):
        for place, family in enumerate(families):
            step(family.name, place, len(families))
            if {metric.name for metric in family.metrics} <= skipped:
                continue
            scores.update(_compute(family, comparison))
    if broken is not None:
        scores["wrong_dtype"] = wrong_dtype_score(broken, comparison)
    if override is not None:
        scores.update(override)
    if comparison.quick:
        # The loop judges by what its quick set measures; the certificate judges by everything.
        measured = {metric.name for family in families for metric in family.metrics} | set(scores)
        gates = replace(gates, gates=tuple(gate for gate in gates.gates if gate.metric in measured))
    return Measurement(scores, judge(scores, gates, facts=facts), time.monotonic() - start)


def _compute(family: Family, comparison: Comparison) -> Scores:
    try:
        found = family.compute(comparison)
    except INCOMPUTABLE as error:
        reason = f"could not be computed: {error}"
        return {metric.name: Score.unmeasured(reason) for metric in family.metrics}
    absent = {metric.name for metric in family.metrics} - set(found)
    return {**found, **{name: Score.unmeasured("its computation gave no figure") for name in absent}}


def check_power(
    comparisons: Sequence[Comparison],
    gates: GateSet,
    *,
    alpha: float,
    member_ids: Sequence[Ints] | None = None,
    nonmember_ids: Sequence[Ints] | None = None,
    contained: Sequence[Contents] | None = None,
) -> tuple[PowerCheck | None, str]:
    """Put copies in and see whether the gates notice; return the check, and why it falls short where it does."""
    own = [gate for gate in gates.gates if gate.metric in PROVEN_BY]

    def green(scores: Scores) -> bool:
        return all(rule(gate, scores.get(gate.metric)).ruling is Ruling.GREEN for gate in own)

    try:
        power = pooled_power_check(
            comparisons,
            green=green,
            alpha=alpha,
            member_ids=member_ids,
            nonmember_ids=nonmember_ids,
            contained=contained,
        )
    except INCOMPUTABLE as error:
        return None, f"the power check could not be computed: {error}"
    check = PowerCheck(power.exact_detected, power.jittered_detected, power.reason)
    if power.exact_detected:
        return check, ""
    rows = sum(one.holdout.rows for one in comparisons)
    defect = " (with so many rows that is a defect of the audit)" if rows >= POWERED_ROWS else ""
    return check, f"underpowered: {rows} held-out rows do not show 5 % copies even when they are put in{defect}"


def certify(
    comparison: Comparison,
    gates: GateSet,
    *,
    mode: str,
    look: int = 1,
    broken: Mapping[str, str] | None = None,
    only_gated: bool = False,
    step: Step = unheard,
    notes: tuple[str, ...] = (),
) -> Certificate:
    """Measure everything once more on rows that served nothing else, check the audit's own power, and rule.

    ``only_gated`` (calibration) leaves out what no gate reads, and the power check.
    """
    start = time.monotonic()
    power, shortfall = (None, "") if only_gated else check_power([comparison], gates, alpha=comparison.alpha)
    facts = Facts(certified_rows=comparison.holdout.rows, underpowered=shortfall)
    measurement = measure(comparison, gates, facts=facts, broken=broken, only_gated=only_gated, step=step)
    return Certificate(measurement, power, mode, look, comparison.holdout.rows, time.monotonic() - start, notes=notes)


def evaluate_tables(
    *,
    train: Table,
    holdout: Table,
    synthetic: Table,
    profile_name: str = "standard",
    target: str | None = None,
    seed: int = 0,
    threads: int = 2,
    broken: Mapping[str, str] | None = None,
    step: Step = unheard,
) -> Certificate:
    """Judge a synthetic table of any origin by the rows it was made from and rows it was not made from.

    The attackers' reference rows are the other challenge rows, leaving out the one attacked.
    """
    comparison = Comparison.of(
        train=train,
        holdout=holdout,
        synthetic=synthetic,
        streams=Streams(seed).child("evaluate"),
        target=target,
        threads=threads,
    )
    return certify(comparison, profile(profile_name), mode="given", broken=broken, step=step)

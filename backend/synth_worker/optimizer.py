"""Find the cause of a failed attempt and suggest parameters: the specification's interface.

    evidence -> failures (gates.judge) -> root causes (optimizing.causes) -> actions (optimizing.remedies) -> Diagnosis

All failures are named, the first is the one to see to: a fit that broke, else what failed with evidence, privacy before
utility, the largest excess over its limit first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from synth_worker.diagnosis import Action, Cause, Diagnosis, FailureType, Finding
from synth_worker.errors import BadInput, UnknownName
from synth_worker.gates import CROSSFIT_BELOW, Judged, Ruling, Verdict, excess, judge, profile
from synth_worker.generators.base import LENGTH
from synth_worker.generators.registry import GENERATORS
from synth_worker.metrics.base import Score
from synth_worker.optimizing.causes import Found, broken_fit, cause_of
from synth_worker.optimizing.evidence import Evidence
from synth_worker.optimizing.remedies import actions_for
from synth_worker.optimizing.tables import length_range, suggested

__all__ = ["Diagnosis", "Evidence", "FailureType", "Optimizer", "diagnose", "get_optimizer"]

FAILURE_OF: Mapping[str, FailureType] = {
    "ks_mean": FailureType.HIGH_KS,
    "tvd_mean": FailureType.HIGH_KS,
    "missing_delta": FailureType.HIGH_KS,
    "corr_delta": FailureType.HIGH_CORR_DELTA,
    "mia_auc": FailureType.HIGH_MIA,
    "mia_tpr": FailureType.HIGH_MIA,
    "outlier_auc": FailureType.HIGH_MIA,
    "attribute_risk": FailureType.HIGH_MIA,
    "linkability_risk": FailureType.HIGH_MIA,
    "singling_out_risk": FailureType.HIGH_MIA,
    "dup_rate": FailureType.HIGH_DUP_RATE,
    "copy_excess": FailureType.HIGH_DUP_RATE,
    "dcr_share": FailureType.HIGH_DCR,
    "wrong_dtype": FailureType.SCHEMA_MISMATCH,
}

MEANINGS: Mapping[FailureType, str] = {
    FailureType.HIGH_KS: "Utility failure: single columns differ from the real ones",
    FailureType.HIGH_CORR_DELTA: "Utility failure: columns do not depend on each other as in the real table",
    FailureType.HIGH_MIA: "Privacy failure: an attacker tells the training records from others",
    FailureType.HIGH_DUP_RATE: "Privacy failure: training records stand in the synthetic table",
    FailureType.HIGH_DCR: "Privacy failure: synthetic rows lie closer to training records than to other real ones",
    FailureType.SCHEMA_MISMATCH: "Schema failure: columns of the file break the input's form",
    FailureType.UNMEASURED: "A gate could not be measured, and what is not measured is not passed",
    FailureType.DIVERGED: "The training diverged",
    FailureType.TIMEOUT: "The time ran out",
    FailureType.OUT_OF_MEMORY: "The memory ran out",
    FailureType.BUDGET_SPENT: "The privacy budget does not hold it",
}
"""What a failure means, by the gate's type or by that of a fit that ended with no table."""

FLAT_METRICS = ("ks_mean", "corr_delta", "mia_auc", "dup_rate")
SHOWN = (LENGTH, "batch_size")
"""What the specification's call returns for `ddpm`; its other settings come from the plan."""

KS_STEP = 100
"""Iterations that are added where columns differed in the attempt before."""


def diagnose(evidence: Evidence) -> Diagnosis:
    """Name all failures of an attempt, the one to see to first at the head, each with its cause and what to change."""
    findings = [_of_fit(evidence)] if evidence.failed is not None else _of_gates(evidence)
    if evidence.names and not any(one.cause is Cause.HEADER_MISSING for one in findings):
        # Gates do not see it, and yet the first record would go out with every table, as the columns' names.
        findings.insert(0, _of_names(evidence))
    if not findings:
        return Diagnosis(FailureType.NONE, _none_failed(evidence))
    first = findings[0]
    kinds = [kind for one in findings for kind in (one.failure_type, _of_metric(one))]
    others = tuple(dict.fromkeys(kind for kind in kinds if kind is not first.failure_type))
    return Diagnosis(first.failure_type, first.sentence, first.actions, others, first.cause, tuple(findings))


def _none_failed(evidence: Evidence) -> str:
    short = [] if evidence.verdict is None else [one.metric for one in evidence.verdict.failures]
    return f"no gate failed; evidence is short for {', '.join(short)}" if short else "all gates met"


def _of_metric(finding: Finding) -> FailureType:
    """Return the failure type of the gate behind a finding, which the evidence may have made more precise."""
    if finding.failure_type is FailureType.UNMEASURED:
        return finding.failure_type
    return FAILURE_OF.get(finding.metric, finding.failure_type)


def _of_fit(evidence: Evidence) -> Finding:
    found = broken_fit(evidence)
    kind = found.failure_type or evidence.failed or FailureType.UNMEASURED
    meaning = MEANINGS.get(kind, "The fit failed")
    return Finding(
        kind, found.cause, f"{meaning}: {found.sentence}", excess=math.inf, actions=actions_for(found.cause, evidence)
    )


def _of_names(evidence: Evidence) -> Finding:
    told = f"columns are named like values ({', '.join(map(repr, evidence.names[:3]))}): the file has no header"
    actions = actions_for(Cause.HEADER_MISSING, evidence)
    kind = FailureType.SCHEMA_MISMATCH
    return Finding(kind, Cause.HEADER_MISSING, f"{MEANINGS[kind]}: {told}", excess=math.inf, actions=actions)


def _of_gates(evidence: Evidence) -> list[Finding]:
    if evidence.verdict is None:
        return []
    return [_of_gate(one, evidence) for one in evidence.verdict.failures if _is_failure(one, evidence)]


def _is_failure(judged: Judged, evidence: Evidence) -> bool:
    """Tell whether a gate that is not green says more than that rows are few.

    A bound alone does for privacy, and for utility on a small table; on a larger one fidelity is what is lacking.
    """
    if judged.ruling is not Ruling.AMBER_PASS or judged.over:
        return True
    return judged.group == "utility" and evidence.rows >= CROSSFIT_BELOW


def _of_gate(judged: Judged, evidence: Evidence) -> Finding:
    unmeasured = judged.ruling is Ruling.UNMEASURED
    kind = FailureType.UNMEASURED if unmeasured else FAILURE_OF.get(judged.metric, FailureType.UNMEASURED)
    found = cause_of(judged, evidence)
    actions = actions_for(found.cause, evidence, metric="" if unmeasured else judged.metric)
    if unmeasured and not actions:
        actions = (Action(f"Measure {judged.metric}, or see why it could not be: {judged.reason}"),)
    return Finding(
        found.failure_type or kind,
        found.cause,
        _sentence(judged, kind, found, evidence),
        judged.metric,
        excess(judged),
        actions,
    )


def _sentence(judged: Judged, kind: FailureType, found: Found, evidence: Evidence) -> str:
    worst = evidence.worst_columns(judged.metric)
    shown = f"{judged.metric}: {judged.reason}" + (f"; most: {worst}" if worst else "")
    return f"{MEANINGS[kind]} ({shown})" + (f"; {found.sentence}" if found.sentence else "")


@dataclass(frozen=True)
class Optimizer:
    """Answer the specification's two calls."""

    profile: str = "standard"

    def analyze_failure(
        self,
        *,
        metrics: Mapping[str, object],
        hyperparams: Mapping[str, str | int | float | bool],
        method: str,
        dataset_size: tuple[int, int],
    ) -> Diagnosis:
        """Return the failure type, the root cause and suggestions; unpacks as a tuple of three.

        ``metrics`` is flat (``ks_mean``, ``corr_delta``, ``mia_auc``, ``dup_rate``) or nested under ``utility`` and
        ``privacy``. A missing or NaN one is unmeasured, and that is a failure. Raises BadInput for a size that is none,
        and for one figure that is given twice with two values.

        >>> found = get_optimizer().analyze_failure(
        ...     metrics={"ks_mean": 0.14, "corr_delta": 0.05, "mia_auc": 0.52, "dup_rate": 0.0},
        ...     hyperparams={"n_iter": 200}, method="ddpm", dataset_size=(1000, 20))
        >>> failure_type, root_cause, suggestions = found
        >>> failure_type, suggestions
        (<FailureType.HIGH_KS: 'high_ks'>, ['Increase n_iter to 300'])
        """
        rows, columns = _check_size(dataset_size)
        verdict = self._verdict(metrics)
        return diagnose(Evidence(method, hyperparams, rows, columns, verdict))

    def diagnose(self, evidence: Evidence) -> Diagnosis:
        """Return the diagnosis of an attempt of which more is known than bare figures."""
        return diagnose(evidence)

    def suggest_hyperparameters(
        self,
        *,
        method: str,
        dataset_size: tuple[int, int],
        previous_metrics: Mapping[str, object] | None = None,
        dp_requested: bool = False,
    ) -> dict[str, str | int | float | bool]:
        """Return hyper-parameters for a method and a table of (rows, columns).

        ``previous_metrics`` are those of an attempt before, and its ``n_iter`` where it is in there.

        >>> get_optimizer().suggest_hyperparameters(
        ...     method="ddpm", dataset_size=(1000, 20), previous_metrics=None, dp_requested=False)
        {'n_iter': 300, 'batch_size': 128}
        """
        rows, columns = _check_size(dataset_size)
        if method not in GENERATORS:
            raise UnknownName.of("method", method, GENERATORS)
        spec = GENERATORS[method]
        if dp_requested and not spec.guarantee:
            private = ", ".join(name for name, one in GENERATORS.items() if one.guarantee)
            raise BadInput(
                f"method {method!r} gives no differential privacy guarantee",
                hint=f"methods that do: {private}; there is no silent fallback",
            )
        found = suggested(method, rows, columns)
        if spec.trained:
            found[LENGTH] = self._length(method, rows, {} if previous_metrics is None else flatten(previous_metrics))
        return {name: found[name] for name in SHOWN} if method == "ddpm" else found

    def _length(self, method: str, rows: int, previous: Mapping[str, float]) -> int:
        low, high = length_range(method, rows)
        limit = next(gate.limit for gate in profile(self.profile).gates if gate.metric == "ks_mean")
        wanted = previous.get("n_iter", float(low)) + (KS_STEP if previous.get("ks_mean", 0.0) > limit else 0)
        return int(min(max(wanted, low), high))

    def _verdict(self, metrics: Mapping[str, object]) -> Verdict:
        flat = flatten(metrics)
        gates = profile(self.profile)
        own = tuple(gate for gate in gates.gates if gate.metric in FLAT_METRICS or gate.metric in flat)
        scores: dict[str, Score] = {}
        for gate in own:
            value = flat.get(gate.metric)
            if value is not None:
                # Bare figures come without an interval: they are taken at their word, over the limit is a failure.
                scores[gate.metric] = Score(value, low=value, high=value, upper=value)
        return judge(scores, replace(gates, gates=own))


def get_optimizer(*, profile_name: str = "standard") -> Optimizer:
    """Return the optimiser for a profile of gates."""
    profile(profile_name)
    return Optimizer(profile_name)


def flatten(metrics: Mapping[str, object]) -> dict[str, float]:
    """Return the figures of a mapping, nested or flat, that are numbers.

    >>> flatten({"utility": {"ks_mean": 0.1}, "privacy": {"mia_auc": None}})
    {'ks_mean': 0.1}
    """
    flat: dict[str, float] = {}
    for name, value in metrics.items():
        found = (
            flatten(value)
            if isinstance(value, Mapping)
            else {name: float(value)}
            if isinstance(value, int | float) and not isinstance(value, bool)
            else {}
        )
        for key, one in found.items():
            if flat.setdefault(key, one) != one and not (math.isnan(flat[key]) and math.isnan(one)):
                raise BadInput(
                    f"{key!r} is given twice, as {flat[key]:g} and as {one:g}",
                    hint="give each metric once, flat or nested",
                )
    return flat


def _check_size(size: Sequence[int]) -> tuple[int, int]:
    if len(size) != 2 or min(size) < 1:
        raise BadInput(f"dataset_size is {tuple(size)!r}; it is (rows, columns), both at least 1")
    return int(size[0]), int(size[1])

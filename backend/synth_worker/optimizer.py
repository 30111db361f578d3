"""Find the cause of a failed attempt and suggest parameters: the specification's interface.

This is the first form: a diagnosis by the worst gate and the specification's own parameter table for TabDDPM.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synth_worker.diagnosis import Action, Diagnosis, FailureType
from synth_worker.errors import BadInput, UnknownName
from synth_worker.gates import Judged, Ruling, Verdict, judge, profile
from synth_worker.metrics.base import Score

__all__ = ["Diagnosis", "FailureType", "Optimizer", "diagnose", "get_optimizer"]

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

CAUSES: Mapping[FailureType, str] = {
    FailureType.HIGH_KS: "Utility failure: single columns differ from the real ones",
    FailureType.HIGH_CORR_DELTA: "Utility failure: columns do not depend on each other as in the real table",
    FailureType.HIGH_MIA: "Privacy failure: an attacker tells the training records from others",
    FailureType.HIGH_DUP_RATE: "Privacy failure: training records stand in the synthetic table",
    FailureType.HIGH_DCR: "Privacy failure: synthetic rows lie closer to training records than to other real ones",
    FailureType.SCHEMA_MISMATCH: "Schema failure: columns of the file break the input's form",
    FailureType.UNMEASURED: "A gate could not be measured, and what is not measured is not passed",
}

TIER_ENDS = (1_000, 5_000, 20_001)
"""Rows at which a tier ends: below 1,000; 1,000-4,999; 5,000-20,000; above."""


@dataclass(frozen=True)
class Tier:
    """Hold the specification's parameters for one range of sizes: ranges of n_iter, and the batch size."""

    n_iter_low: int
    n_iter_high: int
    batch_size: int


DDPM_TIERS = (Tier(200, 300, 64), Tier(300, 400, 128), Tier(400, 500, 256), Tier(500, 600, 256))
N_ITER_STEP = 100
FLAT_METRICS = ("ks_mean", "corr_delta", "mia_auc", "dup_rate")


def tier_of(rows: int) -> int:
    """Return the tier of a table by its rows.

    >>> [tier_of(rows) for rows in (999, 1000, 4999, 5000, 20000, 20001)]
    [0, 1, 1, 2, 2, 3]
    """
    return sum(rows >= end for end in TIER_ENDS)


def diagnose(verdict: Verdict, *, method: str, hyperparameters: Mapping[str, str | int | float | bool]) -> Diagnosis:
    """Name the worst failure of a verdict, its cause, the others, and what to change."""
    failures = [one for one in verdict.failures if one.ruling is not Ruling.AMBER_PASS or one.over]
    if not failures:
        return Diagnosis(FailureType.NONE, "all gates met")
    kinds = [_failure_type(one) for one in failures]
    worst = failures[0]
    others = tuple(dict.fromkeys(kind for kind in kinds[1:] if kind is not kinds[0]))
    cause = f"{CAUSES[kinds[0]]} ({worst.metric}: {worst.reason})"
    return Diagnosis(kinds[0], cause, _actions(kinds[0], method, hyperparameters), others)


def _failure_type(judged: Judged) -> FailureType:
    if judged.ruling is Ruling.UNMEASURED:
        return FailureType.UNMEASURED
    return FAILURE_OF.get(judged.metric, FailureType.UNMEASURED)


def _actions(
    kind: FailureType, method: str, hyperparameters: Mapping[str, str | int | float | bool]
) -> tuple[Action, ...]:
    iterations = hyperparameters.get("n_iter", hyperparameters.get("epochs"))
    trained = iterations if isinstance(iterations, int) and not isinstance(iterations, bool) else None
    knob = "n_iter" if "n_iter" in hyperparameters else "epochs"
    private = "privacy" in hyperparameters
    found: list[Action] = []
    if kind is FailureType.HIGH_KS and trained is not None:
        found.append(Action(f"Increase {knob} to {trained + N_ITER_STEP}", knob=knob, step=N_ITER_STEP))
    elif kind is FailureType.HIGH_CORR_DELTA and "batch_size" in hyperparameters:
        found.append(Action("Double batch_size", knob="batch_size", value=int(hyperparameters["batch_size"]) * 2))
    if kind in (FailureType.HIGH_KS, FailureType.HIGH_CORR_DELTA):
        if private:
            found.append(Action("Lower the privacy knob", knob="privacy", step=-0.25))
        if method == "gc":
            if hyperparameters.get("oversample", 1) == 1:
                found.append(Action("Select among 4 times as many rows", knob="oversample", value=4))
            found.append(Action("Switch to sequential trees (cart)", method="cart"))
    elif kind in (FailureType.HIGH_MIA, FailureType.HIGH_DCR, FailureType.HIGH_DUP_RATE):
        if private:
            found.append(Action("Raise the privacy knob", knob="privacy", step=0.25))
        elif trained is not None:
            found.append(Action(f"Lower {knob}: more steps per row mean more memory", knob=knob, step=-N_ITER_STEP))
        else:
            found.append(Action("Switch to a method that remembers less (gc)", method="gc"))
    elif kind is FailureType.UNMEASURED:
        found.append(Action("Give more rows, or look at the reason of the unmeasured gate"))
    return tuple(found)


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
        ``privacy``. A missing or NaN one is unmeasured, and that is a failure.

        >>> found = get_optimizer().analyze_failure(
        ...     metrics={"ks_mean": 0.14, "corr_delta": 0.05, "mia_auc": 0.52, "dup_rate": 0.0},
        ...     hyperparams={"n_iter": 200}, method="ddpm", dataset_size=(1000, 20))
        >>> failure_type, root_cause, suggestions = found
        >>> failure_type, suggestions
        (<FailureType.HIGH_KS: 'high_ks'>, ['Increase n_iter to 300'])
        """
        _check_size(dataset_size)
        flat = _flatten(metrics)
        gates = profile(self.profile)
        own = tuple(gate for gate in gates.gates if gate.metric in FLAT_METRICS)
        scores: dict[str, Score] = {}
        for gate in own:
            value = flat.get(gate.metric)
            if value is not None and math.isfinite(value):
                # Bare figures come without an interval: they are taken at their word, over the limit is a failure.
                scores[gate.metric] = Score(value, low=value, high=value, upper=value)
        verdict = judge(scores, type(gates)(gates.name, own, gates.about))
        return diagnose(verdict, method=method, hyperparameters=hyperparams)

    def suggest_hyperparameters(
        self,
        *,
        method: str,
        dataset_size: tuple[int, int],
        previous_metrics: Mapping[str, object] | None = None,
        dp_requested: bool = False,
    ) -> dict[str, str | int | float | bool]:
        """Return hyper-parameters for a method and a table of (rows, columns).

        >>> get_optimizer().suggest_hyperparameters(
        ...     method="ddpm", dataset_size=(1000, 20), previous_metrics=None, dp_requested=False)
        {'n_iter': 300, 'batch_size': 128}
        """
        rows, _columns = _check_size(dataset_size)
        if dp_requested:
            raise BadInput(
                f"method {method!r} gives no differential privacy guarantee",
                hint="no method with a guarantee is built in yet; there is no silent fallback",
            )
        if method == "ddpm":
            return self._ddpm(rows, previous_metrics)
        from synth_worker.generators.registry import GENERATORS  # noqa: PLC0415 - keeps the optimiser's import light

        if method not in GENERATORS:
            raise UnknownName.of("method", method, [*GENERATORS, "ddpm"])
        return dict(GENERATORS[method].defaults())

    def _ddpm(self, rows: int, previous: Mapping[str, object] | None) -> dict[str, str | int | float | bool]:
        tier = DDPM_TIERS[tier_of(rows)]
        flat = {} if previous is None else _flatten(previous)
        limit = next(gate.limit for gate in profile(self.profile).gates if gate.metric == "ks_mean")
        wanted = flat.get("n_iter", 0.0) + (N_ITER_STEP if flat.get("ks_mean", 0.0) > limit else 0)
        n_iter = int(min(max(wanted, tier.n_iter_low), tier.n_iter_high))
        return {"n_iter": n_iter, "batch_size": tier.batch_size}


def get_optimizer(*, profile_name: str = "standard") -> Optimizer:
    """Return the optimiser for a profile of gates."""
    profile(profile_name)
    return Optimizer(profile_name)


def _flatten(metrics: Mapping[str, object]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            flat.update(_flatten(value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[name] = float(value)
    return flat


def _check_size(size: Sequence[int]) -> tuple[int, int]:
    if len(size) != 2 or min(size) < 1:
        raise BadInput(f"dataset_size is {tuple(size)!r}; it is (rows, columns), both at least 1")
    return int(size[0]), int(size[1])

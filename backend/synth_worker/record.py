"""Turn the values of a run into the JSON of the run card, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from synth_worker.diagnosis import Action, Cause, Diagnosis, FailureType, Finding
from synth_worker.gates import Judged, Light, Ruling, Verdict
from synth_worker.metrics.base import Score, Scores
from synth_worker.run import (
    CANCELLED,
    Attempt,
    Certificate,
    CurvePoint,
    DataFacts,
    Measurement,
    Options,
    Plan,
    PowerCheck,
    Rebalanced,
    Run,
    SplitFacts,
)
from synth_worker.search.pareto import front_json

SCHEMA_VERSION = 1
Json = Mapping[str, object]


def run_json(run: Run) -> dict[str, object]:
    """Return the run card, as ``docs/run.schema.json`` describes it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": None if run.stopped == CANCELLED else str(run.verdict),
        "exit_code": run.exit_code,
        "may_release": run.verdict.may_release,
        "profile": run.options.profile,
        "seed": run.options.seed,
        "options": asdict(run.options),
        "data": {**asdict(run.data), "notes": list(run.data.notes)},
        "versions": dict(run.versions),
        "split": asdict(run.split),
        "best": run.best_number,
        "attempts": [attempt_json(one) for one in run.attempts],
        "front": front_json(run.attempts),
        "certificate": None if run.certificate is None else certificate_json(run.certificate),
        "balance": None if run.rebalanced is None else rebalanced_json(run.rebalanced),
        "seconds": round(run.seconds, 3),
        "cpu_seconds": round(run.cpu_seconds, 3),
        "stopped": run.stopped,
        "statement": run.statement,
        "notes": list(run.notes),
    }


def attempt_json(attempt: Attempt) -> dict[str, object]:
    """Return one attempt."""
    verdict = attempt.verdict
    return {
        "number": attempt.number,
        "method": attempt.plan.method,
        "hyperparameters": dict(attempt.plan.hyperparameters),
        "seed": attempt.plan.seed,
        "why": attempt.plan.why,
        "seconds": round(attempt.seconds, 3),
        "cpu_seconds": round(attempt.cpu_seconds, 3),
        "failure": attempt.failure,
        **_measurement_json(attempt.measurement),
        "verdict": None if verdict is None else str(verdict),
        "diagnosis": diagnosis_json(attempt.diagnosis),
        "curve": [point_json(one) for one in attempt.curve],
        "notes": list(attempt.notes),
    }


def point_json(point: CurvePoint) -> dict[str, object]:
    """Return one look at a training."""
    return {name: _finite(value) for name, value in asdict(point).items()}


def certificate_json(certificate: Certificate) -> dict[str, object]:
    """Return a certificate, as ``gesalp evaluate --json`` prints it."""
    power = certificate.power
    return {
        "verdict": str(certificate.verdict),
        "exit_code": certificate.verdict.exit_code,
        "may_release": certificate.verdict.may_release,
        "profile": certificate.verdict.profile,
        "mode": certificate.mode,
        "look": certificate.look,
        "rows": certificate.rows,
        "seconds": round(certificate.seconds, 3),
        **_measurement_json(certificate.measurement),
        "power": None if power is None else asdict(power),
        "notes": list(certificate.notes),
    }


def rebalanced_json(rebalanced: Rebalanced) -> dict[str, object]:
    """Return the balanced table's part of the run card."""
    return {
        "column": rebalanced.column,
        "shares": {label: round(share, 6) for label, share in rebalanced.shares.items()},
        "named": list(rebalanced.named),
        "rows": dict(rebalanced.rows),
        "file": rebalanced.file,
        "certificate": certificate_json(rebalanced.certificate),
    }


def _measurement_json(measurement: Measurement | None) -> dict[str, object]:
    if measurement is None:
        return {"scores": {}, "rulings": []}
    return {
        "scores": {name: score_json(score) for name, score in measurement.scores.items()},
        "rulings": [_judged_json(one) for one in measurement.verdict.rulings],
    }


def score_json(score: Score) -> dict[str, object]:
    """Return one score; NaN and infinity become null, as JSON has neither."""
    row = asdict(score)
    row["detail"] = {name: _finite(value) for name, value in score.detail.items()}
    return {name: _finite(value) for name, value in row.items()}


def _judged_json(judged: Judged) -> dict[str, object]:
    return {name: _finite(value) for name, value in asdict(judged).items()}


def diagnosis_json(diagnosis: Diagnosis) -> dict[str, object]:
    """Return one diagnosis."""
    return {
        "failure_type": str(diagnosis.failure_type),
        "root_cause": diagnosis.root_cause,
        "suggestions": diagnosis.suggestions,
        "actions": [asdict(action) for action in diagnosis.actions],
        "others": [str(one) for one in diagnosis.others],
        "cause": str(diagnosis.cause),
        "findings": [_finding_json(one) for one in diagnosis.findings],
    }


def _finding_json(finding: Finding) -> dict[str, object]:
    return {
        "failure_type": str(finding.failure_type),
        "cause": str(finding.cause),
        "sentence": finding.sentence,
        "metric": finding.metric,
        "excess": _finite(finding.excess),
        "actions": [asdict(action) for action in finding.actions],
    }


def read_diagnosis(row: Json) -> Diagnosis:
    """Read one diagnosis back; what an older program did not write down is empty."""
    return Diagnosis(
        FailureType(str(row["failure_type"])),
        str(row["root_cause"]),
        tuple(Action(**one) for one in _rows(row["actions"])),
        tuple(FailureType(str(one)) for one in cast("list[str]", row["others"])),
        Cause(str(row.get("cause", Cause.NONE))),
        tuple(_read_finding(one) for one in _rows(row.get("findings", ()))),
    )


def _read_finding(row: Mapping[str, Any]) -> Finding:
    return Finding(
        FailureType(row["failure_type"]),
        Cause(row["cause"]),
        row["sentence"],
        row["metric"],
        math.inf if row["excess"] is None else row["excess"],
        tuple(Action(**one) for one in row["actions"]),
    )


def read_attempt(row: Json, *, profile: str) -> Attempt:
    """Read one attempt back; its folder and table are filled in by the caller."""
    plan = Plan(
        str(row["method"]),
        cast("Mapping[str, str | int | float | bool]", row["hyperparameters"]),
        int(cast("int", row["seed"])),
        str(row["why"]),
    )
    return Attempt(
        number=int(cast("int", row["number"])),
        plan=plan,
        measurement=None if row["verdict"] is None else read_measurement(row, profile=profile),
        diagnosis=read_diagnosis(cast("Json", row["diagnosis"])),
        seconds=float(cast("float", row["seconds"])),
        cpu_seconds=float(cast("float", row["cpu_seconds"])),
        failure=str(row["failure"]),
        curve=tuple(CurvePoint(**one) for one in _rows(row.get("curve", ()))),
    )


def read_run(row: Json, *, attempts: Sequence[Attempt], folder: Path) -> Run:
    """Read a run card back, with the attempts that its folder holds."""
    certificate = cast("Json | None", row["certificate"])
    return Run(
        options=Options(**cast("dict[str, Any]", row["options"])),
        data=DataFacts(**cast("dict[str, Any]", row["data"])),
        split=SplitFacts(**cast("dict[str, Any]", row["split"])),
        versions=cast("Mapping[str, str]", row["versions"]),
        attempts=list(attempts),
        best_number=cast("int | None", row["best"]),
        certificate=None if certificate is None else read_certificate(certificate),
        seconds=float(cast("float", row["seconds"])),
        cpu_seconds=float(cast("float", row["cpu_seconds"])),
        stopped=str(row["stopped"]),
        folder=folder,
        notes=cast("list[str]", row["notes"]),
        statement=str(row["statement"]),
        rebalanced=None if row.get("balance") is None else _rebalanced(cast("dict[str, Any]", row["balance"])),
    )


def _rebalanced(row: dict[str, Any]) -> Rebalanced:
    return Rebalanced(
        column=str(row["column"]),
        shares=cast("Mapping[str, float]", row["shares"]),
        named=tuple(cast("Sequence[str]", row["named"])),
        rows=cast("Mapping[str, int]", row["rows"]),
        file=str(row["file"]),
        certificate=read_certificate(cast("Json", row["certificate"])),
    )


def read_measurement(row: Json, *, profile: str) -> Measurement:
    """Read scores and rulings back; only a certificate says that a table may be released, no attempt does."""
    scores: Scores = {
        name: Score(**_without_null_detail(score))
        for name, score in cast("dict[str, dict[str, Any]]", row["scores"]).items()
    }
    rulings = tuple(_judged(one) for one in _rows(row["rulings"]))
    return Measurement(scores, Verdict(profile, rulings, Light(str(row["verdict"])), bool(row.get("may_release"))))


def read_certificate(row: Json) -> Certificate:
    """Read a certificate back."""
    power = cast("dict[str, Any] | None", row["power"])
    return Certificate(
        measurement=read_measurement(row, profile=str(row["profile"])),
        power=None if power is None else PowerCheck(**power),
        mode=str(row["mode"]),
        look=int(cast("int", row["look"])),
        rows=int(cast("int", row["rows"])),
        seconds=float(cast("float", row["seconds"])),
        notes=tuple(cast("Sequence[str]", row["notes"])),
    )


def _judged(row: dict[str, Any]) -> Judged:
    return Judged(**{**row, "ruling": Ruling(row["ruling"])})  # pyright: ignore[reportArgumentType]


def _rows(value: object) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", value)


def _without_null_detail(row: dict[str, Any]) -> dict[str, Any]:
    detail = {name: math.nan if value is None else value for name, value in row["detail"].items()}
    return {**row, "detail": detail}


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value

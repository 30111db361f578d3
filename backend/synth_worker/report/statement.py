"""Decide what the verdict says: whether to release, why, what is missing, and what to do next."""

from __future__ import annotations

from dataclasses import replace

from synth_worker.gates import FAILED, WARN_C2ST, Judged, Light, Ruling
from synth_worker.ladder import DECIDED_FROM
from synth_worker.metrics.base import Scores
from synth_worker.report.history import nearest
from synth_worker.report.parts import Audience, Filler, Said, Statement, quote
from synth_worker.report.reached import reached
from synth_worker.report.scores import reason, term
from synth_worker.run import Certificate, Run
from synth_worker.search.choosing import ending

_EVIDENCE = Said("verdict.evidence")
_STEPS = {
    "dp_epsilon": "step.epsilon",
    "wrong_dtype": "step.schema",
    "ks_mean": "step.marginals",
    "tvd_mean": "step.marginals",
    "missing_delta": "step.marginals",
    "corr_delta": "step.dependence",
    "mia_auc": "step.mia",
    "mia_tpr": "step.mia",
    "outlier_auc": "step.mia",
    "dcr_share": "step.mia",
    "dup_rate": "step.copies",
    "copy_excess": "step.copies",
}


def state(run: Run, *, audience: Audience) -> Statement:
    """Return the verdict in words; its first sentence says what was reached and what stands in the way of green."""
    found = _verdict(run, audience=audience)
    return replace(found, body=(reached(run), *found.body))


def _verdict(run: Run, *, audience: Audience) -> Statement:
    if run.best_number is None:
        tried = Said("verdict.none.why", {"count": len(run.attempts)}) if run.attempts else Said("verdict.none.tried")
        steps = (Said("step.schema"), Said("step.retry"))
        return Statement("red", Said("verdict.none.head"), (tried,), steps=steps)
    if run.certificate is None:
        body = (Said("verdict.uncertified.why"),)
        return Statement("red", Said("verdict.uncertified.head"), body, steps=(Said("step.certify"),))
    certificate, verdict = run.certificate, run.certificate.verdict
    warnings = _warnings(certificate)
    if verdict.light is Light.RED:
        return _red(run, certificate, audience=audience, warnings=warnings)
    if verdict.light is Light.AMBER:
        return _amber(certificate, audience=audience, warnings=warnings, retry=_retry(run))
    return Statement(
        "green",
        Said("verdict.green.head", {"profile": verdict.profile}),
        (Said("verdict.green.why", {"gates": len(verdict.rulings)}), _measured(certificate), _EVIDENCE),
        steps=(Said("step.release"), Said("step.keep")),
        warnings=warnings,
    )


def _measured(certificate: Certificate) -> Said:
    key = {"cross-fit": "crossfit", "given": "given"}.get(certificate.mode, "rows")
    return Said(f"verdict.green.{key}", {"rows": certificate.rows})


def _retry(run: Run) -> Said:
    """Say whether trying longer can help: not where the search ended by itself."""
    return Said("step.settled" if ending(run) == "settled" else "step.retry")


def _amber(certificate: Certificate, *, audience: Audience, warnings: tuple[Said, ...], retry: Said) -> Statement:
    """Say what is missing and how many rows would decide; only a profile that allows it lets the table go."""
    verdict = certificate.verdict
    short = verdict.failures
    over = [one for one in short if one.ruling is Ruling.AMBER_OVER]
    counts: dict[str, Filler] = {"short": len(short), "over": len(over), "gates": len(verdict.rulings)}
    missing = tuple(_missing(one, certificate.scores, audience=audience) for one in short)
    names = tuple(term("metric", one.metric) for one in short)
    if verdict.may_release:
        return Statement(
            "amber",
            Said("verdict.amber.head", {"profile": verdict.profile}),
            (Said("verdict.amber.why", counts), _EVIDENCE),
            findings=missing,
            steps=(Said("verdict.amber.sentence", {"names": names}), Said("step.release"), Said("step.more_rows")),
            warnings=warnings,
        )
    why = "verdict.amber.over.why" if over else "verdict.amber.strict.why"
    return Statement(
        "amber",
        Said("verdict.amber.hold.head", {"profile": verdict.profile}),
        (Said(why, counts),),
        findings=missing,
        steps=(Said("step.more_rows"), retry),
        warnings=warnings,
    )


def _missing(judged: Judged, scores: Scores, *, audience: Audience) -> Said:
    """Say how many rows would decide an amber gate."""
    values: dict[str, Filler] = {"label": term("metric", judged.metric)}
    if judged.ruling is Ruling.AMBER_PASS and judged.upper is None:
        return Said("verdict.red.gate", {**values, "reason": reason(judged, audience=audience)})
    have = scores[judged.metric].rows if judged.metric in scores else 0
    if judged.rows_needed is None:
        said = Said("verdict.rows.never", values)
    else:
        values["rows"] = judged.rows_needed
        said = Said("verdict.rows", {**values, "have": have}) if have else Said("verdict.rows.unknown", values)
    usual = DECIDED_FROM.get(judged.metric)
    return said if usual is None else Said("verdict.rows.usual", {"what": said, "rows": usual})


def _red(run: Run, certificate: Certificate, *, audience: Audience, warnings: tuple[Said, ...]) -> Statement:
    """Say which gates failed, which attempt came nearest, and what to do."""
    verdict = certificate.verdict
    failed = [one for one in verdict.failures if one.ruling in FAILED]
    counts = {"count": len(failed), "gates": len(verdict.rulings)}
    findings = [
        Said(
            "verdict.red.gate",
            {
                "label": term("metric", one.metric),
                "reason": reason(one, certificate.scores.get(one.metric), audience=audience),
            },
        )
        for one in failed
    ]
    unsure = len(verdict.failures) - len(failed)
    if unsure:
        findings.append(Said("verdict.red.amber", {"count": unsure}))
    near = nearest(run.attempts)
    if near is not None:
        trial, worst = near
        findings.append(
            Said("verdict.red.nearest", {"number": trial.number, "method": trial.plan.method, "worst": worst})
        )
    keys = [
        "step.suspicious" if one.ruling is Ruling.SUSPICIOUS else _STEPS.get(one.metric, "step.retry") for one in failed
    ]
    steps = [*(Said(key) for key in dict.fromkeys(keys) if key != "step.retry"), _retry(run)]
    if audience == "internal":
        steps = [*(quote(words) for words in run.best.diagnosis.suggestions), *steps]
    return Statement(
        "red",
        Said("verdict.red.head", {"profile": verdict.profile}),
        (Said("verdict.red.why", counts),),
        findings=tuple(findings),
        steps=tuple(steps),
        warnings=warnings,
    )


def _warnings(certificate: Certificate) -> tuple[Said, ...]:
    """Say what a reader of the light alone would miss."""
    found: list[Said] = []
    detection = certificate.scores.get("c2st_auc")
    if detection is not None and detection.value is not None and detection.value > WARN_C2ST:
        green = certificate.verdict.light is Light.GREEN
        found.append(Said("warn.c2st" if green else "warn.c2st.fail", {"value": detection.value}))
    if certificate.look > 1:
        found.append(Said("warn.look", {"look": certificate.look}))
    power = certificate.power
    if power is not None and not (power.exact_detected and power.jittered_detected):
        what = "jittered" if power.exact_detected else "exact"
        green = certificate.verdict.light is Light.GREEN and power.exact_detected
        found.append(Said("warn.power.green") if green else Said("warn.power", {"what": Said(f"warn.power.{what}")}))
    return tuple(found)

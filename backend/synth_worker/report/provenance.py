"""Decide what is said of where the table came from: certificate, command, versions, gaps, columns left out."""

from __future__ import annotations

import shlex
from dataclasses import fields

from synth_worker.gates import CROSSFIT_BELOW
from synth_worker.report.parts import Audience, Figure, Said, quote
from synth_worker.run import GIVEN, Options, Run
from synth_worker.schema import Kind, Schema

Fact = tuple[Said, Said]

SCHEMA_FILE = "schema.json"
"""What the command calls the user's schema file; its real name is nobody's business."""


def certificate_words(run: Run) -> tuple[Said, ...]:
    """Return how the verdict came about: mode, look, power check."""
    certificate = run.certificate
    if certificate is None:
        return (Said("certificate.none"),)
    words: list[Said] = []
    if certificate.mode == "cross-fit":
        words.append(Said("certificate.cross-fit", {"below": CROSSFIT_BELOW}))
        words.append(Said("certificate.cross-fit.file"))
    elif certificate.mode == "given":
        words.append(Said("certificate.given", {"rows": certificate.rows}))
    else:
        words.append(Said("certificate.holdout", {"rows": certificate.rows}))
        words.append(Said("certificate.look", {"look": certificate.look}))
    power = certificate.power
    if power is None:
        words.append(Said("certificate.power.none"))
    elif power.exact_detected:
        words.append(Said("certificate.power.both" if power.jittered_detected else "certificate.power.exact"))
    else:
        words.append(Said("certificate.power.jittered" if power.jittered_detected else "certificate.power.missed"))
    words.append(Said("certificate.seconds", {"seconds": certificate.seconds}))
    return tuple(words)


def command(run: Run, *, audience: Audience) -> tuple[str, ...]:
    """Return the command line that repeats the run, option by option; without the seed in public.

    A seed would let somebody who guesses a real row make the table again and compare.
    """
    pieces = [["gesalp", "run", run.data.name]]
    for field in fields(Options):
        value: object = getattr(run.options, field.name)
        if field.name == "seed" and audience == "public":
            continue
        if field.name == "rows_independent":
            pieces += [["--rows", "independent"]] if value else []
        elif field.name == "time_budget":
            pieces.append(["--time-budget", "none" if value is None else f"{value:g}s"])
        elif value is not None:
            pieces.append(["--" + field.name.replace("_", "-"), str(value)])
    if run.data.schema == GIVEN:
        pieces.append(["--schema", SCHEMA_FILE])
    return tuple(shlex.join(piece) for piece in pieces)


def command_notes(run: Run) -> tuple[Said, ...]:
    """Return what the command does not say by itself."""
    return (Said("reproduce.schema", {"name": SCHEMA_FILE}),) if run.data.schema == GIVEN else ()


def facts(run: Run, *, audience: Audience) -> tuple[Fact, ...]:
    """Return the facts of the run; what could confirm a guess about the real rows stays internal."""
    split = run.split
    found: list[Fact] = [
        (Said("fact.name"), quote(run.data.name)),
        (Said("fact.size"), Said("value.table", {"rows": run.data.rows, "columns": run.data.columns})),
        (Said("fact.train"), Said("unit.rows", {"rows": split.train})),
        (Said("fact.validation"), Said("unit.rows", {"rows": split.validation})),
        (Said("fact.certificate"), _certificate_rows(run)),
        (Said("fact.mode"), Said(f"mode.{split.mode}")),
        (Said("fact.unit"), quote(split.unit)),
        (Said("fact.stratified"), quote(split.stratified_by) if split.stratified_by else Said("none")),
        (Said("fact.seconds"), Said("unit.seconds", {"seconds": run.seconds})),
        (Said("fact.cpu"), Said("unit.seconds", {"seconds": run.cpu_seconds})),
    ]
    if audience == "internal":
        found += [
            (Said("fact.seed"), quote(str(run.options.seed))),
            (Said("fact.key"), quote(split.key)),
            (Said("fact.sha256"), quote(run.data.sha256)),
        ]
    return tuple(found)


def _certificate_rows(run: Run) -> Said:
    if run.split.mode == "cross-fit":
        return Said("fact.certificate.crossfit", {"rows": run.data.rows})
    return Said("unit.rows", {"rows": run.split.certificate})


def gaps(run: Run, figures: tuple[Figure, ...]) -> tuple[Fact, ...]:
    """Return what was not measured, and why."""
    seen: dict[str, Fact] = {}
    for one in figures:
        if one.value is None and one.name not in seen:
            seen[one.name] = (one.label, one.reason or Said("reason.unmeasured"))
    found = list(seen.values())
    if run.certificate is None:
        found.append((Said("unmeasured.certificate"), Said("unmeasured.certificate.why")))
    elif not any(key == "attack:loss" for score in run.certificate.scores.values() for key in score.detail):
        found.append((Said("unmeasured.whitebox"), Said("unmeasured.whitebox.why")))
    if not formal(run):
        found.append((Said("unmeasured.guarantee"), Said("unmeasured.guarantee.why")))
    found.append((Said("unmeasured.outside"), Said("unmeasured.outside.why")))
    return tuple(found)


def formal(run: Run) -> bool:
    """Tell whether the delivered attempt was made under a differential privacy guarantee."""
    return any(one.number == run.best_number and "epsilon" in one.plan.hyperparameters for one in run.attempts)


def treated(schema: Schema, text: str) -> tuple[tuple[str, Said, Said], ...]:
    """Return the columns that no generator learnt: name, kind, what was done. No value of theirs is looked at."""
    found: list[tuple[str, Said, Said]] = []
    for column in schema:
        if column.modelled:
            continue
        key = f"treated.{column.kind}"
        if column.kind is Kind.TEXT:
            key = "treated.text.drop" if text == "drop" else "treated.text"
        found.append((column.name, Said(f"kind.{column.kind}"), Said(key, {"text": text})))
    return tuple(found)


def remarks(run: Run, *, audience: Audience) -> tuple[Said, ...]:
    """Return the notes that other parts of the system wrote; they may quote the data, so never in public."""
    if audience == "public":
        return ()
    notes = [*run.notes, *run.data.notes, *([] if run.certificate is None else run.certificate.notes)]
    return tuple(quote(words) for words in dict.fromkeys(notes))

"""Write what a run or an evaluation found, in plain words, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from synth_worker.commands.pace import spoken
from synth_worker.commands.words import COLOURS, RULINGS, figure
from synth_worker.gates import WARN_C2ST, Judged, Light, Ruling, Verdict
from synth_worker.metrics.base import Scores
from synth_worker.run import Attempt, Certificate, Run

MODES = {
    "holdout": "on {rows} real rows that neither the method nor the search ever saw",
    "cross-fit": "on all {rows} real rows, by repeating the whole procedure on parts of the table",
    "given": "against the {rows} held-out real rows that you gave",
}

FILES = {
    "report.html": "the report that may leave the house",
    "report.internal.html": "the report with aggregates of real rows: keep it in the house",
    "run.json": "the run card: seeds, versions, every figure",
    "model": "the fitted model, for gesalp sample",
}


def write_run(run: Run, console: Console, *, brief: bool = False) -> None:
    """Write the summary of a run; ``brief`` leaves all but the verdict and the place of the files out."""
    console.print(_headline(run), soft_wrap=True)
    if not brief:
        if run.certificate is not None:
            _write_certificate(run.certificate, console)
        else:
            _write_uncertified(run, console)
        for note in run.notes:
            console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    _write_files(run, console)
    if not brief:
        if run.statement:
            console.print(Text(run.statement), soft_wrap=True)
        console.print(Text(f"next: {next_step(run)}"), soft_wrap=True)


def write_certificate(certificate: Certificate, console: Console) -> None:
    """Write the summary of an evaluation."""
    verdict = certificate.verdict
    console.print(_light(verdict.light, f"under profile {verdict.profile}"), soft_wrap=True)
    _write_certificate(certificate, console)


def next_step(run: Run) -> str:
    """Say what to do now."""
    if run.stopped == "cancelled":
        return "repeat the same command with --resume to go on; nothing that was finished is done again"
    if run.best_number is None:
        return "read above why each fit failed; check the schema (gesalp schema), or name another --method"
    verdict = run.verdict
    if verdict.light is Light.GREEN:
        return "read report.html, then release the table together with it"
    if verdict.may_release:
        return "read report.html; release is possible with the sentence that it gives, or certify on more rows"
    if verdict.light is Light.AMBER:
        return "do not release yet; certify on more rows, or try more --attempts or another --method"
    return "do not release; report.html says why, and what to change"


def _headline(run: Run) -> Text:
    if run.stopped == "cancelled":
        kept = (
            "nothing was finished"
            if run.best_number is None
            else f"the best so far, attempt {run.best_number}, is kept"
        )
        return Text.assemble(("cancelled", "bold yellow"), f": {kept}; it has no certificate")
    if run.best_number is None:
        return Text.assemble(("red", "bold red"), ": no synthetic table was made, every fit failed")
    took = f"{run.best.plan.method}, attempt {run.best_number} of {len(run.attempts)}, {spoken(run.seconds)}"
    return _light(run.verdict.light, f"under profile {run.options.profile} ({took})")


def _light(light: Light, rest: str) -> Text:
    return Text.assemble((str(light), f"bold {COLOURS[str(light)]}"), f" {rest}")


def _write_certificate(certificate: Certificate, console: Console) -> None:
    where = MODES[certificate.mode].format(rows=f"{certificate.rows:,}")
    look = (
        "" if certificate.look == 1 else f"; look number {certificate.look} at these rows, so the bounds are stricter"
    )
    console.print(Text(f"measured {where}{look}"), soft_wrap=True)
    console.print(gates_grid(certificate.verdict, certificate.scores))
    _write_reasons(certificate.verdict, console)
    detection = certificate.scores.get("c2st_auc")
    if detection is not None and detection.value is not None and detection.value > WARN_C2ST:
        console.print(
            Text(
                f"note: a classifier tells synthetic rows from real ones with AUC {detection.value:.2f} (0.5 is a coin "
                "toss): fit for development and rehearsal rather than for findings"
            ),
            soft_wrap=True,
        )
    for note in certificate.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)


def gates_grid(verdict: Verdict, scores: Scores) -> Grid:
    """Return the table of gates: colour and word, estimate, bound, limits, and what fresh real rows score."""
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    grid.add_column("gate")
    grid.add_column("ruling")
    for name in ("value", "upper bound", "limit", "bound limit", "floor"):
        grid.add_column(name, justify="right")
    for one in verdict.rulings:
        score = scores.get(one.metric)
        word = str(one.ruling).split("_")[0]
        grid.add_row(
            one.metric,
            Text(word, style=COLOURS[str(one.ruling)]),
            figure(one.value),
            figure(one.upper),
            figure(one.limit),
            figure(one.upper_limit),
            figure(None if score is None else score.floor),
        )
    return grid


def _write_reasons(verdict: Verdict, console: Console) -> None:
    for one in verdict.failures:
        word = RULINGS.get(str(one.ruling), str(one.ruling))
        console.print(Text(f"{one.metric} ({word}): {one.reason}{_rows_needed(one)}"), soft_wrap=True)
    for one in verdict.rulings:
        if one.ruling is Ruling.NOT_APPLICABLE:
            console.print(Text(f"{one.metric} (not applicable): {one.reason}", style="dim"), soft_wrap=True)


def _rows_needed(judged: Judged) -> str:
    return "" if judged.rows_needed is None else f"; about {judged.rows_needed:,} held-out records would decide"


def _write_uncertified(run: Run, console: Console) -> None:
    for attempt in run.attempts:
        if attempt.verdict is None:
            console.print(Text(f"attempt {attempt.number} ({attempt.plan.method}) failed: {attempt.failure}"))
    best = _best(run)
    if best is not None and best.verdict is not None:
        console.print(Text(f"attempt {best.number} on validation rows, which also steered the search:"))
        console.print(gates_grid(best.verdict, best.scores))


def _best(run: Run) -> Attempt | None:
    return None if run.best_number is None else run.best


def _write_files(run: Run, console: Console) -> None:
    if run.folder is None:
        return
    found = list(_files(run.folder))
    if not found:
        return
    console.print(Text(f"in {run.folder}:"), soft_wrap=True)
    for name, about in found:
        console.print(Text(f"  {name:<22} {about}"), soft_wrap=True)


def _files(folder: Path) -> Sequence[tuple[str, str]]:
    tables = [(path.name, "the synthetic table") for path in sorted(folder.glob("synthetic.*"))]
    return [*tables, *((name, about) for name, about in FILES.items() if (folder / name).exists())]

"""Write what a run or an evaluation found, in plain words, for a person at a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from synth_worker.commands.pace import spoken
from synth_worker.commands.words import COLOURS, RULINGS, figure
from synth_worker.gates import WARN_C2ST, Judged, Light, Ruling, Verdict
from synth_worker.metrics.base import Scores
from synth_worker.metrics.broken_constraints import sentence
from synth_worker.run import Attempt, Certificate, Rebalanced, Run
from synth_worker.search.choosing import ending

MODES = {
    "holdout": "on {rows} real rows that neither the method nor the search ever saw",
    "cross-fit": "on all {rows} real rows, by repeating the whole procedure on parts of the table",
    "given": "against the {rows} held-out real rows that you gave",
}

BALANCED = "synthetic.balanced."
LONGER = {
    "attempts": ", or try more --attempts",
    "time": ", or give the search a longer --time-budget",
    "settled": "; the search ended by itself, so more --attempts or time would change nothing",
}

FILES = {
    "report.html": "the report that may leave the house",
    "report.internal.html": "the report with aggregates of real rows: keep it in the house",
    "run.json": "the run card: seeds, versions, every figure",
    "model": "the fitted model, for gesalp sample",
}


def write_run(run: Run, console: Console, *, brief: bool = False) -> None:
    """Write the summary of a run; ``brief`` is one line: the verdict, what is not green, where the files are."""
    if brief:
        failing = "" if run.certificate is None else _failing(run.certificate.verdict)
        if run.rebalanced is not None:
            failing += f"; balanced by {run.rebalanced.column}: {run.rebalanced.certificate.verdict}"
        where = "" if run.folder is None else f"; in {run.folder}"
        console.print(Text.assemble(_headline(run), failing, where), soft_wrap=True)
        return
    console.print(_headline(run), soft_wrap=True)
    if run.certificate is not None:
        _write_certificate(run.certificate, console, table_rows=run.data.rows)
    else:
        _write_uncertified(run, console)
    if run.rebalanced is not None:
        console.print(_balanced_headline(run.rebalanced), soft_wrap=True)
        _write_certificate(run.rebalanced.certificate, console, table_rows=run.data.rows)
    for note in run.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    _write_files(run, console)
    if run.statement:
        console.print(Text(run.statement), soft_wrap=True)
    console.print(Text(f"next: {next_step(run)}"), soft_wrap=True)


def write_certificate(certificate: Certificate, console: Console, *, brief: bool = False) -> None:
    """Write the summary of an evaluation; ``brief`` is one line."""
    verdict = certificate.verdict
    head = _light(verdict.light, f"under profile {verdict.profile}")
    console.print(Text.assemble(head, _failing(verdict)) if brief else head, soft_wrap=True)
    if not brief:
        _write_certificate(certificate, console)


def _failing(verdict: Verdict) -> str:
    """Return the gates that are not green with their rulings, for a line that has no table below it."""
    found = ", ".join(f"{one.metric} {str(one.ruling).split('_')[0]}" for one in verdict.failures)
    return f": {found}" if found else ""


def next_step(run: Run) -> str:
    """Say what to do now."""
    if run.stopped == "cancelled":
        return "repeat the same command with --resume to go on; nothing that was finished is done again"
    if run.best_number is None:
        return "read above why each fit failed; check the schema (gesalp schema), or name another --method"
    verdict = run.verdict
    if verdict.may_release and run.rebalanced is not None and not run.rebalanced.certificate.verdict.may_release:
        return "read report.html; do not release the balanced table: its own section there says why"
    if verdict.light is Light.GREEN:
        return "read report.html, then release the table together with it"
    if verdict.may_release:
        return "read report.html; release is possible with the sentence that it gives, or certify on more rows"
    if verdict.light is Light.AMBER:
        return f"do not release yet; certify on more rows{LONGER[ending(run)]}"
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


def _balanced_headline(rebalanced: Rebalanced) -> Text:
    """Return the verdict on the balanced table."""
    rows = ", ".join(f"{label}: {count:,} rows" for label, count in rebalanced.rows.items())
    return _light(
        rebalanced.certificate.verdict.light,
        f"for the balanced table, {rebalanced.column} at {rows} ({rebalanced.file})",
    )


def _light(light: Light, rest: str) -> Text:
    return Text.assemble((str(light), f"bold {COLOURS[str(light)]}"), f" {rest}")


def _write_certificate(certificate: Certificate, console: Console, *, table_rows: int | None = None) -> None:
    where = MODES[certificate.mode].format(rows=f"{certificate.rows:,}")
    look = (
        "" if certificate.look == 1 else f"; look number {certificate.look} at these rows, so the bounds are stricter"
    )
    console.print(Text(f"measured {where}{look}"), soft_wrap=True)
    console.print(gates_grid(certificate.verdict, certificate.scores))
    _write_reasons(certificate, console, table_rows=table_rows)
    detection = certificate.scores.get("c2st_auc")
    if detection is not None and detection.value is not None and detection.value > WARN_C2ST:
        console.print(
            Text(
                f"note: a classifier tells synthetic rows from real ones with AUC {detection.value:.2f} (0.5 is a coin "
                "toss): fit for development and rehearsal rather than for findings"
            ),
            soft_wrap=True,
        )
    power = certificate.power
    if power is not None and power.exact_detected and not power.jittered_detected:
        console.print(
            Text(
                "note: the audit found 5 % verbatim copies that were put in on purpose, and missed 5 % slightly "
                "altered ones: the like could pass unseen in this table too"
            ),
            soft_wrap=True,
        )
    constraints = certificate.scores.get("broken_constraints")
    if constraints is not None and (words := sentence(constraints)):
        console.print(Text(f"note: {words}"), soft_wrap=True)
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
            Text(one.metric),  # a label in brackets is no markup
            Text(word, style=COLOURS[str(one.ruling)]),
            figure(one.value),
            figure(one.upper),
            figure(one.limit),
            figure(one.upper_limit),
            figure(None if score is None else score.floor),
        )
    return grid


def _write_reasons(certificate: Certificate, console: Console, *, table_rows: int | None) -> None:
    verdict = certificate.verdict
    for one in verdict.failures:
        word = RULINGS.get(str(one.ruling), str(one.ruling))
        score = certificate.scores.get(one.metric)
        needed = _rows_needed(one, 0 if score is None else score.rows, table_rows=table_rows)
        console.print(Text(f"{one.metric} ({word}): {one.reason}{needed}"), soft_wrap=True)
    for one in verdict.rulings:
        if one.ruling is Ruling.NOT_APPLICABLE:
            console.print(Text(f"{one.metric} (not applicable): {one.reason}", style="dim"), soft_wrap=True)


def _rows_needed(judged: Judged, have: int, *, table_rows: int | None) -> str:
    """Say how many held-out records would decide, how many there are, and how large a table that makes."""
    if judged.rows_needed is None:
        return ""
    words = f"; about {judged.rows_needed:,} held-out records would decide"
    if have and table_rows is not None:
        whole = judged.rows_needed * table_rows / have
        step = 10 ** max(len(str(math.ceil(whole))) - 2, 0)
        return f"{words} (now {have:,}), as in a table of about {math.ceil(whole / step) * step:,} rows"
    return f"{words} (now {have:,})" if have else words


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
    tables = [
        (path.name, "the balanced table" if path.name.startswith(BALANCED) else "the synthetic table")
        for path in sorted(folder.glob("synthetic.*"))
    ]
    return [*tables, *((name, about) for name, about in FILES.items() if (folder / name).exists())]

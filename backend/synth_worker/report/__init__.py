"""Write what a run found as two self-contained pages: one for the house, one that may leave it."""

from __future__ import annotations

from pathlib import Path

from synth_worker.report import document, html
from synth_worker.report.parts import Audience
from synth_worker.report.reached import sentence
from synth_worker.run import Run
from synth_worker.schema import Schema
from synth_worker.table import Table
from synth_worker.whole import write_text_whole

FILES: dict[Audience, str] = {"internal": "report.internal.html", "public": "report.html"}

__all__ = ["FILES", "sentence", "write_reports"]


def write_reports(run: Run, *, folder: Path, train: Table, holdout: Table, synthetic: Table, schema: Schema) -> None:
    """Write ``report.internal.html`` and ``report.html`` into ``folder``, each there whole or not at all.

    ``train`` and ``holdout`` are real rows, ``synthetic`` is the delivered table, all of the modelled columns;
    ``schema`` is that of the whole input.
    """
    for audience, name in FILES.items():
        decided = document.build(
            run, train=train, holdout=holdout, synthetic=synthetic, schema=schema, audience=audience
        )
        write_text_whole(folder / name, html.render(decided))

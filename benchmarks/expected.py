"""Measure the networks under the specification's parameters: all gates and usefulness, on six tables, five seeds.

    python -m benchmarks.expected [--points ddpm,gc] [--tables adult-20k,heart] [--seeds 0,1,2,3,4] [--only-document]

Settings are those that ``optimizing.tables`` suggests for the rows that are learnt. Rows are
those of ``front``. Every gate is ruled on by the certificate's full set against the held-out rows, as a first look. One
line per table and seed is appended to records/expected.jsonl; CPU seconds are those of fit and draw, on one thread.
"""

from __future__ import annotations

import time

from benchmarks.expected_page import write_expected
from benchmarks.front import divided
from benchmarks.points import collect
from benchmarks.published import PLACES, Place
from synth_worker.evaluation import evaluate_tables
from synth_worker.fitting import fit_and_sample
from synth_worker.gates import Ruling
from synth_worker.optimizing.tables import row_of, suggested
from synth_worker.run import Certificate
from synth_worker.seeds import Streams

METHODS = ("ddpm", "tvae", "ctgan")
HERE = {**PLACES, "adult-20k": Place("adult", "income", 20_001, 12_560)}
"""Besides the tables of the front one above 20,000 rows, the last tier."""

FIGURES = (
    "ks_mean", "corr_delta", "tvd_mean", "dup_rate", "mia_auc", "mia_tpr", "copy_excess", "dcr_share", "c2st_auc",
    "trend", "tstr",
)  # fmt: skip


def measure(table: str, method: str, seed: int) -> dict[str, object]:
    """Fit, draw and judge once."""
    place = HERE[table]
    train, holdout = divided(place, seed=seed)
    asked = suggested(method, train.rows, len(train.schema))
    asked = {name: asked[name] for name in row_of(method, train.rows).settings}
    start = time.process_time()
    fitted = fit_and_sample(
        train, method=method, hyperparameters=asked, rows=train.rows, streams=Streams(seed).child("expected")
    )
    cpu = time.process_time() - start
    found = evaluate_tables(
        train=train, holdout=holdout, synthetic=fitted.synthetic, target=place.target, seed=seed, threads=1
    )
    return {
        "rows": train.rows,
        "columns": len(train.schema),
        "held_out": holdout.rows,
        "hyperparameters": dict(asked),
        "cpu_seconds": round(cpu, 2),
        **judged(found),
    }


def judged(found: Certificate) -> dict[str, object]:
    """Return what a certificate says: light, release, gates that are not green, and the figures."""
    return {
        "verdict": str(found.verdict.light),
        "may_release": found.verdict.may_release,
        "not_green": {
            one.metric: str(one.ruling)
            for one in found.verdict.rulings
            if one.ruling not in (Ruling.GREEN, Ruling.NOT_APPLICABLE)
        },
        "scores": {
            name: {key: getattr(found.scores[name], key) for key in ("value", "upper", "floor")}
            for name in FIGURES
            if name in found.scores
        },
    }


def main() -> None:
    """Measure what is asked, then write the page."""
    collect("expected", about=__doc__ or "", points=METHODS, measure=measure)
    write_expected()


if __name__ == "__main__":
    main()

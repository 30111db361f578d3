"""Evaluate tables and sample saved models: the verbs that the command line and Python share besides ``synthesize``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from synth_worker.evaluation import Step, evaluate_tables, unheard
from synth_worker.generators.base import Value
from synth_worker.keeping import load
from synth_worker.long_evaluation import evaluate_long, is_long
from synth_worker.overlap import check_apart
from synth_worker.reading import read_like, read_table
from synth_worker.run import Certificate
from synth_worker.schema import Schema
from synth_worker.seeds import Streams
from synth_worker.writing import to_frame

Source = str | Path | pd.DataFrame


def evaluate(
    *,
    train: Source,
    holdout: Source,
    synthetic: Source,
    schema: Schema | None = None,
    profile: str = "standard",
    target: str | None = None,
    group_key: str | None = None,
    rows_independent: bool = False,
    seed: int = 0,
    threads: int = 2,
    step: Step = unheard,
) -> Certificate:
    """Judge a synthetic table of any origin; ``train`` is what it was made from, ``holdout`` like rows it never saw.

    Three Parquet files of which one has more than 500,000 rows are judged without being held: what needs no more than
    sums on all rows, the rest on samples, as a note says. Returns a report with ``.scores``, ``.verdict`` and
    ``.power``. Raises BadInput where the tables do not match, or where the holdout is made of training rows.
    """
    if group_key is None and is_long([train, holdout, synthetic]):
        return evaluate_long(
            train=Path(str(train)),
            holdout=Path(str(holdout)),
            synthetic=Path(str(synthetic)),
            schema=schema,
            profile_name=profile,
            target=target,
            seed=seed,
            threads=threads,
            step=step,
        )
    own = read_table(train, schema=schema, group_key=group_key, rows_independent=rows_independent)
    others = read_like(holdout, own.schema)[0]
    made, broken = read_like(synthetic, own.schema)
    notes = (*own.notes, *check_apart(own, others))
    certificate = evaluate_tables(
        train=own,
        holdout=others,
        synthetic=made,
        profile_name=profile,
        target=target,
        seed=seed,
        threads=threads,
        broken=broken,
        step=step,
    )
    return replace(certificate, notes=(*notes, *certificate.notes))


def sample(model: Path, *, rows: int, seed: int = 0, given: Mapping[str, Value] | None = None) -> pd.DataFrame:
    """Draw rows from a saved model (``DIR/model``), with columns fixed by ``given``."""
    table = load(model).sample(rows, rng=Streams(seed).rng("sample"), given=given)
    return to_frame(table)

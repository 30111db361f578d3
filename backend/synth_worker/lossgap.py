"""Ask a model how well it fits records: what the white-box attack reads, in the process that can load the model.

The attack takes a record for a member where the model's loss on it is low (Yeom et al. 2018, section 3.2). It sees a
model that has memorised although no synthetic row gives a record away.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from synth_worker.errors import BadInput, BadModel, BadSchema, TrainingFailed
from synth_worker.exchange import load_table, save_table
from synth_worker.generators.base import Generator
from synth_worker.keeping import load
from synth_worker.metrics.base import Comparison, Losses
from synth_worker.metrics.challenge import draw_challenge
from synth_worker.process import FAILURES, Worker, never
from synth_worker.schema import Kind
from synth_worker.seeds import Streams
from synth_worker.table import Floats, Table

JOB = "synth_worker.lossgap:losses_job"

UNANSWERED = (TrainingFailed, BadInput, BadModel, BadSchema, *FAILURES)
"""What asking a model for its losses may raise; then the attack is not made, and that is said."""

AskLosses = Callable[[Table, Table], Losses | None]
"""Return the losses of records that were learnt from and of others, or None where the method has no such loss."""


def with_losses(
    comparison: Comparison, ask: AskLosses | None, *, train: Table, holdout: Table
) -> tuple[Comparison, str]:
    """Return the comparison with the losses of the records that will be attacked (of others NaN), and why not.

    ``train`` and ``holdout`` are the comparison's rows as the generator knows them. Without ``ask``, or where the
    method has no loss of a record, the comparison stays as it is and the attack is not made.
    """
    if ask is None:
        return comparison, ""
    challenge = draw_challenge(comparison)
    try:
        found = ask(train.take(challenge.members), holdout.take(challenge.nonmembers))
    except UNANSWERED as error:
        return comparison, f"the model's loss on the attacked records could not be computed: {error}"
    if found is None:
        return comparison, ""
    losses = Losses(
        _spread(found.train, challenge.members, rows=train.rows),
        _spread(found.holdout, challenge.nonmembers, rows=holdout.rows),
    )
    return replace(comparison, losses=losses), ""


def losses_of(generator: Generator, members: Table, *, others: Table, streams: Streams) -> Losses | None:
    """Return the losses of both sides, or None where the generator has none.

    ``members`` were learnt from. ``others`` are brought under their domain: a label or a gap that no member has is
    replaced by what one of them has. That it is strange says nothing of how well the model fits.
    """
    alike = _under_domain(others, members, rng=streams.rng("losses", "domain"))
    sides = [generator.row_loss(table, rng=streams.rng("losses")) for table in (members, alike)]
    if sides[0] is None or sides[1] is None:
        return None
    return Losses(_finite(sides[0]), _finite(sides[1]))


def losses_job(payload: Mapping[str, object], _report: object) -> Mapping[str, object]:
    """Serve ``losses_of`` in a child for a saved model; the answer is empty where the method has no loss."""
    streams = Streams(int(cast("int", payload["seed"])), tuple(str(one) for one in cast("list[str]", payload["path"])))
    found = losses_of(
        load(Path(str(payload["model"]))),
        load_table(Path(str(payload["members"]))),
        others=load_table(Path(str(payload["others"]))),
        streams=streams,
    )
    return {} if found is None else {"train": found.train.tolist(), "holdout": found.holdout.tolist()}


def asking(
    worker: Worker, model: Path, *, work: Path, streams: Streams, cancelled: Callable[[], bool] = never
) -> AskLosses:
    """Return what asks a saved model in the worker; the records lie in the private folder ``work`` meanwhile.

    Asking raises TrainingFailed where the model cannot answer.
    """

    def ask(members: Table, others: Table) -> Losses | None:
        places = {name: work / f"attacked-{name}" for name in ("members", "others")}
        try:
            save_table(members, places["members"])
            save_table(others, places["others"])
            answer = worker.call(
                JOB,
                {
                    "model": str(model),
                    **{name: str(place) for name, place in places.items()},
                    "seed": streams.seed,
                    "path": list(streams.path),
                },
                cancelled=cancelled,
            )
        finally:
            for place in places.values():
                shutil.rmtree(place, ignore_errors=True)
        if not answer:
            return None
        return Losses(*(np.asarray(answer[side], dtype=np.float64) for side in ("train", "holdout")))

    return ask


def _spread(losses: Floats, places: np.ndarray, *, rows: int) -> Floats:
    whole = np.full(rows, np.nan)
    whole[places] = losses
    return whole


def _finite(losses: Floats) -> Floats:
    """Return losses with those that are no number as the largest: the model has no idea of such a record."""
    good = np.isfinite(losses)
    return losses if good.all() else np.where(good, losses, losses[good].max() if good.any() else 0.0)


def _under_domain(table: Table, like: Table, *, rng: np.random.Generator) -> Table:
    """Return the table under the schema of another one whose rows hold all that its columns may hold."""
    frame = table.frame.copy(deep=False)
    for column in like.schema:
        values, donors = frame[column.name], like.frame[column.name]
        if column.kind is Kind.CATEGORICAL:
            moved = values.cat.set_categories(list(column.categories))
        else:
            moved = values.clip(column.low, column.high)
        strange = moved.isna() if not donors.isna().any() else moved.isna() & values.notna()
        places, usable = np.flatnonzero(strange.to_numpy()), donors.dropna()
        if len(places) and len(usable):
            moved = moved.copy()
            moved.iloc[places] = usable.iloc[rng.integers(len(usable), size=len(places))].to_numpy()
        frame[column.name] = moved
    return Table(like.schema, frame, table.units)

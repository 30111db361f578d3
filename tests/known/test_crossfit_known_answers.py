"""Small tables whose leak is known, judged by all folds together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from synth_worker.crossfit import FoldResult, certify_crossfitted, inner_split, pool_folds
from synth_worker.gates import Ruling, profile, rule
from synth_worker.metrics import closeness
from synth_worker.metrics.base import Score, Scores
from synth_worker.seeds import Streams
from synth_worker.splitting import folds, split
from synth_worker.table import Table
from tests.tables import adult_like

ROWS = 300
STANDARD = profile("standard")
GATES = {gate.metric: gate for gate in STANDARD.gates}
Make = Callable[[Table, int, int], Table]


def fresh(_learnt: Table, rows: int, seed: int) -> Table:
    return adult_like(rows, 1_000 + seed)


def copied(learnt: Table, rows: int, seed: int) -> Table:
    few = round(0.05 * rows)
    base = adult_like(rows - few, 1_000 + seed)
    return Table(base.schema, pd.concat([base.frame, learnt.take(np.arange(few)).frame], ignore_index=True))


def everything(learnt: Table, _rows: int, _seed: int) -> Table:
    return learnt


def results(table: Table, make: Make) -> list[FoldResult]:
    found = []
    for number, fold in enumerate(folds(table, key="k")):
        members = fold.used[inner_split(table.take(fold.used), key="k", number=number).train_rows]
        found.append(FoldResult(members, fold.held, make(table.take(members), len(fold.used), number)))
    return found


def pooled(make: Make) -> Scores:
    table = adult_like(ROWS, 7)
    return pool_folds(table, results(table, make), streams=Streams(0))[0]


def test_five_percent_copies_of_a_small_table_are_red() -> None:
    scores = pooled(copied)
    assert scores["copy_excess"].value == pytest.approx(0.05, abs=0.03)
    assert rule(GATES["copy_excess"], scores["copy_excess"]).ruling is Ruling.RED


def test_fresh_rows_of_a_small_table_are_over_no_limit() -> None:
    scores = pooled(fresh)
    for name in ("mia_auc", "mia_tpr", "copy_excess", "dcr_share"):
        assert not rule(GATES[name], scores[name]).over, name
    assert scores["dcr_share"].detail["se"] < 0.035  # one file of 240 rows beside 60: about .07


def test_a_table_of_copies_is_red_by_the_nearest_rows_too() -> None:
    score = pooled(everything)["dcr_share"]
    assert score.value == pytest.approx(1.0)
    assert rule(GATES["dcr_share"], score).ruling is Ruling.RED


def test_every_record_is_learnt_from_in_some_fold() -> None:
    members = np.unique(np.concatenate([one.members for one in results(adult_like(ROWS, 7), fresh)]))
    assert len(members) > 0.99 * ROWS


@pytest.mark.parametrize("leaks", [False, True], ids=["fresh", "a copy of the training rows"])
def test_the_file_s_own_share_stands_beside_and_wins_where_it_is_proven(leaks: bool) -> None:
    table = adult_like(ROWS, 7)
    own = split(table, key="k", certified=False)
    delivered = own.train if leaks else adult_like(ROWS, 99)
    found = certify_crossfitted(
        table,
        results(table, fresh),
        delivered=delivered,
        own=own,
        gates=STANDARD,
        streams=Streams(0),
        only_gated=True,
    )
    score = found.scores["dcr_share"]
    if leaks:
        assert score.value == pytest.approx(1.0)
        assert found.verdict == "red"
    else:
        assert score.detail["folds"] == 5
        assert score.detail["delivered"] != score.value
        assert found.power is None


def test_a_file_without_a_share_of_its_own_is_unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = closeness.dcr_share

    def fails_on_the_file(comparison: object) -> Score:
        if getattr(comparison, "reference", None) is None:
            raise ValueError("no")
        return whole(comparison)  # type: ignore[arg-type]

    monkeypatch.setattr("synth_worker.crossfit.dcr_share", fails_on_the_file)
    table = adult_like(ROWS, 7)
    own = split(table, key="k", certified=False)
    gates = replace(STANDARD, gates=tuple(gate for gate in STANDARD.gates if gate.metric == "dcr_share"))
    found = certify_crossfitted(
        table, results(table, fresh), delivered=fresh(table, ROWS, 50), own=own, gates=gates, streams=Streams(0),
        only_gated=True,
    )  # fmt: skip
    assert found.verdict.rulings[0].ruling is Ruling.UNMEASURED

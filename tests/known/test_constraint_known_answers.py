"""Known answers of ``broken_constraints``: a known number of rows is broken, and that number is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from synth_worker.metrics.base import Comparison
from synth_worker.metrics.broken_constraints import FAMILY, sentence
from synth_worker.seeds import Streams
from synth_worker.table import Table
from tests.constrained import COST, DATES, NUMBER, WARD, stays

RULES = (DATES, COST, WARD, NUMBER)


def compared(synthetic: Table, train: Table | None = None) -> Comparison:
    real = stays(400, 1, constraints=RULES) if train is None else train
    return Comparison.of(train=real, holdout=stays(400, 2), synthetic=synthetic, streams=Streams(0))


def changed(table: Table, name: str, rows: range, values: np.ndarray) -> Table:
    frame = table.frame.copy()
    own = frame[name].to_numpy(copy=True)
    own[list(rows)] = values
    frame[name] = own
    return Table(table.schema, frame)


def test_rows_that_keep_all_break_none() -> None:
    score = FAMILY.compute(compared(stays(300, 3)))["broken_constraints"]
    assert score.value == 0
    assert score.floor == 0
    assert score.detail["rows"] == 0
    assert sentence(score) == ""
    assert score.upper is not None
    assert 0 < score.upper < 0.02


def test_broken_rows_are_counted_once_and_by_rule() -> None:
    made = stays(300, 3)
    made = changed(made, "admitted", range(12), made.numbers("admitted").max())
    made = changed(made, "drugs", range(6, 20), made.numbers("drugs")[6:20] - 0.01)
    score = FAMILY.compute(compared(made))["broken_constraints"]
    assert score.value == pytest.approx(20 / 300)
    assert score.detail["rule:admitted <= treated <= discharged"] == pytest.approx(12 / 300)
    assert score.detail["rule:cost = drugs + staff + other"] == pytest.approx(14 / 300)
    assert sentence(score) == (
        "20 of 300 rows break a constraint (cost = drugs + staff + other: 14; admitted <= treated <= discharged: 12)"
    )


def test_repeated_rows_and_new_combinations_are_broken_too() -> None:
    made = stays(300, 3)
    made = changed(made, "number", range(1, 5), made.numbers("number")[0])
    score = FAMILY.compute(compared(made))["broken_constraints"]
    assert score.detail["rule:no two rows with the same number"] == pytest.approx(4 / 300)
    made = changed(stays(300, 3), "floor", range(7), 4 - made.numbers("floor")[:7])
    score = FAMILY.compute(compared(made))["broken_constraints"]
    wrong = np.count_nonzero(stays(300, 3).numbers("floor")[:7] != 2)
    assert score.detail["rule:only real combinations of ward, floor"] == pytest.approx(wrong / 300)


def test_without_constraints_there_is_nothing_to_measure() -> None:
    score = FAMILY.compute(compared(stays(300, 3), train=stays(400, 1, constraints=())))["broken_constraints"]
    assert not score.applicable
